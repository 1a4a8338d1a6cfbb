"""A document as the specification describes it, one unit at a time: slow, and plainly right."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import strategies as st

from fim_lsp.lsp.positions import Encoding, Position

ENCODINGS: tuple[Encoding, ...] = ("utf-8", "utf-16", "utf-32")

PIECES = [
    "\n",
    "\r\n",
    "\r",
    "\f",
    "\v",
    "\x1c",
    "\x85",
    "\u2028",
    "\u2029",
    "a",
    "bc",
    "\t",
    "é",
    "e\u0301",
]
PIECES += ["漢字", "😀", "👩‍👩‍👧", "\ud83d", "\ude00", "x = 1", "\x00"]

texts = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
positions = st.builds(Position, st.integers(0, 8), st.integers(0, 12))


class NaiveText:
    """A text as a list of units.  A unit is a byte, a UTF-16 unit or a code point."""

    def __init__(self, text: str, encoding: Encoding) -> None:
        self.encoding = encoding
        self.units = to_units(text, encoding)

    @property
    def text(self) -> str:
        if self.encoding == "utf-16":
            data = b"".join(unit.to_bytes(2, "little") for unit in self.units)
            return data.decode("utf-16-le", "surrogatepass")
        if self.encoding == "utf-8":
            return bytes(self.units).decode("utf-8", "surrogatepass")
        return "".join(map(chr, self.units))

    def lines(self) -> Iterator[tuple[int, int]]:
        """Start and end of each line's text, in units."""
        start = place = 0
        while place < len(self.units):
            unit = self.units[place]
            if unit in (10, 13):
                yield start, place
                is_pair = unit == 13 and self.units[place + 1 : place + 2] == [10]
                place = start = place + (2 if is_pair else 1)
            else:
                place += 1
        yield start, len(self.units)

    def place_of(self, position: Position) -> int:
        """Index into the units, clamped; in UTF-8 never inside a code point."""
        lines = list(self.lines())
        if position.line >= len(lines):
            return len(self.units)
        start, end = lines[position.line]
        place = min(start + position.character, end)
        if self.encoding == "utf-8":
            while place < end and 0x80 <= self.units[place] < 0xC0:
                place -= 1
        return place

    def replace(self, start: Position, end: Position, text: str) -> None:
        first, last = sorted((self.place_of(start), self.place_of(end)))
        self.units[first:last] = to_units(text, self.encoding)


def to_units(text: str, encoding: Encoding) -> list[int]:
    if encoding == "utf-16":
        data = text.encode("utf-16-le", "surrogatepass")
        return [int.from_bytes(data[at : at + 2], "little") for at in range(0, len(data), 2)]
    if encoding == "utf-8":
        return list(text.encode("utf-8", "surrogatepass"))
    return list(map(ord, text))
