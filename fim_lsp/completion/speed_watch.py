"""Notices that an engine writes at half the speed that it had, as on a laptop that is hot."""

from __future__ import annotations

import statistics
from collections import deque

WINDOW = 50
"""Answers whose median counts; a short load by other programs says nothing."""
_SLOWER = 2.0


class SpeedWatch:
    """Watches the answers of one model, in the engine that it was opened with."""

    def __init__(self, window: int = WINDOW) -> None:
        """Begins without answers; `window` is the number of them whose median counts."""
        self._recent: deque[float] = deque(maxlen=window)
        self._best = float("inf")
        self._watched: object = None

    def has_halved(self, identity: object, milliseconds: float, tokens: int) -> bool:
        """Takes an answer; tells, once each time, whether the speed has fallen by half.

        Args:
            identity: of the model and its engine; the answers of another one begin anew.
            milliseconds: from the first token to the last.
            tokens: number of them behind the first; an answer without any says nothing.
        """
        if identity != self._watched:
            self._watched, self._best = identity, float("inf")
            self._recent.clear()
        if tokens < 1:
            return False
        self._recent.append(milliseconds / tokens)
        if len(self._recent) < (self._recent.maxlen or 1):
            return False
        median = statistics.median(self._recent)
        if median > _SLOWER * self._best:
            self._best = median  # what is normal from now on
            return True
        self._best = min(self._best, median)
        return False
