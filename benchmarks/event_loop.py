"""Longest silence of the event loop while completions are made: how late can a key press be read?

python -m benchmarks.event_loop
"""

from __future__ import annotations

import asyncio
import time

from benchmarks import record
from benchmarks.context import prefix_of
from fim_lsp.completer import Completer
from fim_lsp.completion import Trigger
from fim_lsp.document import DocumentSnapshot
from fim_lsp.engine_host import EngineHost
from fim_lsp.settings import Settings
from model_runtime import catalogue

_REQUESTS = 20


async def longest_gap_ms(while_waiting: asyncio.Task[None]) -> float:
    """Longest time between two turns of the loop until the task is done, in milliseconds."""
    longest, before = 0.0, time.perf_counter()
    while not while_waiting.done():
        await asyncio.sleep(0)
        now = time.perf_counter()
        longest, before = max(longest, now - before), now
    await while_waiting
    return longest * 1e3


async def measure() -> tuple[list[float], float]:
    """Longest gap of each of several requests, and of an idle loop for comparison."""
    host, settings = EngineHost(), Settings(debounce_ms=0)
    await host.ready(settings)
    completer = Completer(host)
    prefix = prefix_of(500, catalogue.find("default").tokenizer)

    async def ask(number: int) -> None:
        text = prefix + "x" * (number + 1)
        snapshot = DocumentSnapshot("file:///loop.py", "python", number, text, len(text))
        await completer.complete(snapshot, Trigger.INVOKED, settings)

    gaps = [await longest_gap_ms(asyncio.create_task(ask(number))) for number in range(_REQUESTS)]
    idle = await longest_gap_ms(asyncio.create_task(asyncio.sleep(1)))
    host.close()
    return gaps, idle


def main() -> None:
    gaps, idle = asyncio.run(measure())
    print(f"longest gap during a completion: {record.spread(gaps)} ms; idle loop {idle:.2f} ms")
    record.write(
        "event_loop",
        {"longest_gap_ms": record.spread(gaps), "idle_gap_ms": round(idle, 2), "goal": "<= 10 ms"},
        "python -m benchmarks.event_loop",
    )


if __name__ == "__main__":
    main()
