"""The threads that run the engine: as many as it can serve at once, and one for nearly all.

Work begins in the order in which it was asked for.  What changes the engine itself (closing it,
opening it again) runs alone: after all that was asked for before, before all that comes later.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from model_runtime.errors import EngineError

T = TypeVar("T")


class EngineThreads:
    """Runs work on the engine.  All methods belong to the event loop's thread."""

    def __init__(self) -> None:
        """Begins with one thread; threads start when there is work for them."""
        self._count = 1
        self._pool = _pool(1)

    def resize(self, count: int) -> None:
        """Lets `count` pieces of work run at once from now on; older work goes on as it was."""
        if count != self._count:
            self._pool.shutdown(wait=False)
            self._count, self._pool = count, _pool(count)

    async def run(self, work: Callable[[], T]) -> T:
        """Runs work and returns what it gives; several may run at once.

        Raises:
            EngineError: the work tried to end the process.
        """
        return await asyncio.get_running_loop().run_in_executor(self._pool, _kept_in, work)

    def alone(self, work: Callable[[], T]) -> Future[T]:
        """Runs work while no other runs."""
        barrier = threading.Barrier(self._count)
        done = threading.Event()

        def wait() -> None:  # on each of the other threads: nothing runs beside the work
            barrier.wait()
            done.wait()

        def run() -> T:
            barrier.wait()
            try:
                return work()
            finally:
                done.set()

        for _ in range(self._count - 1):
            self._pool.submit(wait)
        return self._pool.submit(run)

    def close(self) -> None:
        """Takes no more work; what was asked for before is still done."""
        self._pool.shutdown(wait=False)


def _kept_in(work: Callable[[], T]) -> T:
    """Runs work of which no exception may end the event loop, as these two would."""
    try:
        return work()
    except (SystemExit, KeyboardInterrupt) as error:
        raise EngineError(f"it raised {type(error).__name__}") from error


def _pool(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=count, thread_name_prefix="engine")
