"""Waits between two tries of a server that does not answer, longer each time, and never in step.

Many editors that lost the same server at the same moment must not all come back at the same
moment, so each wait is drawn from a range (Brooker 2015, Exponential backoff and jitter).
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

FIRST_SECONDS, MAX_SECONDS = 0.5, 30.0
"""Longest wait after the first failure, and after many."""
_MAX_ASKED_SECONDS = 600.0
"""Longest wait that a server may ask for."""


class Backoff:
    """Says whether a server may be asked now; may be used by several threads."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """Begins without a failure.

        Args:
            clock: returns seconds.
            draw: returns a number between two.
        """
        self._clock, self._draw = clock, draw
        self._lock = threading.Lock()
        self._failures = 0
        self._until = 0.0
        self.problem = ""
        """Sentence that says what is wrong; empty while the server answers."""

    def seconds_left(self) -> float:
        """Returns how long the server should be left alone; 0 where it may be asked."""
        with self._lock:
            return max(0.0, self._until - self._clock()) if self._failures else 0.0

    def failed(self, problem: str, retry_after: float | None = None) -> None:
        """Notes a failure; the next wait is longer.

        Args:
            problem: says what is wrong.
            retry_after: seconds that the server asks for.
        """
        with self._lock:
            most = min(MAX_SECONDS, FIRST_SECONDS * 2.0 ** min(self._failures, 16))
            wait = self._draw(most / 2, most)
            if retry_after is not None:  # never sooner than it asks, and not all at once
                wait = min(max(retry_after, 0.0), _MAX_ASKED_SECONDS) + self._draw(0.0, most)
            now = self._clock()
            if self._until <= now:  # several requests that fail together are one failure
                self._failures += 1
                self._until = now + wait
            elif retry_after is not None:
                self._until = max(self._until, now + wait)
            self.problem = problem

    def succeeded(self) -> None:
        """Notes that the server answers."""
        with self._lock:
            self._failures, self._until, self.problem = 0, 0.0, ""
