r"""A time limit for a generation: when it is over, what is whole is shown and the rest is dropped.

What is whole is, in this order: the lines that have ended; in the first line, the words.  Where not
even a word has ended, decoding goes on until one has.  Brackets that are still open do not count
against a line: a suggestion may end inside of them, as one that the model ends there may.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from model_runtime.decoding.confidence import end_of_word
from model_runtime.decoding.stop_rules import Cut

TIME_LIMIT = "time limit"
"""Name of the rule, in a `Cut` and in the decision trail."""


def last_boundary(text: str) -> int:
    r"""Returns the length of the best whole part of `text`; 0 for none.

    >>> [last_boundary(text) for text in ("    return x\n    y", "foo(bar, ba", "fo", "\n    x = ")]
    [12, 8, 0, 8]
    """
    line_end = text.rfind("\n")
    if line_end > 0 and text[:line_end].strip():
        return len(text[:line_end].rstrip())
    # The last word may go on, as if another letter stood behind it.
    whole = text[: end_of_word(f"{text}_", len(text))].rstrip()
    return len(whole) if whole.strip() else 0


class TimeLimit:
    """Ends a text at its last boundary when so many seconds have passed since it was made."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Begins to count; 0 seconds are no limit."""
        self._clock = clock
        self._end = clock() + seconds if seconds > 0 else None

    def cut(self, text: str) -> Cut | None:
        """Returns the place where `text` ends; None to go on."""
        if self._end is None or self._clock() < self._end:
            return None
        offset = last_boundary(text)
        return Cut(offset, TIME_LIMIT) if offset else None
