"""Takes the model out of memory when nobody has asked for a while, and back when somebody does."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import sys
from collections.abc import Awaitable, Callable


class IdleUnload:
    """A clock that runs while there is no work.  All of it belongs to the event loop's thread."""

    def __init__(self, unload: Callable[[], None], reload: Callable[[], Awaitable[None]]) -> None:
        """`unload` frees the model; `reload` ends when it is back, or raises why it is not."""
        self._unload, self._reload = unload, reload
        self._seconds = 0.0
        self._clock: asyncio.TimerHandle | None = None
        self._reloading: asyncio.Future[None] | None = None
        self._is_resting = False
        self.is_unloaded = False

    def allow(self, minutes: float) -> None:
        """How long the model may lie idle; 0 for ever."""
        seconds = minutes * 60
        if seconds != self._seconds:
            self._seconds = seconds
            if self._is_resting:
                self.rest()

    def rest(self) -> None:
        """The model is loaded and has nothing to do: the clock starts."""
        self.stir()
        self._is_resting = True
        if self._seconds and not self.is_unloaded:
            self._clock = asyncio.get_running_loop().call_later(self._seconds, self._expire)

    def stir(self) -> None:
        """There is work again, or another model: the clock stops."""
        self._is_resting = False
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    async def awake(self) -> None:
        """Return when the model is in memory; whoever comes while it reloads waits for the same."""
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
        self._clock, self.is_unloaded = None, True
        self._unload()


def give_back_memory() -> None:
    """Return what was freed to the system; glibc keeps much of it for what may come.

    To be called on the engine's thread.
    """
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if trim is not None:
            trim(0)
