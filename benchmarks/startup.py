"""Measures the time from the start of the process to the first completion, step by step.

    python -m benchmarks.startup [--engines onnx ctranslate2] [--runs 7] [--model NAME]

The context has 500 tokens.  It also measures how soon a model that was unloaded while idle answers
again.  Engines take turns.  Their forms of the model are in the cache before, as at every start but
the first one.

    initialized  the client may speak: Python has started and imported the server
    ready        the model is loaded
    answered     one suggestion has come
    reloaded     an unloaded model is back in memory, from the request that woke it
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict

from benchmarks import record
from benchmarks.context import prefix_of
from benchmarks.editor import Editor
from model_runtime.store import installed

_TOKENS = 500
_URI = "file:///startup.py"
_UNLOAD_MINUTES = 0.3 / 60
STEPS = ("initialized", "ready", "answered", "reloaded")


def start(model: str, engine: str, prefix: str) -> dict[str, float]:
    """Returns seconds to each step of one start, processor seconds and megabytes."""
    place = {"line": prefix.count("\n"), "character": len(prefix.rpartition("\n")[2])}
    settings = {"model": model, "engine": engine, "candidates": 1,
                "unloadAfterMinutes": _UNLOAD_MINUTES}  # fmt: skip
    started = time.perf_counter()
    with Editor(settings) as editor:
        found = {"initialized": time.perf_counter() - started}
        editor.open(_URI, prefix)
        editor.wait_until_ready()
        found["ready"] = time.perf_counter() - started
        items = editor.complete(_URI, **place, trigger=1)
        found["answered"] = time.perf_counter() - started
        found["cpu"] = editor.cpu_seconds()
        found["shown"] = bool(items)
        found["resident_mb"] = editor.memory_mb("VmRSS")
        editor.wait_for_status(lambda status: status["message"].startswith("unloaded"))
        found["unloaded_mb"] = editor.memory_mb("VmRSS")
        asked = time.perf_counter()
        editor.complete(_URI, **place, trigger=1)
        found["answered_again"] = time.perf_counter() - asked
        back = next(at for at, status in editor.statuses if at > asked and not status["message"])
        found["reloaded"] = back - asked
        found["peak_mb"] = editor.memory_mb("VmHWM")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engines", nargs="*", default=["onnx", "ctranslate2"])
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--model", default="default", help="name or folder")
    args = parser.parse_args()
    tokenizer = installed.find(args.model).tokenizer
    prefix = prefix_of(_TOKENS, tokenizer)
    samples: dict[str, dict[str, list[float]]] = {it: defaultdict(list) for it in args.engines}
    for number in range(args.runs + 1):
        for engine, found in samples.items():
            for name, value in start(args.model, engine, prefix).items():
                if number:  # the first round fills the caches
                    found[name].append(value)
    figures = {}
    for engine, found in samples.items():
        figures[engine] = {
            "start_to_first_completion_s": record.spread(found["answered"]),
            "start_to_s": {step: record.spread(found[step]) for step in STEPS[:3]},
            "processor_s": record.spread(found["cpu"]),
            "reload_s": record.spread(found["reloaded"]),
            "answer_of_an_unloaded_model_s": record.spread(found["answered_again"]),
            "resident_mb": record.spread(found["resident_mb"]),
            "unloaded_mb": record.spread(found["unloaded_mb"]),
            "peak_resident_mb": record.spread(found["peak_mb"]),
            "runs_with_a_suggestion": sum(found["shown"]),
        }
        steps = "  ".join(f"{it} {sorted(found[it])[len(found[it]) // 2]:.3f} s" for it in STEPS)
        processor = record.spread(found["cpu"])["median"]
        print(f"{engine:12} {steps}  processor {processor:.2f} s", end="  ")
        print(f"resident {record.spread(found['resident_mb'])['median']:.0f} MB")
    facts = {"context_tokens": len(tokenizer.encode(prefix)), "engines": figures}
    command, name = f"python -m benchmarks.startup --runs {args.runs}", "startup"
    if args.model == "default":
        facts["goal"] = "first completion <= 0.8 s, reload < 0.5 s, <= 250 MB"
    else:
        short = args.model.rstrip("/").rpartition("/")[2]
        command, name = f"{command} --model {short}", f"startup_{short}"
        facts["goal"] = "loaded within 2 s, <= 700 MB"
    record.write(name, facts, command)


if __name__ == "__main__":
    main()
