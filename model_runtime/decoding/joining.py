r"""Ends a text where it begins to repeat what stands right of the cursor already.

Before the rest of a line a model knows where its answer should lead, but not every model stops
there: those that were tuned to chat write the missing part and then go on with the document.  Where
a text says the rest of the line, and ends the line behind it, the two fit together at that place,
however many lines lie between.
"""

from __future__ import annotations

from functools import lru_cache

from model_runtime.decoding.stop_rules import Cut, is_closing_tail, rest_of_line
from model_runtime.prompt.encoder import Hole

JOINED = "joined"
"""Name of the rule, in a `Cut` and in the decision trail."""

_MIN_REST = 4
"""Visible characters of a rest of a line that are not found elsewhere by chance; behind fewer, the
next line must be repeated, too."""


def cut_at_join(text: str, hole: Hole) -> Cut | None:
    r"""Returns the place from which on `text` repeats what follows the cursor; None for none.

    >>> cut_at_join("a):\n    return a\n", Hole("def f(", "turn a\n"))
    Cut(offset=10, rule='joined')
    """
    wanted = _wanted(hole.suffix)
    place = text.find(wanted) if wanted else -1
    return Cut(place, JOINED) if place >= 0 else None


@lru_cache(maxsize=8)
def _wanted(suffix: str) -> str:
    """Returns the text that must be repeated; empty where closers or nothing follow the cursor."""
    rest = rest_of_line(Hole("", suffix))
    if is_closing_tail(rest):
        return ""
    wanted = f"{rest}\n"
    if sum(not character.isspace() for character in rest) < _MIN_REST:
        below = suffix.replace("\r\n", "\n")[len(wanted) :]
        wanted += below[: len(below) - len(below.lstrip())]
        wanted += below.lstrip().partition("\n")[0]
    return wanted
