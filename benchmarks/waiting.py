"""Measures what adaptive debounce and idle work bring: the same typing, with and without them.

    python -m benchmarks.waiting [--keys N] [--engine NAME]

Two typists: one at the human pauses of `fim-lsp replay`, and one who writes in quick bursts.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmarks import record
from fim_lsp.replay import session
from fim_lsp.replay.figures import Figures
from fim_lsp.replay.script import of_files
from fim_lsp.replay.typist import Manner

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
_SHOWN = ("requests", "shown", "savedShare", "lateShare", "cacheShare", "latencyMs",
          "cpuSecondsPer1000Keys", "silences")  # fmt: skip


def measure(engine: str, keys: int) -> dict[str, Any]:
    """Figures by typist and wait."""
    replay_set = Path(__file__).parent / "replay_set"
    scripts = of_files([replay_set / name for name in _FILES])
    manner = Manner(is_fast=False, max_keys=keys)
    # At this eagerness the embedded model shows enough for a percentile to mean something.
    common = {"engine": engine, "threads": 1, "eagerness": 0.9}
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
    parser.add_argument("--keys", type=int, default=120, help="of each file")
    parser.add_argument("--engine", default="onnx")
    args = parser.parse_args()
    figures = measure(args.engine, args.keys)
    for typist, by_wait in figures.items():
        for wait, values in by_wait.items():
            print(f"{typist}, {wait}: {values}")
    command = f"python -m benchmarks.waiting --keys {args.keys} --engine {args.engine}"
    record.write(f"waiting_{args.engine}", {"keys of each file": args.keys, **figures}, command)


if __name__ == "__main__":
    main()
