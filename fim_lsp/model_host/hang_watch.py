"""Notices an engine that does not return from a call, as where a driver hangs.

Neither a native call nor its thread can be ended from outside, so what hangs is left behind.  Time
is counted in ticks of the event loop: a process that is stopped, and a machine that sleeps, count
one tick, however long that is.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from model_runtime.errors import EngineError

T = TypeVar("T")


class EngineHung(EngineError):
    """The engine did not return from a call; its thread was left behind."""


@dataclass(frozen=True, slots=True)
class HangBounds:
    """Says when an engine counts as hung."""

    seconds: float = 120.0
    """Time that a call may go on once nobody is to wait for it.

    CTranslate2 cannot interrupt the reading of a prompt: 2,048 ids at 20 a second, as of a large
    model on a slow machine, are 100 s.
    """
    tick_seconds: float = 1.0
    """Time between two looks."""
    seconds_between: float = 600.0
    """Least time between two engines that are given up."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Says how long a result is waited for."""

    cancel: threading.Event
    """Set when nobody waits any more; the work polls it at each token."""
    limit_seconds: float = 0.0
    """Time that the work may take by itself; 0 for no limit."""


class WatchedCall(Generic[T]):
    """One call of the engine, to be made on its thread."""

    def __init__(
        self, work: Callable[[], T], patience: Patience, give_up: Callable[[EngineHung], None]
    ) -> None:
        """Takes what is called.

        Args:
            work: looks at `cancel` as an engine does.
            patience: of those who wait for the result.
            give_up: called on the event loop where the work does not return.
        """
        self._work, self._patience, self._give_up = work, patience, give_up
        self._ran_seconds = 0.0
        self._overdue_seconds = 0.0
        self._runs = False
        self.is_awaited = True
        """False once nobody waits for the result, so that the work does not begin any more."""

    def __call__(self) -> T:
        """Does the work."""
        self._runs = True
        try:
            return self._work()
        finally:
            self._runs = False

    @property
    def is_over(self) -> bool:
        """True where the work does not run and will not begin."""
        return not self._runs and not self.is_awaited

    def has_overrun(self, tick_seconds: float, most_seconds: float) -> bool:
        """Counts a tick; tells whether the work has gone on for too long when nobody is to wait."""
        if self._runs:
            self._ran_seconds += tick_seconds
            is_late = 0 < self._patience.limit_seconds < self._ran_seconds
            if is_late or self._patience.cancel.is_set():
                self._overdue_seconds += tick_seconds
        return self._runs and self._overdue_seconds >= most_seconds

    def give_up(self, error: EngineHung) -> None:
        """Leaves the work behind; it ends within a token if it ever goes on."""
        self._patience.cancel.set()
        self._give_up(error)


class HangWatch:
    """Looks at the calls that run; all methods belong to the event loop's thread."""

    def __init__(self, bounds: HangBounds | None = None) -> None:
        """Begins with no call."""
        self._bounds = bounds or HangBounds()
        self._calls: list[WatchedCall[object]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._gave_up_at: float | None = None

    @contextmanager
    def over(self, call: WatchedCall[T]) -> Iterator[None]:
        """Watches a call that is waited for in the block, and beyond it until it returns."""
        self._calls.append(call)  # type: ignore[arg-type]
        self._tick_later()
        try:
            yield
        finally:
            call.is_awaited = False

    def _tick_later(self) -> None:
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._bounds.tick_seconds, self._tick)

    def _tick(self) -> None:
        self._timer = None
        bounds, now = self._bounds, asyncio.get_running_loop().time()
        self._calls = [call for call in self._calls if not call.is_over]
        for call in list(self._calls):
            if not call.has_overrun(bounds.tick_seconds, bounds.seconds):
                continue
            if self._gave_up_at is None or now - self._gave_up_at >= bounds.seconds_between:
                self._gave_up_at = now
                self._calls.remove(call)
                call.give_up(EngineHung(f"it has not returned for {bounds.seconds:g} s"))
        if self._calls:
            self._tick_later()
