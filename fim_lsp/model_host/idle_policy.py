"""Decides what happens while nobody waits for the model: work for later, and leaving memory.

`IdleWork` lets the model read ahead within a budget, and makes way for a request at once.
`IdleUnload` takes the model out of memory after a while, and back when somebody asks.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from fim_lsp.model_host.engine_threads import EngineThreads
from fim_lsp.model_host.hang_watch import Patience
from fim_lsp.model_host.idle_budget import IdleBudget, is_on_battery

logger = logging.getLogger(__name__)

T = TypeVar("T")


class IdleWork:
    """Runs work for which nobody waits.  All methods belong to the event loop's thread."""

    def __init__(self, budget: IdleBudget) -> None:
        """Takes the processor time that may be spent."""
        self._budget = budget
        self._flags: set[threading.Event] = set()

    def interrupt(self) -> None:
        """Ends the work that runs, within a token: somebody wants the engine."""
        for flag in self._flags:
            flag.set()

    async def run(
        self, threads: EngineThreads, work: Callable[[], T], cancel: threading.Event
    ) -> T | None:
        """Runs work within the budget; returns None where it may not run now.

        Args:
            threads: of the engine.
            work: looks at `cancel` as an engine does.
            cancel: is set by `interrupt`.
        """
        if not self._budget.allows():
            return None
        spent = 0.0

        def timed() -> T | None:
            nonlocal spent
            if cancel.is_set() or is_on_battery():
                return None
            begun = time.process_time()  # of all threads, so of the engine's own as well
            try:
                return work()
            finally:
                spent = time.process_time() - begun

        self._flags.add(cancel)
        try:
            return await threads.run(timed, Patience(cancel))
        finally:
            self._flags.discard(cancel)
            self._budget.spend(spent)
            if spent:
                logger.info("idle work took %.0f ms of processor time", spent * 1e3)


class IdleUnload:
    """Counts the time without work.  All methods belong to the event loop's thread."""

    def __init__(self, unload: Callable[[], None], reload: Callable[[], Awaitable[None]]) -> None:
        """Takes how the model leaves memory, and how it comes back.

        Args:
            unload: frees the model.
            reload: ends when the model is back, or raises why it is not.
        """
        self._unload, self._reload = unload, reload
        self._seconds = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._reloading: asyncio.Future[None] | None = None
        self._is_resting = False
        self.is_unloaded = False
        """True while the model is out of memory; another model that was loaded sets it back."""

    @property
    def is_counting(self) -> bool:
        """True where the model will be unloaded if nobody asks."""
        return self._timer is not None

    def allow(self, minutes: float) -> None:
        """Sets how long the model may lie idle; 0 for ever."""
        seconds = minutes * 60
        if seconds != self._seconds:
            self._seconds = seconds
            if self._is_resting:
                self.rest()

    def rest(self) -> None:
        """Starts counting: the model is loaded and has nothing to do."""
        self.stir()
        self._is_resting = True
        if self._seconds and not self.is_unloaded:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._expire)

    def stir(self) -> None:
        """Stops counting: there is work again, or another model."""
        self._is_resting = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def awake(self) -> None:
        """Returns when the model is in memory; all who come while it reloads wait for the same."""
        if not self.is_unloaded:
            return
        if self._reloading is None:
            self._reloading = asyncio.ensure_future(self._bring_back())
        await asyncio.shield(self._reloading)

    async def _bring_back(self) -> None:
        try:
            await self._reload()
            self.is_unloaded = False
        finally:
            self._reloading = None

    def _expire(self) -> None:
        self._timer, self.is_unloaded = None, True
        self._unload()
