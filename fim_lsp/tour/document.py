r"""Holds a text with a cursor and the suggestion at it, as an editor does.

Offsets and characters are code points; positions are those of LSP in utf-32.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NamedTuple

_WORD = re.compile(r"\s*(?:\w+|[^\w\s]+)|\s+")
_INDENT = "    "

Item = dict[str, Any]
"""An item of `textDocument/inlineCompletion`, as JSON."""


class Ghost(NamedTuple):
    """A suggestion as it is seen: what it adds behind the cursor."""

    text: str
    replaced: int
    """Characters right of the cursor that are removed when it is taken."""
    item: Item

    @property
    def word(self) -> str:
        """Returns the first word, with the blanks before it."""
        match = _WORD.match(self.text)
        return match[0] if match else self.text


class Edit(NamedTuple):
    """A replaced part of a document, for the server."""

    start: dict[str, int]
    end: dict[str, int]
    text: str


@dataclass
class Document:
    """Text before and after the cursor, and the suggestion that is shown there."""

    before: str
    after: str
    ghost: Ghost | None = None

    @property
    def text(self) -> str:
        """Returns the whole text."""
        return self.before + self.after

    @property
    def position(self) -> dict[str, int]:
        """Returns LSP's position of the cursor."""
        return _position(self.before)

    def insert(self, text: str, replaced: int = 0) -> Edit:
        """Writes a text at the cursor; a suggestion that begins with it stays, without it.

        Args:
            text: what is written.
            replaced: characters right of the cursor that it replaces.
        """
        edit = Edit(self.position, _position(self.before + self.after[:replaced]), text)
        ghost = self.ghost
        rest = ghost.text.removeprefix(text) if ghost is not None else ""
        is_typed_through = bool(rest) and ghost is not None and len(rest) < len(ghost.text)
        self.ghost = ghost._replace(text=rest) if ghost and is_typed_through else None
        self.before += text
        self.after = self.after[replaced:]
        return edit

    def delete(self, count: int = 1) -> Edit | None:
        """Removes characters left of the cursor; returns None at the beginning."""
        kept = self.before[: max(0, len(self.before) - count)]
        if kept == self.before:
            return None
        edit = Edit(_position(kept), self.position, "")
        self.before, self.ghost = kept, None
        return edit

    def move(self, offset: int) -> None:
        """Puts the cursor at an offset, or at the nearest that there is."""
        text = self.text
        offset = min(max(offset, 0), len(text))
        self.before, self.after, self.ghost = text[:offset], text[offset:], None

    def move_lines(self, count: int) -> None:
        """Puts the cursor some lines down, or up; the column stays where the line has it."""
        line, column = self.position["line"] + count, self.position["character"]
        lines = self.text.split("\n")
        if 0 <= line < len(lines):
            self.move(sum(len(one) + 1 for one in lines[:line]) + min(column, len(lines[line])))

    def offer(self, item: Item) -> None:
        """Shows a suggestion, if it begins at the cursor's line and adds to what stands there."""
        position, start, end = self.position, item["range"]["start"], item["range"]["end"]
        back = position["character"] - start["character"]
        typed = self.before[len(self.before) - back :] if back > 0 else ""
        text = item["insertText"]
        if start["line"] == position["line"] and back >= 0 and text.startswith(typed):
            replaced = end["character"] - position["character"]
            self.ghost = Ghost(text[back:], max(0, replaced), item) if text[back:] else None

    @property
    def line_break(self) -> str:
        r"""Returns what Enter writes: the next line begins where this one does, or deeper.

        >>> Document("    if x:", "").line_break
        '\n        '
        """
        line = self.before[self.before.rfind("\n") + 1 :]
        indentation = line[: len(line) - len(line.lstrip())]
        return f"\n{indentation}{_INDENT if line.rstrip().endswith(':') else ''}"


def _position(before: str) -> dict[str, int]:
    return {"line": before.count("\n"), "character": len(before) - before.rfind("\n") - 1}
