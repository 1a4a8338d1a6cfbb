"""Ids agree with a text that is given, byte by byte."""

import pytest

from model_runtime.prompt.forced_text import ForcedText, TokenTexts

TEXTS = [b"", b"na", b"name", b"n", b"am", b"e", b"\xc3\xa9", b"\xc3", b"\xa9", b"\n", b"e(", b"na"]
TABLE = TokenTexts(TEXTS)


def forced(text: str) -> ForcedText:
    return ForcedText.of(TABLE, text, lambda rest: [TEXTS.index(rest.encode())])


@pytest.mark.parametrize(
    "text, finishing, continuing",
    [
        ("na", [1, 2, 11], [3]),
        ("nam", [2], [3]),  # "na" would leave "m", which no id begins with
        ("name", [2], [3]),
        ("é", [6], [7]),
        ("e", [5, 10], []),
        ("q", [], []),
    ],
)
def test_an_id_agrees_that_goes_on_with_the_text_or_ends_it(text, finishing, continuing):
    assert (finishing, continuing) == (
        sorted(forced(text).finishing()),
        sorted(forced(text).continuing()),
    )


@pytest.mark.parametrize(
    "text, ids, spelled, beyond",
    [("na", [1], True, False), ("nam", [2], True, True), ("name", [3, 4], False, False)],
)
def test_ids_take_their_text_off_what_is_left(text, ids, spelled, beyond):
    left = forced(text)
    for id_ in ids:
        left = left.after(id_)

    assert (spelled, beyond) == (left.is_spelled, left.is_beyond)


@pytest.mark.parametrize(
    "text, possible", [("name", True), ("namename(", True), ("names", False), ("x", False)]
)
def test_a_text_is_possible_if_some_ids_spell_it(text, possible):
    assert possible is forced(text).is_possible


def test_a_vocabulary_of_all_bytes_spells_everything():
    table = TokenTexts([bytes([byte]) for byte in range(256)])

    assert ForcedText.of(table, "日本 🙂\t", lambda text: []).is_possible


def test_the_end_of_a_split_character_is_no_guess():
    left = ForcedText.of(TABLE, "éname", lambda rest: [len(rest)]).after(7)

    assert [len("name")] == left.likely()
