from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fim_lsp.lsp.positions import (
    Encoding,
    Position,
    count_line_ends,
    num_units,
    offset_of,
    start_of_line,
)
from tests.support.naive_text import ENCODINGS, NaiveText, positions, texts, to_units

CHARACTERS = {"ascii": "a", "accent": "é", "emoji": "😀", "combining": "e\u0301", "cjk": "漢"}
SEPARATORS = {"lf": "\n", "crlf": "\r\n", "cr": "\r"}
NOT_SEPARATORS = {"form feed": "\f", "line separator": "\u2028", "next line": "\x85"}


def position_of(text: str, offset: int, encoding: Encoding) -> Position:
    """The position at an offset; between CR and LF it is that before both."""
    if text[max(0, offset - 1) : offset + 1] == "\r\n":
        offset -= 1
    start = start_of_line(text, offset)
    return Position(count_line_ends(text[:start]), num_units(text[start:offset], encoding))


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("character", CHARACTERS.values(), ids=CHARACTERS)
@pytest.mark.parametrize("line_end", SEPARATORS.values(), ids=SEPARATORS)
@pytest.mark.parametrize("foreign", NOT_SEPARATORS.values(), ids=NOT_SEPARATORS)
def test_every_cursor_of_the_matrix_comes_back_as_it_went(encoding, character, line_end, foreign):
    """protocol.md section 6: encodings x characters x line ends x places."""
    text = f"x{character}{foreign}y{line_end}{character}b{line_end}"
    first = f"x{character}{foreign}y"
    places = {
        0: Position(0, 0),
        len(f"x{character}"): Position(0, num_units(f"x{character}", encoding)),
        len(first): Position(0, num_units(first, encoding)),
        len(first + line_end): Position(1, 0),
        len(first + line_end + character): Position(1, num_units(character, encoding)),
        len(text): Position(2, 0),
    }
    for offset, position in places.items():
        assert position_of(text, offset, encoding) == position
        assert offset_of(text, position, encoding) == offset


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    ("text", "position", "offset"),
    [
        ("", Position(0, 0), 0),
        ("", Position(7, 7), 0),
        ("ab\n", Position(1, 0), 3),
        ("ab\n", Position(1, 5), 3),
        ("ab\n", Position(9, 0), 3),
        ("ab", Position(0, 2**31 - 1), 2),
        ("ab\r\ncd", Position(0, 3), 2),
        ("ab\rcd", Position(0, 9), 2),
        ("\n\n", Position(1, 0), 1),
        ("\r\n", Position(0, 1), 0),
    ],
)
def test_a_position_outside_the_text_is_clamped_into_it(encoding, text, position, offset):
    assert offset_of(text, position, encoding) == offset


@pytest.mark.parametrize(
    ("encoding", "character", "offset"),
    [("utf-16", 2, 1), ("utf-8", 2, 1), ("utf-8", 3, 1), ("utf-8", 4, 1), ("utf-8", 5, 2)],
)
def test_a_position_inside_a_character_is_before_it(encoding, character, offset):
    assert offset_of("a😀b", Position(0, character), encoding) == offset


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_between_cr_and_lf_there_is_no_position(encoding):
    assert position_of("ab\r\n", 3, encoding) == Position(0, 2)


@given(texts, st.sampled_from(ENCODINGS), positions)
def test_offsets_agree_with_the_naive_model(text, encoding, position):
    naive = NaiveText(text, encoding)
    text = naive.text  # in UTF-16 two halves side by side are one character
    place = naive.place_of(position)
    offset = offset_of(text, position, encoding)
    units = len(to_units(text[:offset], encoding))
    is_inside_a_pair = encoding == "utf-16" and units == place - 1 and text[offset] > "\uffff"
    assert units == place or is_inside_a_pair


@given(texts, st.sampled_from(ENCODINGS), st.data())
def test_an_offset_survives_the_way_to_the_client_and_back(text, encoding, data):
    text = NaiveText(text, encoding).text
    offset = data.draw(st.integers(0, len(text)))
    if text[max(0, offset - 1) : offset + 1] != "\r\n":
        assert offset_of(text, position_of(text, offset, encoding), encoding) == offset


@given(texts)
def test_line_ends_are_counted_as_the_specification_counts_them(text):
    assert count_line_ends(text) == len(list(NaiveText(text, "utf-32").lines())) - 1
