"""Holds the text of an open document, made for edits.

A key in a file of ten megabytes costs a tenth of a millisecond, not a copy of the file.
The text is kept in pieces of whole lines, so that an edit copies one or two of them and a line is
found by adding up their line counts.  Positions are those of the client (`fim_lsp.lsp.positions`).
"""

from __future__ import annotations

import re

from fim_lsp.lsp.positions import (
    Encoding,
    Position,
    count_line_ends,
    end_of_line,
    num_units,
    offset_of,
    start_of_line,
)

_PIECE_CHARACTERS = 32_768
_WHOLE_CHARACTERS = 1_000_000
"""Characters of a text that is completed as a whole; of a longer one a part is."""
_AROUND_CHARACTERS = 200_000
"""Characters on each side of the cursor in such a part; far more than a model reads."""

_SURROGATE = re.compile("[\ud800-\udfff]")


class TextBuffer:
    """A text that is edited by position.

    Invariants: there is at least one piece; each but the last ends with a line end; no piece begins
    with the LF of a CR LF.
    """

    def __init__(self, text: str, encoding: Encoding) -> None:
        self._encoding = encoding
        self._pieces = _split(_joined_surrogates(text) if encoding == "utf-16" else text)
        self._line_ends = [count_line_ends(piece) for piece in self._pieces]
        self._text: str | None = None

    def copy(self) -> TextBuffer:
        """Returns a buffer of the same text, in the time that a list of its pieces takes."""
        copy = TextBuffer("", self._encoding)
        copy._pieces, copy._line_ends = self._pieces.copy(), self._line_ends.copy()
        copy._text = self._text
        return copy

    @property
    def text(self) -> str:
        """The whole text; put together once after each change."""
        if self._text is None:
            self._text = "".join(self._pieces)
        return self._text

    @property
    def num_lines(self) -> int:
        """Number of lines, the empty one after a last line end included; at least 1."""
        return sum(self._line_ends) + 1

    def offset_of(self, position: Position) -> int:
        """Returns the code points before a position, which is clamped into the text."""
        piece, offset = self._locate(position)
        return sum(map(len, self._pieces[:piece])) + offset

    def around(self, position: Position) -> tuple[str, int]:
        """Returns the text, or the lines around a position if it is long, and the offset in it.

        The beginning of such a part stays while one types, for it is the beginning of a piece.
        """
        lengths = [len(piece) for piece in self._pieces]
        if sum(lengths) <= _WHOLE_CHARACTERS:
            return self.text, self.offset_of(position)
        piece, offset = self._locate(position)
        first, last = piece, piece + 1
        before = after = 0
        while first > 0 and before < _AROUND_CHARACTERS:
            first -= 1
            before += lengths[first]
        while last < len(lengths) and after < _AROUND_CHARACTERS:
            after += lengths[last]
            last += 1
        return "".join(self._pieces[first:last]), before + offset

    def replace(self, start: Position, end: Position, text: str) -> None:
        """Replaces what lies between two positions, whichever comes first, by `text`."""
        if end < start:
            start, end = end, start
        first, before = self._head(start)
        last, after = self._tail(end)
        merged = before + text + after
        last += 1
        while last < len(self._pieces) and not merged.endswith(("\n", "\r")):
            merged += self._pieces[last]
            last += 1
        if last < len(self._pieces) and merged[-1] == "\r" and self._pieces[last][0] == "\n":
            merged += self._pieces[last]
            last += 1
        if first > 0 and merged.startswith("\n") and self._pieces[first - 1].endswith("\r"):
            first -= 1
            merged = self._pieces[first] + merged
        if self._encoding == "utf-16":
            merged = _joined_surrogates(merged)
        pieces = _split(merged) if merged else []
        self._pieces[first:last] = pieces
        self._line_ends[first:last] = [count_line_ends(piece) for piece in pieces]
        if not self._pieces:
            self._pieces, self._line_ends = [""], [0]
        self._text = None

    def _locate(self, position: Position) -> tuple[int, int]:
        """Returns the piece that a position lies in, and the offset in it."""
        line = position.line
        last = len(self._pieces) - 1
        for piece, line_ends in enumerate(self._line_ends):
            if line < line_ends or piece == last:
                break
            line -= line_ends
        return piece, offset_of(
            self._pieces[piece], Position(line, position.character), self._encoding
        )

    def _head(self, position: Position) -> tuple[int, str]:
        """Returns the piece that a position lies in, and its text up to there."""
        piece, offset = self._locate(position)
        text = self._pieces[piece]
        halves = self._cut_character(text, offset, position.character)
        return piece, text[:offset] + halves[0]

    def _tail(self, position: Position) -> tuple[int, str]:
        """Returns the piece that a position lies in, and its text from there."""
        piece, offset = self._locate(position)
        text = self._pieces[piece]
        halves = self._cut_character(text, offset, position.character)
        return piece, halves[1] + text[offset + 1 :] if halves[1] else text[offset:]

    def _cut_character(self, text: str, offset: int, character: int) -> tuple[str, str]:
        """Returns the halves of the character at an offset, when the position falls between them.

        An editor in JavaScript may do that; it then holds two lone surrogates, and so must we.
        """
        if self._encoding != "utf-16" or text[offset : offset + 1] <= "\uffff":
            return "", ""
        start = start_of_line(text, offset)
        if num_units(text[start:offset], "utf-16") == character:
            return "", ""
        units = text[offset].encode("utf-16-le")
        high, low = (units[at : at + 2].decode("utf-16-le", "surrogatepass") for at in (0, 2))
        return high, low


class FrozenText:
    """The text of a document at one moment.  Any thread may read it; it is put together then."""

    def __init__(self, buffer: TextBuffer) -> None:
        """Takes the text as it is now; later edits of the buffer do not change it."""
        self._buffer = buffer.copy()
        self._shown = ("", "")

    def around(self, position: Position) -> tuple[str, int]:
        """Returns the text for a model, and the position's offset in it.

        See `TextBuffer.around`; U+FFFD stands in the place of each lone surrogate.
        """
        text, offset = self._buffer.around(position)
        if self._shown[0] is not text:
            self._shown = (text, without_surrogates(text))
        return self._shown[1], offset

    def line_of(self, position: Position) -> int:
        """Returns the line of a position, which is clamped into the text."""
        return min(position.line, self._buffer.num_lines - 1)


def without_surrogates(text: str) -> str:
    """Returns the text with U+FFFD for each lone surrogate, which no tokenizer can take."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", text)
    return text


def _joined_surrogates(text: str) -> str:
    """Returns the text with two halves of a character side by side made one, as in UTF-16."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return text


def _split(text: str) -> list[str]:
    """Returns pieces of whole lines, at least one."""
    pieces: list[str] = []
    start = 0
    while len(text) - start > 2 * _PIECE_CHARACTERS:
        end = _behind_next_line_end(text, start + _PIECE_CHARACTERS)
        pieces.append(text[start:end])
        start = end
    if start < len(text) or not pieces:
        pieces.append(text[start:])
    return pieces


def _behind_next_line_end(text: str, offset: int) -> int:
    end = end_of_line(text, offset)
    return end + 2 if text.startswith("\r\n", end) else end + 1
