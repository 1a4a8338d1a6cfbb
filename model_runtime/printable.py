"""Makes text of others fit for a terminal: nothing that moves the cursor or turns letters."""

from __future__ import annotations

import re

_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls but tab and newline; ESC begins commands
    "\u200e\u200f\u202a-\u202e\u2066-\u2069"  # the direction of writing
    "\ud800-\udfff]"  # halves of characters
)


def printable(text: str) -> str:
    r"""Returns the text with U+FFFD in place of each unsafe character.

    >>> printable("a\x1b[31mb")
    'a\ufffd[31mb'
    """
    return _UNSAFE.sub("\ufffd", text)
