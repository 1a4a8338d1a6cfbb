"""Splits a text into chunks that can stand alone: whole definitions, or lines that belong together.

Indentation decides, so that any language will do, half-finished text included.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

IDENTIFIER = re.compile(r"[^\W\d]\w{2,}")
"""Shorter names say nothing of what a text is about."""

_MAX_LINES = 24
"""Lines of a definition; a longer one is split into what it holds."""
_LINES_TOGETHER = 12
_MAX_DEPTH = 8
"""Definitions in definitions; what is nested deeper is data, or out of order."""
_MAX_COLUMNS = 400
"""Characters of a line; a chunk with a longer one is data."""

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


class Chunk(NamedTuple):
    """Lines start to end of a text, counted from 0, the end not included."""

    start: int
    end: int
    text: str
    name: str
    """The name that it defines; empty for other lines."""
    identifiers: frozenset[str]


@lru_cache(maxsize=128)
def chunks(text: str) -> tuple[Chunk, ...]:
    """Returns the chunks of a text in its order; the last texts are cached."""
    lines = text.splitlines()
    return tuple(_chunks(lines, 0, len(lines), _MAX_DEPTH))


def _chunks(lines: Sequence[str], start: int, end: int, depth: int) -> Iterator[Chunk]:
    """Yields pieces at the least indentation; large ones are split, small ones joined."""
    together: tuple[int, int] | None = None
    for first, last in _pieces(lines, start, end):
        name = _name(lines, first, last)
        is_small = last - first <= _MAX_LINES
        if not name and is_small:
            if together and last - together[0] <= _LINES_TOGETHER:
                together = together[0], last
                continue
            if together:
                yield from _chunk(lines, *together, "")
            together = first, last
            continue
        if together:
            yield from _chunk(lines, *together, "")
            together = None
        if is_small:
            yield from _chunk(lines, first, last, name)
        elif first + 1 < last and depth:
            yield from _chunks(lines, first + 1, last, depth - 1)
    if together:
        yield from _chunk(lines, *together, "")


def _pieces(lines: Sequence[str], start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yields each line of the least indentation with all that belongs to it."""
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


def _chunk(lines: Sequence[str], start: int, end: int, name: str) -> Iterator[Chunk]:
    while end > start and not lines[end - 1].strip():
        end -= 1
    while start < end and not lines[start].strip():
        start += 1
    kept = lines[start:end]
    identifiers = frozenset(IDENTIFIER.findall("\n".join(kept)))
    if identifiers and max(map(len, kept)) <= _MAX_COLUMNS:
        yield Chunk(start, end, "\n".join(kept), name, identifiers)


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
    """Returns the columns before the first character, a tab taken as four."""
    return len(line[: len(line) - len(line.lstrip())].replace("\t", "    "))
