"""Makes text of others, and numbers, fit for a terminal."""

from __future__ import annotations

import io
import re
import sys

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


def write_what_a_terminal_lacks() -> None:
    """Writes `?` for a character that standard output cannot show, in place of failing at it.

    Windows has a page of 256 characters there where the output is a file or a pipe.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def shown_bytes(size: int) -> str:
    """Returns a number of bytes as people read it.

    >>> [shown_bytes(size) for size in (0, 1_234_000, 638_211_617, 1_271_000_000)]
    ['0.0 MB', '1.2 MB', '638.2 MB', '1.27 GB']
    """
    return f"{size / 1e6:.1f} MB" if size < 1e9 else f"{size / 1e9:.2f} GB"
