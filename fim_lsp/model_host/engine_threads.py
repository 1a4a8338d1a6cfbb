"""The threads that run an engine: as many as it can serve at once, and one for nearly all.

Work begins in the order in which it was asked for.  What changes the engine itself (closing it,
opening it again) runs alone: after all that was asked for before, before all that comes later.
The engine that takes its place has threads of its own, so that none waits for one that hangs.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from fim_lsp.model_host.freed_memory import give_back_memory
from fim_lsp.model_host.hang_watch import EngineHung, HangWatch, Patience, WatchedCall
from fim_lsp.model_host.loader import close_engine
from model_runtime.errors import EngineError
from model_runtime.served_model import ServedModel

T = TypeVar("T")


class EngineThreads:
    """Runs work on one engine.  All methods belong to the event loop's thread."""

    def __init__(self, model: ServedModel | None = None, watch: HangWatch | None = None) -> None:
        """Starts threads when there is work for them.

        Args:
            model: has the engine; None for one that is none of the threads' business.
            watch: abandons the threads where the engine hangs; servers have their own time limits.
        """
        self._model = model
        self._watch = watch if model is not None and model.remote is None else None
        self._count = model.engine.max_concurrency if model is not None else 1
        self._pool = ThreadPoolExecutor(max_workers=self._count, thread_name_prefix="engine")
        self._answers: set[asyncio.Future[Any]] = set()
        self._hung: EngineHung | None = None

    async def run(self, work: Callable[[], T], patience: Patience | None = None) -> T:
        """Runs work and returns what it gives; several may run at once.

        Args:
            work: what to do.
            patience: of those who wait for it; None for all there is.

        Raises:
            EngineError: the work tried to end the process.
            EngineHung: the threads were abandoned.
        """
        if self._watch is None or patience is None:
            return await self._answer(lambda: self._pool.submit(_kept_in, work))
        call = WatchedCall(work, patience, self.abandon)
        with self._watch.over(call):
            return await self._answer(lambda: self._pool.submit(_kept_in, call))

    async def run_alone(self, work: Callable[[], T]) -> T:
        """Runs work while no other runs, and returns what it gives.

        Raises:
            EngineHung: the threads were abandoned.
        """
        return await self._answer(lambda: self.alone(work))

    def alone(self, work: Callable[[], T]) -> Future[T]:
        """Runs work while no other runs; nobody waits for it."""
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

    def free_engine(self) -> None:
        """Closes the engine after all that was asked for before, and returns its memory."""
        model, self._model = self._model, None
        if model is not None:
            self.alone(partial(close_engine, model))
            self.alone(give_back_memory)  # work of its own, for what runs before holds the model

    def abandon(self, error: EngineHung) -> None:
        """Ends all waiting for work; what has not begun never will, but for what runs `alone`."""
        self._hung = error
        for answer in list(self._answers):
            answer.cancel()

    def close(self) -> None:
        """Takes no more work; what was asked for before is still done."""
        self._pool.shutdown(wait=False)

    async def _answer(self, begin: Callable[[], Future[T]]) -> T:
        if self._hung is not None:
            raise self._hung
        answer = asyncio.wrap_future(begin())
        self._answers.add(answer)
        try:
            return await answer
        except asyncio.CancelledError:
            if self._hung is not None:
                raise self._hung from None
            raise
        finally:
            self._answers.discard(answer)


def _kept_in(work: Callable[[], T]) -> T:
    """Runs work of which no exception may end the event loop, as these two would."""
    try:
        return work()
    except (SystemExit, KeyboardInterrupt) as error:
        raise EngineError(f"it raised {type(error).__name__}") from error
