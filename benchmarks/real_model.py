"""Types with a real model, in one run through fim-lsp and through llama.cpp's server.

    python -m benchmarks.real_model --model NAME --gguf FILE.gguf [--keys 30] [--used-keys 25]

The model is added already, FILE is the GGUF file that it was made of.  Two comparisons, on the
documents of benchmarks/traces.py:

    the same ids   the ids that fim-lsp's engine got, and as many as it wrote, by llama.cpp's server
                   as well, key by key in turns: the file as it is, and its weights at Q8_0
    as each is used   fim-lsp with its defaults, the wait after a key included; llama.vim's request
                   beside it, to a server with the options that its page recommends

benchmarks/keystroke.py says how the first is measured, benchmarks/as_used.py the second.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import as_used, keystroke_figures, record
from benchmarks.as_used import Saved
from benchmarks.keystroke import type_all
from benchmarks.keystroke_figures import both, draw_shares
from benchmarks.llama_vim import SERVER_OPTIONS, LlamaVim
from benchmarks.picture import picture
from benchmarks.requantized import at_q8_0
from benchmarks.traces import Trace, traces
from model_runtime.models.bundle import ModelBundle
from model_runtime.store import installed
from tests.support.llama_cpp import LlamaCpp, NoLlamaCpp

GOALS = {"llama.cpp Q4_K_M": 0.8, "llama.cpp Q8_0": 0.7}
"""Limits on what fim-lsp may take, as a share of theirs, by the name of the contestant."""
MAX_P50_MS, MAX_P95_MS, MAX_SHARE = 100.0, 300.0, 0.12
"""Limits as each is used: milliseconds of a text, and the share of llama.vim's."""
_CONTEXT, _NEW_TOKENS = 512, 48


def same_ids(
    bundle: ModelBundle, gguf: Path, threads: int, engine: str, scripts: Sequence[Trace]
) -> tuple[keystroke_figures.Typing, dict[str, Any]]:
    """Returns the answers of all contestants, and what ran."""
    options = ("--threads", str(threads), "--threads-batch", str(threads),
               "--ctx-size", str(2 * _CONTEXT))  # fmt: skip
    files = dict(zip(GOALS, (gguf, at_q8_0(gguf)), strict=True))
    settings = {"model": str(bundle.path), "engine": engine, "threads": threads,
                "contextTokens": _CONTEXT, "maxNewTokens": _NEW_TOKENS}  # fmt: skip
    with ExitStack() as stack:
        others = {
            name: stack.enter_context(LlamaCpp.serve(file, bundle.manifest.prompt.end, options))
            for name, file in files.items()
        }
        typing, ran = asyncio.run(type_all(scripts, settings, others))
        programs = {name: other.program for name, other in others.items()}
    return typing, {"threads": threads, "engine": ran, "llama_cpp": programs}


def in_use(bundle: ModelBundle, gguf: Path, scripts: Sequence[Trace]) -> dict[str, Saved]:
    """Returns the counts of fim-lsp and of llama.vim."""
    with LlamaCpp.serve(gguf, bundle.manifest.prompt.end, SERVER_OPTIONS) as server:
        settings: dict[str, object] = {"model": str(bundle.path)}
        return asyncio.run(as_used.measure(settings, LlamaVim(server), scripts))


def figures_of(counts: dict[str, Saved]) -> dict[str, Any]:
    """Returns what was saved and what it took, by the name of the way, and the goals."""
    ours, theirs = counts[as_used.OURS], counts[as_used.THEIRS]
    found: dict[str, Any] = {name: _of_way(saved) for name, saved in counts.items()}
    texts, computed = (both(_times(ours, only_computed=it)) for it in (False, True))
    their_texts, their_computed = (both(_times(theirs, only_computed=it)) for it in (False, True))
    found["share_of_their_time"] = {
        "all texts": {it: round(texts[it] / their_texts[it], 3) for it in texts},
        "texts of the model": {it: round(computed[it] / their_computed[it], 3) for it in computed},
    }
    share = max(found["share_of_their_time"]["texts of the model"].values())
    saved = {name: found[name]["keys_saved"] for name in counts}
    found["goals_met"] = {
        "all texts p50 <= 100 ms, p95 <= 300 ms": texts["p50"] <= MAX_P50_MS
        and texts["p95"] <= MAX_P95_MS,
        f"texts of the model <= {MAX_SHARE} of llama.vim's": share <= MAX_SHARE,
        "no fewer keys saved": saved[as_used.OURS] >= saved[as_used.THEIRS],
    }
    return found


