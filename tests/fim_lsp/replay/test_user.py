"""The model of a user, as data: what is taken, what it saves, what must be mended."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fim_lsp.replay.user import Offer, first_line, is_right, key_of, num_keys, take, take_words


class Case(NamedTuple):
    name: str
    text: str
    replaced: int
    rest: str
    after: str
    right: int | None
    """Characters that were wanted; None when it is not taken."""
    keys: int = 1


CASES = [
    Case("what comes next is taken", "return x", 0, "return x\n", "", 8),
    Case("half of what comes next is taken", "return ", 0, "return x\n", "", 7),
    Case("another name is not", "return y", 0, "return x\n", "", None),
    Case("a line that goes on too far is not", "return xy", 0, "return x\n", "", None),
    Case("one character is not worth a key", ")", 0, ")\n", "", None),
    Case("half a line with more below is wrong", "return\n    y", 0, "return x\n", "", None),
    Case("the first line decides, and the wrong one below costs a key",
         "a = 1\nb = 3", 0, "a = 1\nb = 2\n", "", 10, 2),
    Case("two wrong lines cost two keys",
         "value = 1\nq()\nr()", 0, "value = 1\n", "", 10, 3),
    Case("an empty first line is not what a user judges by",
         "\n    return x", 0, "\n    return x\n", "", 13),
    Case("a suggestion that is right to its end and beyond the text is cut",
         "done()", 0, "done", "", None),
    Case("a closer that is replaced by itself costs nothing", "a, b)", 1, "a, b", ")\n", 4),
    Case("a closer that was not replaced would stand there twice", "a, b)", 0, "a, b", ")\n", None),
    Case("a closer that goes must come back", "value", 1, "value", ")\n", 5, 2),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_a_user_takes(case):
    taken = take(Offer(case.text, case.replaced), case.rest, case.after)

    assert case.right == (taken.right if taken else None)
    assert taken is None or case.keys == taken.keys


@pytest.mark.parametrize(
    ("text", "rest", "inserted", "keys"),
    [
        ("return value", "return x", "return", 1),
        ("self.name = name", "self.name = None", "self.name =", 4),
        ("x", "x", None, 0),
        ("foo", "bar", None, 0),
    ],
)
def test_word_by_word_a_user_takes_what_is_right(text, rest, inserted, keys):
    taken = take_words(Offer(text), rest, "")

    assert (inserted, keys) == ((taken.inserted, taken.keys) if taken else (None, 0))


@pytest.mark.parametrize(
    ("text", "keys"), [("", 0), ("abc", 3), ("a:\n        b", 4), ("a\n\n\tb", 4), ("  a", 3)]
)
def test_indentation_comes_with_enter(text, keys):
    assert keys == num_keys(text)


texts = st.text("ab(): \n", min_size=1, max_size=30)


@given(texts)
def test_key_by_key_a_text_costs_its_keys(text):
    rest, keys = text, 0
    while rest:
        rest = rest[len(key_of(rest)) :]
        keys += 1

    assert num_keys(text) == keys


@given(texts, texts, st.text("):\n", max_size=4), st.integers(0, 2))
def test_whatever_is_taken_saves_a_key_and_begins_right(text, rest, after, replaced):
    offer = Offer(text, min(replaced, len(after.partition("\n")[0])))
    taken = take(offer, rest, after)

    if taken is not None:
        assert is_right(offer, rest, after)
        assert (rest + after).startswith(first_line(text))
        assert rest.startswith(text[: taken.right])
        assert taken.keys < num_keys(rest[: taken.right])
