"""Measures what adaptive debounce and idle work bring, and what a superseded request costs.

    python -m benchmarks.waiting [--keys N] [--engine NAME] [--model NAME]

Two typists: one at the human pauses of `fim-lsp replay`, and one who writes in quick bursts, each
with and without both.  Then cold prompts are superseded while they are read, at places all over
them: how long the engine is not free after that, and how many ids of them the next request has.
"""

from __future__ import annotations

import argparse
import random
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks import record
from fim_lsp.replay import session
from fim_lsp.replay.figures import Figures
from fim_lsp.replay.script import of_files
from fim_lsp.replay.typist import Manner
from model_runtime.engines import open_engine
from model_runtime.engines.protocol import SamplingParams
from model_runtime.store import installed

_FILES = (
    "ours/stock.py", "others/nanoid_method.py", "others/yocto_queue.js", "ours/stack.go",
)  # fmt: skip
_TYPISTS: dict[str, tuple[float, ...]] = {
    "human": (),
    "bursts": (70.0, 80.0, 90.0, 100.0, 110.0, 120.0, 130.0, 140.0, 600.0),
}
_WAITS: dict[str, dict[str, Any]] = {
    "60 ms": {"debounceMs": 60, "idleWork": False},
    "learnt": {"debounceMs": "auto", "idleWork": True},
}
_PROMPT_IDS, _SUPERSEDED = 768, 24
_SHOWN = ("requests", "shown", "savedShare", "lateShare", "cacheShare", "latencyMs",
          "cpuSecondsPer1000Keys", "silences")  # fmt: skip


def superseded(model: str, engine_name: str) -> dict[str, Any]:
    """Returns milliseconds from a request's flag to a free engine, and the ids that are kept."""
    bundle = installed.find(model)
    engine = open_engine(bundle, engine=engine_name)
    draw, one = random.Random(0), SamplingParams(1, frozenset())

    def read(cancel: threading.Event) -> list[int]:
        ids = [draw.randrange(bundle.manifest.decoder.vocab // 2) for _ in range(_PROMPT_IDS)]
        with engine.generate(ids, one, cancel) as stream:
            list(stream)
        return ids

    for _ in range(2):
        started = time.perf_counter()
        read(threading.Event())
        whole = time.perf_counter() - started
    waits, kept = [], []
    for number in range(_SUPERSEDED):
        cancel, flagged = threading.Event(), list[float]()

        def supersede(cancel: threading.Event = cancel, flagged: list[float] = flagged) -> None:
            flagged.append(time.perf_counter())
            cancel.set()

        timer = threading.Timer(whole * (number + 0.5) / _SUPERSEDED, supersede)
        timer.start()
        ids = read(cancel)
        free = time.perf_counter()
        timer.join()
        waits.append(max(0.0, free - flagged[0]) * 1e3)
        with engine.generate(ids, one) as stream:
            kept.append(stream.cached_tokens)
    engine.close()
    return {
        "ms of a whole prompt": round(whole * 1e3),
        "ms until the engine is free": record.spread(waits),
        f"ids kept of {_PROMPT_IDS}": kept,
    }


def measure(model: str, engine: str, keys: int) -> dict[str, Any]:
    """Figures by typist and wait."""
    replay_set = Path(__file__).parent / "replay_set"
    scripts = of_files([replay_set / name for name in _FILES])
    manner = Manner(is_fast=False, max_keys=keys)
    # At this eagerness the embedded model shows enough for a percentile to mean something.
    common = {"model": model, "engine": engine, "threads": 1, "eagerness": 0.9}
    figures: dict[str, dict[str, Any]] = {}
    for typist, gaps in _TYPISTS.items():
        totals = {wait: Figures() for wait in _WAITS}
        for script in scripts:
            for wait, settings in _WAITS.items():
                replay = session.run(
                    [script], manner, common | settings, description="", recorded_ms=gaps
                )
                totals[wait].add(replay.total)
        figures[typist] = {
            wait: {name: total.as_json()[name] for name in _SHOWN} for wait, total in totals.items()
        }
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=120, help="of each file; 0 for none")
    parser.add_argument("--engine", default="onnx")
    parser.add_argument("--model", default="default")
    args = parser.parse_args()
    cost = superseded(args.model, args.engine)
    print(f"superseded: {cost}")
    figures = measure(args.model, args.engine, args.keys) if args.keys else {}
    for typist, by_wait in figures.items():
        for wait, values in by_wait.items():
            print(f"{typist}, {wait}: {values}")
    command = f"python -m benchmarks.waiting --keys {args.keys} --engine {args.engine}"
    name = f"{'waiting' if args.keys else 'superseded'}_{args.engine}"
    if args.model != "default":
        short = args.model.rstrip("/").rpartition("/")[2]
        command, name = f"{command} --model {short}", f"{name}_{short}"
    record.write(name, {"keys of each file": args.keys, "superseded": cost, **figures}, command)


if __name__ == "__main__":
    main()
