"""Measures the longest silence of the event loop while completions are made.

    python -m benchmarks.event_loop [--engine NAME]

Two figures: by the clock, and without the time in which a thread of ours was ready to run and
other programs had the processor (Linux, /proc/*/schedstat), which is what we answer for.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time

from benchmarks import record
from benchmarks.context import prefix_of
from fim_lsp.commands.serve import SWITCH_SECONDS
from fim_lsp.completion.provider import CompletionProvider
from fim_lsp.completion.request import CompletionRequest
from fim_lsp.document import DocumentSnapshot
from fim_lsp.model_host.host import ModelHost
from fim_lsp.settings import Settings
from fim_lsp.suggestion import Trigger
from model_runtime.store import installed

_REQUESTS = 20
_TASKS = "/proc/self/task"


def waits_ms() -> dict[str, float]:
    """Returns how long each of our threads has waited for a processor; empty where nobody tells."""
    waits: dict[str, float] = {}
    for thread in os.listdir(_TASKS) if os.path.isdir(_TASKS) else ():
        try:
            with open(f"{_TASKS}/{thread}/schedstat", encoding="ascii") as file:
                waits[thread] = int(file.read().split()[1]) / 1e6
        except OSError:  # the thread has ended
            continue
    return waits


async def longest_gap_ms(while_waiting: asyncio.Task[None]) -> tuple[float, float]:
    """Longest time between two turns of the loop until the task is done: by the clock, and ours."""
    longest = ours = 0.0
    waited, before = waits_ms(), time.perf_counter()
    while not while_waiting.done():
        await asyncio.sleep(0)
        gap = (time.perf_counter() - before) * 1e3
        now = waits_ms()
        elsewhere = sum(wait - waited.get(thread, 0.0) for thread, wait in now.items())
        longest, ours = max(longest, gap), max(ours, gap - elsewhere)
        waited, before = now, time.perf_counter()
    await while_waiting
    return longest, ours


async def measure(engine: str) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Longest gaps of several requests, and of an idle loop between them for comparison."""
    host, settings = ModelHost(), Settings(debounce_ms=0, engine=engine, threads=1)
    await host.ready(settings)
    provider = CompletionProvider(host)
    prefix = prefix_of(500, installed.find("default").tokenizer)

    async def ask(number: int) -> None:
        text = prefix + "x" * (number + 1)
        snapshot = DocumentSnapshot("file:///loop.py", "python", number, text, len(text))
        await provider.complete(CompletionRequest(snapshot, Trigger.INVOKED, settings))

    gaps, idle = [], []
    for number in range(_REQUESTS):
        gaps.append(await longest_gap_ms(asyncio.create_task(ask(number))))
        idle.append(await longest_gap_ms(asyncio.create_task(asyncio.sleep(0.2))))
    host.close()
    return gaps, idle


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", default="onnx")
    args = parser.parse_args()
    figures: dict[str, object] = {"engine": args.engine, "goal": "<= 10 ms"}
    for name, seconds in (("as the server runs", SWITCH_SECONDS), ("Python's default", 0.005)):
        sys.setswitchinterval(seconds)
        gaps, idle = asyncio.run(measure(args.engine))
        figures[name] = {
            "switch_interval_ms": seconds * 1e3,
            "longest_gap_ms": record.spread([gap for gap, _ in gaps]),
            "of_it_ours_ms": record.spread([ours for _, ours in gaps]),
            "idle_gap_ms": record.spread([gap for gap, _ in idle]),
        }
        print(f"{name}: {figures[name]}")
    record.write("event_loop", figures, f"python -m benchmarks.event_loop --engine {args.engine}")


if __name__ == "__main__":
    main()
