from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fim_lsp.lsp import text_buffer
from fim_lsp.lsp.positions import Position
from fim_lsp.lsp.text_buffer import FrozenText, TextBuffer, without_surrogates
from tests.support.naive_text import ENCODINGS, NaiveText, positions, texts

edits = st.lists(st.tuples(positions, positions, texts), max_size=8)


@pytest.fixture(params=[1, 5, 32_768], ids=lambda size: f"pieces of {size}")
def piece_characters(request, monkeypatch):
    """Small pieces bring every seam between two of them into a short text."""
    monkeypatch.setattr(text_buffer, "_PIECE_CHARACTERS", request.param)


@pytest.mark.usefixtures("piece_characters")
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_any_sequence_of_edits_gives_what_the_naive_model_gives(encoding):
    @settings(max_examples=120)
    @given(texts, edits, positions)
    def check(text, edits, cursor):
        buffer, naive = TextBuffer(text, encoding), NaiveText(text, encoding)
        for start, end, new in edits:
            buffer.replace(start, end, new)
            naive.replace(start, end, new)
            assert buffer.text == naive.text
            assert buffer.num_lines == len(list(naive.lines()))
        fresh = TextBuffer(naive.text, encoding)
        assert buffer.offset_of(cursor) == fresh.offset_of(cursor)

    check()


@pytest.mark.parametrize("separator", ["\f", "\v", "\x1c", "\x1e", "\x85", "\u2028", "\u2029"])
def test_an_edit_below_a_character_that_python_takes_for_a_line_end_lands_right(separator):
    buffer = TextBuffer(f"a{separator}b\n# sep\nlast", "utf-16")
    buffer.replace(Position(2, 0), Position(2, 4), "NEW")
    assert buffer.text == f"a{separator}b\n# sep\nNEW"


@pytest.mark.parametrize("text", ["", "\n", "a\n", "a\r\nb\r", "漢😀\n"])
def test_an_empty_text_can_be_filled_and_emptied_again(text):
    buffer = TextBuffer("", "utf-16")
    buffer.replace(Position(0, 0), Position(0, 0), text)
    assert buffer.text == text
    buffer.replace(Position(0, 0), Position(99, 0), "")
    assert buffer.text == ""
    assert buffer.num_lines == 1


def test_an_editor_may_split_an_emoji_and_join_its_halves():
    """Units are kept, whatever they spell, as VS Code's strings do."""
    buffer = TextBuffer("😀", "utf-16")
    buffer.replace(Position(0, 1), Position(0, 1), "x")
    assert buffer.text == "\ud83dx\ude00"
    assert without_surrogates(buffer.text) == "\ufffdx\ufffd"
    buffer.replace(Position(0, 1), Position(0, 2), "")
    assert buffer.text == "😀"


def test_of_a_very_long_text_the_lines_around_the_cursor_are_given(monkeypatch):
    monkeypatch.setattr(text_buffer, "_PIECE_CHARACTERS", 100)
    monkeypatch.setattr(text_buffer, "_WHOLE_CHARACTERS", 5_000)
    monkeypatch.setattr(text_buffer, "_AROUND_CHARACTERS", 1_000)
    buffer = TextBuffer("".join(f"line {number}\n" for number in range(2_000)), "utf-8")
    text, offset = buffer.around(Position(1_000, 4))
    assert text[:offset].endswith("\nline")
    assert text[offset:].startswith(" 1000\n")
    assert text in buffer.text
    assert len(text) < 3_000
    assert text.startswith("line ")


def test_where_the_lines_around_the_cursor_begin_stays_the_same_while_one_types(monkeypatch):
    """A prompt whose left edge moved at each key would find nothing in any cache."""
    monkeypatch.setattr(text_buffer, "_PIECE_CHARACTERS", 500)
    monkeypatch.setattr(text_buffer, "_WHOLE_CHARACTERS", 5_000)
    monkeypatch.setattr(text_buffer, "_AROUND_CHARACTERS", 1_000)
    buffer = TextBuffer("".join(f"line {number}\n" for number in range(2_000)), "utf-8")
    starts = set()
    for column in range(60):
        buffer.replace(Position(1_000, column), Position(1_000, column), "x")
        starts.add(buffer.around(Position(1_000, column + 1))[0][:40])
    assert len(starts) == 1


@pytest.mark.parametrize("first", ["", "😀\r\n"], ids=["ascii", "wide"])
def test_a_key_in_ten_megabytes_copies_little(first):
    """A whole copy at each key would take milliseconds."""
    line = "x = compute(alpha, beta)  # comment\n"
    buffer = TextBuffer(first + line * (10_000_000 // len(line)), "utf-16")
    tracemalloc.start()
    for number in range(20):
        position = Position(buffer.num_lines * number // 20, 3)
        buffer.replace(position, position, "k")
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak_bytes < 20_000_000 / 4


def test_a_frozen_text_stays_as_it_was():
    buffer = TextBuffer("one\ntwo\n", "utf-16")
    frozen = FrozenText(buffer)
    buffer.replace(Position(1, 0), Position(1, 3), "three\nfour")

    assert ("one\ntwo\n", 6) == frozen.around(Position(1, 2))
    assert [0, 2, 2] == [frozen.line_of(Position(line, 0)) for line in (0, 2, 99)]


def test_a_frozen_text_has_no_lone_surrogates():
    assert ("a\ufffdb", 3) == FrozenText(TextBuffer("a\ud83db", "utf-16")).around(Position(0, 9))
