"""Turns positions of the protocol into offsets of Python, which no other code does.

An offset counts code points from the start of a text.  A position is a line and a character; a
character counts UTF-8 bytes, UTF-16 units or code points, whichever the client chose.  Lines end at
LF, CR LF and CR and nowhere else (LSP 3.18, "Text Documents"); `str.splitlines` also breaks at
form feed, U+2028 and others, and is wrong here.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Encoding = Literal["utf-8", "utf-16", "utf-32"]

LINE_END = re.compile(r"\r\n?|\n")

_CONTINUATION_BYTES = bytes(range(0x80, 0xC0))


class Position(NamedTuple):
    """A place as the protocol writes it; both numbers count from 0."""

    line: int
    character: int


def count_line_ends(text: str) -> int:
    """Returns how many lines of a text are ended; one more line follows the last end."""
    if "\r" not in text:
        return text.count("\n")
    return text.count("\n") + text.count("\r") - text.count("\r\n")


def offset_of(text: str, position: Position, encoding: Encoding) -> int:
    """Returns the offset at a position, clamped into the text.

    A line past the last gives the end of the text, a character past the end of its line the place
    before that line's end, a character inside a code point the place before it.
    """
    start = _start_of_line(text, position.line)
    if start is None:
        return len(text)
    line = text[start : end_of_line(text, start)]
    return start + index_in_line(line, position.character, encoding)


def start_of_line(text: str, offset: int) -> int:
    """Returns the beginning of the line that an offset lies in."""
    newline = text.rfind("\n", 0, offset) + 1
    return max(newline, text.rfind("\r", newline, offset) + 1)


def end_of_line(text: str, offset: int) -> int:
    """Returns the end of the line that an offset lies in, before its line end."""
    newline = text.find("\n", offset)
    end = len(text) if newline < 0 else newline
    carriage_return = text.find("\r", offset, end)
    return end if carriage_return < 0 else carriage_return


def index_in_line(line: str, character: int, encoding: Encoding) -> int:
    """Returns how many code points of a line, given without its end, lie before a character."""
    # A code point takes at least one unit, so nothing behind this can matter.
    head = line[:character]
    if encoding == "utf-32" or head.isascii():
        return len(head)
    units = num_units(head, encoding)
    if units <= character:
        return len(head)
    if encoding == "utf-8":
        data = head.encode("utf-8", "surrogatepass")
        begun = len(data[:character].translate(None, _CONTINUATION_BYTES))
        return begun - 1 if data[character] in _CONTINUATION_BYTES else begun
    data = head.encode("utf-16-le", "surrogatepass")
    cut = data[: 2 * character].decode("utf-16-le", "surrogatepass")
    is_inside = line[len(cut) - 1] > "\uffff" and cut[-1] <= "\uffff"
    return len(cut) - 1 if is_inside else len(cut)


def num_units(text: str, encoding: Encoding) -> int:
    """Returns the length of a text as the client counts it."""
    if encoding == "utf-32" or text.isascii():
        return len(text)
    if encoding == "utf-8":
        return len(text.encode("utf-8", "surrogatepass"))
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _start_of_line(text: str, line: int) -> int | None:
    """Returns the beginning of a line, or None when the text has fewer; one pass in C."""
    if "\r" not in text:
        parts = text.split("\n", line)
        return len(text) - len(parts[-1]) if len(parts) > line else None
    start = 0
    for _ in range(line):
        match = LINE_END.search(text, start)
        if match is None:
            return None
        start = match.end()
    return start
