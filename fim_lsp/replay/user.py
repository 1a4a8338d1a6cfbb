r"""Models a user: which keys a text costs, when a suggestion is taken, what is mended then.

The user knows what they want to write.  They take a suggestion when its first line is what comes
next and it saves a key; of a longer one they then delete what is not wanted.  Nobody is so quick
that they would take half a line by a full accept, so one wrong character makes a first line wrong.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

_WORD = re.compile(r"\s*(?:\w+|[^\w\s]+)|\s+")
_INDENTATION = re.compile(r"(?<=\n)[ \t]+")


class Offer(NamedTuple):
    """A suggestion at the cursor."""

    text: str
    replaced: int = 0
    """Characters right of the cursor that are removed when it is taken."""


class Taken(NamedTuple):
    """The gain of a suggestion that is taken, and its cost."""

    inserted: str
    replaced: int
    right: int
    """Leading characters of `inserted` that were wanted here."""
    keys: int
    """Keys pressed to take it, and to mend it afterwards."""


def key_of(text: str) -> str:
    r"""Returns what the next key writes: a character; Enter writes the next line's indentation too.

    >>> key_of("\n    return x")
    '\n    '
    """
    if text[0] != "\n":
        return text[0]
    match = _INDENTATION.match(text, 1)
    return text[: match.end()] if match else "\n"


def num_keys(text: str) -> int:
    r"""Returns the keys that typing a text costs; editors indent new lines by themselves.

    >>> num_keys("a:\n        b")
    4
    """
    return len(_INDENTATION.sub("", text))


def first_line(text: str) -> str:
    r"""Returns the text up to the end of the first line that is not blank.

    >>> first_line("\n    return x\n    y")
    '\n    return x'
    """
    start = len(text) - len(text.lstrip("\n"))
    end = text.find("\n", start)
    return text if end < 0 else text[:end]


def is_right(offer: Offer, rest: str, after: str) -> bool:
    """Tells whether the first line is what comes next.

    Args:
        rest: what is still to be typed here.
        after: what stands behind the cursor already.
    """
    line = first_line(offer.text)
    wanted = rest + after
    if not wanted.startswith(line) or len(line) - len(rest) > offer.replaced:
        return False
    # With more lines to follow, the line must end here; else it is half of one.
    return len(line) == len(offer.text) or wanted[len(line) :][:1] in ("", "\n")


def take(offer: Offer, rest: str, after: str) -> Taken | None:
    """Takes the whole suggestion, if its first line is right and it saves a key."""
    if not is_right(offer, rest, after):
        return None
    right = len(os.path.commonprefix((offer.text, rest)))  # noqa: RUF071
    surplus = offer.text[right:]
    mending = 0
    # What it wrote again of what it replaced is no surplus: that is where it should be.
    if not (right == len(rest) and surplus == after[: offer.replaced]):
        # A line that should go costs a key; so does a character that must come back.
        mending = (len(surplus.split("\n")) if surplus else 0) + offer.replaced
    keys = 1 + mending
    if num_keys(rest[:right]) <= keys:
        return None
    return Taken(offer.text, offer.replaced, right, keys)


def take_words(offer: Offer, rest: str, after: str) -> Taken | None:
    """Takes the leading words that are right, one key each, if that saves keys."""
    taken, keys = "", 0
    for match in _WORD.finditer(offer.text):
        if not rest.startswith(taken + match[0]):
            break
        taken, keys = taken + match[0], keys + 1
    if num_keys(taken) <= keys:
        return None
    return Taken(taken, 0, len(taken), keys)