def _of_way(saved: Saved) -> dict[str, Any]:
    return {
        "keys": saved.keys,
        "keys_pressed": saved.pressed,
        "keys_saved": round(1 - saved.pressed / saved.keys, 3),
        "accepted": saved.accepted,
        "text_ms": both(_times(saved, only_computed=False)),
        "text_of_the_model_ms": both(_times(saved, only_computed=True)),
        "sources": dict(saved.sources.most_common()),
    }


def _times(saved: Saved, *, only_computed: bool) -> list[float]:
    return [
        answer.milliseconds
        for answer in saved.answers
        if answer.text and (answer.source == "model" or not only_computed)
    ]


def show(found: dict[str, Any]) -> None:
    """Prints the second table, and which of its goals were met."""
    table = Table("as each is used", "keys saved", "taken", "all texts", "texts of the model")
    for name in (as_used.OURS, as_used.THEIRS):
        way = found[name]
        table.add_row(
            name, f"{way['keys_saved']:.1%}", str(way["accepted"]), *(
                f"{times['p50']:.0f} and {times['p95']:.0f} ms"
                for times in (way["text_ms"], way["text_of_the_model_ms"])
            ),
        )  # fmt: skip
    shares = found["share_of_their_time"]
    table.add_row("fim-lsp takes", "", "", *(
        f"{shares[name]['p50']:.2f} and {shares[name]['p95']:.2f}"
        for name in ("all texts", "texts of the model")
    ))  # fmt: skip
    console = Console(highlight=False)
    console.print(table)
    for goal, is_met in found["goals_met"].items():
        console.print(f"  {'met     ' if is_met else 'not met '} {goal}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="qwen2.5-coder-0.5b", help="name or folder")
    parser.add_argument("--gguf", type=Path, required=True, help="file that it was made of")
    parser.add_argument("--keys", type=int, default=30, help="of each document: the same ids")
    parser.add_argument("--used-keys", type=int, default=25, help="of each: as each is used")
    parser.add_argument("--threads", type=int, default=2, help="of each server: the same ids")
    parser.add_argument("--engine", default="auto", help="of fim-lsp: the same ids")
    args = parser.parse_args()
    bundle = installed.find(args.model)
    try:
        typing, ran = same_ids(bundle, args.gguf, args.threads, args.engine, traces(args.keys))
        counts = in_use(bundle, args.gguf, traces(args.used_keys))
    except NoLlamaCpp as error:
        raise SystemExit(f"{error}; nothing was compared") from None
    first, second = keystroke_figures.figures(typing, GOALS), figures_of(counts)
    print(f"{bundle.manifest.name}, {ran['engine']}, threads: {args.threads}, the same ids")
    keystroke_figures.show(first)
    show(second)
    facts = {"model": bundle.manifest.name, **ran, "same ids": first, "as each is used": second}
    command = f"--keys {args.keys} --used-keys {args.used_keys} --threads {args.threads}"
    path = record.write("real_model", facts, f"python -m benchmarks.real_model {command}")
    with picture(path.with_suffix(".svg"), panels=2) as (_, (left, right)):
        draw_shares(left, typing.model_ms)
        left.set_title("the same ids")
        draw_shares(
            right, {name: _times(saved, only_computed=True) for name, saved in counts.items()}
        )
        right.set_title("as each is used: texts that the model was asked for")
        for axis in (left, right):
            axis.set_xlabel("milliseconds from the key to the text")
            axis.set_ylabel("answers that had come, %")


if __name__ == "__main__":
    main()
