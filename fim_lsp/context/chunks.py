"""A text in regions that can stand alone: whole definitions, or whole lines that stand together.

By indentation, so that any language will do, half-finished text included.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

IDENTIFIER = re.compile(r"[^\W\d]\w{2,}")
"""Shorter names say nothing of what a text is about."""

_MAX_LINES = 24
"""Of a definition; of a longer one only what lies in it, whole again."""
_LINES_TOGETHER = 12
_MAX_DEPTH = 8
"""Of definitions in definitions; what is deeper nested is data, or out of order."""
_MAX_COLUMNS = 400
"""A region with a longer line is data."""

_WORDS_BEFORE = (
    "export|default|declare|pub|public|private|protected|internal|static|async|abstract|final|open"
)
_DEFINITION = re.compile(
    rf"\s*(?:(?:{_WORDS_BEFORE})(?:\([^)]*\))?\s+)*"
    r"(?:def|class|function\*?|func(?:\s*\([^)]*\))?|fun|fn|struct|enum|interface|trait|type"
    r"|module|namespace|object|record|const|let|var)\s+([^\W\d]\w*)"
)
_C_FUNCTION = re.compile(r"[^\W\d][\w *&:<>,]*?[ *&]([^\W\d]\w*)\s*\([^;]*$")
_CLOSERS = (")", "]", "}", "end", "else", "elif", "except", "finally", "catch")
_ABOVE_DEFINITION = ("@", "#[", "///", "/**", "[", "template")


class Region(NamedTuple):
    """Lines start to end of a text, counted from 0, the end not included."""

    start: int
    end: int
    text: str
    name: str
    """What it defines; empty for other lines."""
    identifiers: frozenset[str]


@lru_cache(maxsize=128)
def regions(text: str) -> tuple[Region, ...]:
    """In the order of the text; known texts are not looked at again."""
    lines = text.splitlines()
    return tuple(_regions(lines, 0, len(lines), _MAX_DEPTH))


def _regions(lines: Sequence[str], start: int, end: int, depth: int) -> Iterator[Region]:
    """Pieces at the least indentation; larger ones are taken apart, small ones put together."""
    together: tuple[int, int] | None = None
    for first, last in _pieces(lines, start, end):
        name = _name(lines, first, last)
        is_small = last - first <= _MAX_LINES
        if not name and is_small:
            if together and last - together[0] <= _LINES_TOGETHER:
                together = together[0], last
                continue
            if together:
                yield from _region(lines, *together, "")
            together = first, last
            continue
        if together:
            yield from _region(lines, *together, "")
            together = None
        if is_small:
            yield from _region(lines, first, last, name)
        elif first + 1 < last and depth:
            yield from _regions(lines, first + 1, last, depth - 1)
    if together:
        yield from _region(lines, *together, "")


def _pieces(lines: Sequence[str], start: int, end: int) -> Iterator[tuple[int, int]]:
    """A line of the least indentation with all that belongs to it."""
    filled = [at for at in range(start, end) if lines[at].strip()]
    if not filled:
        return
    least = min(_depth(lines[at]) for at in filled)
    begun, belongs_to_next = filled[0], False
    for at in filled:
        bare = lines[at].lstrip()
        begins = _depth(lines[at]) == least and not bare.startswith((*_CLOSERS, "{"))
        if begins and at > begun and not belongs_to_next:
            yield begun, at
            begun = at
        if begins:
            belongs_to_next = bare.startswith(_ABOVE_DEFINITION)
    yield begun, end


def _region(lines: Sequence[str], start: int, end: int, name: str) -> Iterator[Region]:
    while end > start and not lines[end - 1].strip():
        end -= 1
    while start < end and not lines[start].strip():
        start += 1
    kept = lines[start:end]
    identifiers = frozenset(IDENTIFIER.findall("\n".join(kept)))
    if identifiers and max(map(len, kept)) <= _MAX_COLUMNS:
        yield Region(start, end, "\n".join(kept), name, identifiers)


def _name(lines: Sequence[str], start: int, end: int) -> str:
    for line in lines[start : min(end, start + 6)]:
        if len(line) > _MAX_COLUMNS:
            return ""
        if found := _DEFINITION.match(line) or _C_FUNCTION.match(line):
            return found[1]
        if not line.lstrip().startswith((*_ABOVE_DEFINITION, "*", " *")):
            return ""
    return ""


def _depth(line: str) -> int:
    """Columns before the first character, a tab taken as four."""
    return len(line[: len(line) - len(line.lstrip())].replace("\t", "    "))
