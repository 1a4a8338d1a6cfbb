r"""Ends a text with the block that is wanted: the body of a function, class, loop or condition.

A block is wanted where the cursor stands behind the line that opens it, or on an empty line that
is indented more, and nothing below belongs to it.  There a blank line, or one that stands below as
well, is no end: the block goes on until a line is less indented, a bracket is closed that it has
not opened, or a statement leaves it, as `return` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from model_runtime.decoding.stop_rules import (
    Cut,
    depth_of,
    indentation,
    nearby,
    rest_of_line,
)
from model_runtime.prompt.encoder import Hole
from model_runtime.syntax.brackets import scan, scan_prefix
from model_runtime.syntax.cursor_scope import kind_at, leaves_block
from model_runtime.syntax.languages import UNKNOWN, Language

BLOCK = "block"
"""Name of the rule, in a `Cut` and in the decision trail."""

_DOCSTRING_MARKS = ('"""', "'''")


@lru_cache(maxsize=8)
def wants_block(hole: Hole, language: Language = UNKNOWN) -> bool:
    r"""Tells whether the cursor stands in an empty block, which only a docstring may begin.

    >>> wants_block(Hole("def f(a):\n    ", "\n\nx = 1\n"))
    True
    >>> wants_block(Hole("def f(a):\n    ", "\n    return a\n"))
    False
    """
    hole = nearby(hole)
    *above, line = hole.prefix.split("\n")
    width = least_indentation(hole)
    if language.is_prose or rest_of_line(hole).strip() or not width:
        return False
    state = scan_prefix(hole.prefix, language)
    # Marks mislead at times (an apostrophe in a pattern); a tree that parses does not.
    if not state.is_code and kind_at(hole.prefix, language) in (None, "comment", "string"):
        return False
    head = line if line.strip() else _head(above, width, language)
    if scan(head, language).open[-1:] in ("(", "["):
        return False
    # A head of several lines may be indented as its block is, or more.
    opens = (indentation(head) < width and head != line) or head.rstrip().endswith(("{", ":"))
    return bool(head) and opens and indentation(_below(hole)) < width


def least_indentation(hole: Hole) -> int:
    """Returns the width of the white space in front that each line of the block has, at least."""
    line = hole.prefix.rpartition("\n")[2]
    return indentation(line) + bool(line.strip())


def _below(hole: Hole) -> str:
    """Returns the first line below the cursor's that is not blank; empty for none."""
    return next((line for line in hole.suffix.split("\n")[1:] if line.strip()), "")


def _head(above: list[str], width: int, language: Language) -> str:
    """Returns the last line above that is code, less a docstring and comments of the block."""
    around = language.block_comment or ()
    marks = (*language.line_comments, *around, *(("*",) if around else ()))
    lines = [line for line in above if line.strip()]
    while lines and indentation(lines[-1]) >= width:
        line = lines[-1].strip()
        mark = line[-3:]
        if mark in _DOCSTRING_MARKS:
            is_whole = line.startswith(mark) and len(line) >= 2 * len(mark)
            lines.pop()
            while not is_whole and lines:
                is_whole = lines.pop().strip().startswith(mark)
        elif line.startswith(marks) or line.endswith(around[1:]):
            lines.pop()
        else:
            break
    return lines[-1] if lines else ""


@dataclass(frozen=True, slots=True)
class BlockRules:
    """Holds the rules for one block that is wanted.  `cut` is pure."""

    hole: Hole
    language: Language = UNKNOWN

    def __post_init__(self) -> None:
        object.__setattr__(self, "hole", nearby(self.hole))

    def cut(self, text: str) -> Cut | None:
        """Returns the place where the block ends; None to go on."""
        before = scan_prefix(self.hole.prefix, self.language)
        by_lines = self._cut_in_lines(text)
        surplus = scan(text, self.language, before).unmatched
        if surplus >= 0 and (by_lines is None or surplus < by_lines.offset):
            return Cut(surplus, "closer")
        return by_lines

    def _cut_in_lines(self, text: str) -> Cut | None:
        lines = text.split("\n")
        width = least = least_indentation(self.hole)
        if self.hole.prefix.rpartition("\n")[2].strip():
            width = indentation(next((line for line in lines[1:] if line.strip()), ""))
        depth, offset, end = 0, 0, 0  # `end` is that of the last line that says something
        for number, line in enumerate(lines):
            is_whole = number < len(lines) - 1
            if line.strip():
                own = width if number == 0 else indentation(line)
                if number and own < least and self._is_left(line, depth, text[:offset]):
                    return Cut(end, BLOCK)
                depth += depth_of(line, self.language)
                end = offset + len(line)
                is_statement = is_whole and own == width and depth <= 0
                if is_statement and self._leaves(text[:end]):
                    return Cut(end, BLOCK)
                if is_whole and number >= 2 and line == lines[number - 1] == lines[number - 2]:
                    return Cut(offset - 1, "repetition")
            offset += len(line) + 1
        return None

    def _is_left(self, line: str, depth: int, before: str) -> bool:
        """Tells whether a line that is less indented stands behind the block.

        Marks mislead at times, so brackets may seem open; the line below cannot be in the block.
        """
        return line == _below(self.hole) or (depth <= 0 and self._is_code_at(before))

    def _is_code_at(self, text: str) -> bool:
        return scan(text, self.language, scan_prefix(self.hole.prefix, self.language)).is_code

    def _leaves(self, text: str) -> bool:
        return leaves_block(self.hole.prefix, text, self.language)
