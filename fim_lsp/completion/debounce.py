"""Adapts the wait after a key to the rhythm of this typist and the speed of this engine.

Work that begins at once after each key is lost whenever the next key comes before the answer; work
that waits is late.  The wait is therefore the shortest one after which at least half of what is
begun is answered before the next key, going by the pauses and the answers of the last minutes:

    wait = min {w : P(gap > w + answer) >= 1/2 P(gap > w)}

A quick engine under a calm hand begins at once, a slow one waits for a real pause.
"""

from __future__ import annotations

import statistics
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence

from fim_lsp.completion.trace import DebounceFigures

FIRST_WAIT_MS = 60.0
"""Wait before enough is known."""
MIN_WAIT_MS, MAX_WAIT_MS = 10.0, 200.0
"""Keys that arrive in one breath are one, and a suggestion is not late."""
_STEP_MS = 10.0
_IN_TIME = 0.5
_MAX_KEYS, _MAX_ANSWERS = 64, 16
_MIN_KEYS, _MIN_ANSWERS = 12, 3
_MAX_GAP_MS = 2000.0
"""A longer one says no more than that the typist stopped to think."""


def shortest_wait(gaps_ms: Sequence[float], answer_ms: float) -> float:
    """Returns the milliseconds to wait; the longest wait where no wait is worth its work.

    Args:
        gaps_ms: pauses between keys, in any order.
        answer_ms: from the beginning of work to its answer.

    >>> shortest_wait([100, 200, 200, 300], answer_ms=50)
    10.0
    >>> shortest_wait([100] * 9 + [900] * 3, answer_ms=150)
    100.0
    """
    ordered = sorted(gaps_ms)

    def longer_than(milliseconds: float) -> int:
        return len(ordered) - bisect_right(ordered, milliseconds)

    wait = MIN_WAIT_MS
    while wait < MAX_WAIT_MS:
        begun = longer_than(wait)
        if begun and longer_than(wait + answer_ms) >= _IN_TIME * begun:
            return wait
        wait += _STEP_MS
    return MAX_WAIT_MS


class AdaptiveDebounce:
    """The last pauses of one typist, and how long the engine took for the last answers."""

    def __init__(self) -> None:
        self._gaps_ms: deque[float] = deque(maxlen=_MAX_KEYS)
        self._answers_ms: deque[float] = deque(maxlen=_MAX_ANSWERS)
        self._last_key: float | None = None

    def key(self, now: float) -> None:
        """Notes that the text was changed, at a time in seconds of any one clock."""
        if self._last_key is not None:
            self._gaps_ms.append(min((now - self._last_key) * 1e3, _MAX_GAP_MS))
        self._last_key = now

    def answered(self, milliseconds: float) -> None:
        """Notes that the engine answered a request that it began so long ago."""
        self._answers_ms.append(milliseconds)

    def gave_up(self, milliseconds: float) -> None:
        """Notes that a request was stopped after so long: it would have taken longer.

        Without these an engine that is always overtaken would seem quick.
        """
        if self.answer_ms is None or milliseconds > self.answer_ms:
            self._answers_ms.append(milliseconds)

    @property
    def gap_ms(self) -> float | None:
        """Median pause between two keys; None while too few are known."""
        return statistics.median(self._gaps_ms) if len(self._gaps_ms) >= _MIN_KEYS else None

    @property
    def answer_ms(self) -> float | None:
        """Median time of an answer; None while too few are known."""
        enough = len(self._answers_ms) >= _MIN_ANSWERS
        return statistics.median(self._answers_ms) if enough else None

    def wait_ms(self) -> float:
        """Returns how long to wait after the key that has just come."""
        if self.gap_ms is None or self.answer_ms is None:
            return FIRST_WAIT_MS
        return shortest_wait(self._gaps_ms, self.answer_ms)

    def figures(self) -> DebounceFigures:
        """Returns the wait after the key that has just come, and what it follows from."""
        gap_ms, answer_ms = self.gap_ms, self.answer_ms
        if gap_ms is None or answer_ms is None:
            return DebounceFigures(self.wait_ms())
        return DebounceFigures(self.wait_ms(), round(gap_ms), round(answer_ms))
