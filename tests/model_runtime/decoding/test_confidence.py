"""Doubt ends a text: where, and what is left of it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.decoding.confidence import ConfidenceCutoff, line_probability


def cut(least, *tokens, sure=0.0):
    """Returns what is left of the tokens (text, probability); a text never gets too long to want
    more of it unless `sure` says so."""
    text = "".join(piece for piece, _ in tokens)
    ends = [len("".join(piece for piece, _ in tokens[: n + 1])) for n in range(len(tokens))]
    found = ConfidenceCutoff(least, sure).cut(text, ends, [math.log(p) for _, p in tokens])
    return text if found is None else text[: found.offset]


@pytest.mark.parametrize(
    ("tokens", "left"),
    [
        ([("return", 0.9), (" x", 0.9)], "return x"),
        ([("return", 0.9), (" x", 0.1)], "return"),
        ([("val", 0.9), ("ues", 0.1)], ""),
        ([("self", 0.9), (".", 0.9), ("na", 0.9), ("me", 0.1)], "self."),
        ([("a", 0.8), (" b", 0.8), (" c", 0.7), (" d", 0.9)], "a b"),
        ([("a", 0.6), ("\n", 0.9), ("b", 0.9), ("\nc", 0.4)], "a\nb"),
        ([("a", 0.6), ("\n  ", 0.9), ("b", 0.1)], "a"),
        ([("\n  ", 0.6), ("b", 0.6)], "\n  "),
        ([("x", 0.4)], ""),
        # Of a block, the first unsure line goes whole, with all that follows it.
        (
            [("a:", 0.9), ("\n  b", 0.9), (" = 1", 0.9), ("\n  c", 0.9), (" = 2", 0.2)],
            "a:\n  b = 1",
        ),
        ([("a:", 0.9), ("\n  b", 0.9), (" = 1", 0.5), ("\n  c", 0.9)], "a:"),
        ([("a:", 0.9), ("\n\n  b", 0.9), (" = 1", 0.2)], "a:\n"),
        # Each line is judged by itself: doubts do not add up over lines.
        ([("a", 0.6), ("\nb", 0.6), ("\nc", 0.6), ("\nd", 0.6)], "a\nb\nc\nd"),
        # The doubt whether a line ends here belongs to the line that would follow.
        ([("a", 0.9), ("\n", 0.4)], "a"),
    ],
)
def test_a_line_ends_where_it_becomes_less_probable_than_it_should(tokens, left):
    assert left == cut(0.5, *tokens)


@pytest.mark.parametrize(
    ("tokens", "left"),
    [
        # What is sure goes on until it is not.
        ([("self", 0.95), (".", 0.95), ("name", 0.95), (" =", 0.8)], "self.name"),
        ([("return", 0.99), (" x", 0.99), (" + y", 0.7)], "return x"),
        # First words that are likely enough are shown, and what hardly changes their probability.
        ([("self", 0.5), (".", 0.99), ("name", 0.95), (" =", 0.8)], "self.name"),
        ([("self", 0.5), (".", 0.99), ("na", 0.95), ("me", 0.8), (" = x", 0.9)], "self."),
        ([("self", 0.5), (".", 0.8)], "self"),
        # Fewer than three characters are no words yet, nor is half a word.
        ([("x", 0.5), (" =", 0.9), (" value", 0.9)], "x = value"),
        ([("va", 0.6), ("lue", 0.7), (".", 0.9), ("x", 0.7)], "value."),
        ([("va", 0.6), ("lue", 0.3), (".", 0.9)], ""),
        # A later line costs one key to delete, so it may be as likely wrong as right.
        ([("if x:", 0.99), ("\n  y()", 0.6), ("\n  z()", 0.4), ("\n", 0.9)], "if x:\n  y()"),
        ([("total", 0.3), ("\n", 0.9), ("return", 0.6)], "total\nreturn"),
        ([("total", 0.3), ("\n", 0.9), ("return", 0.5)], "total"),
    ],
)
def test_a_line_gets_no_longer_where_more_of_it_would_be_doubtful(tokens, left):
    assert left == cut(0.25, *tokens, sure=0.8)


def test_no_text_is_shown_that_is_less_probable_than_it_must_be():
    assert "" == cut(0.9, ("self", 0.85), (".", 0.99), ("x", 0.9), sure=0.8)
    assert "self." == cut(0.9, ("self", 0.99), (".", 0.99), ("x", 0.9), sure=0.8)


tokens = st.lists(
    st.tuples(st.sampled_from(["a", " b", "\n", "(", "é"]), st.floats(0.01, 1)), max_size=12
)


@given(tokens, st.floats(0, 1), st.floats(0, 1), st.sampled_from([0.0, 0.8, 1.0]))
def test_who_asks_for_more_certainty_sees_no_more(tokens, one, other, sure):
    more, less = max(one, other), min(one, other)

    assert len(cut(more, *tokens, sure=sure)) <= len(cut(less, *tokens, sure=sure))


@given(tokens)
def test_without_a_threshold_nothing_is_cut(tokens):
    assert "".join(text for text, _ in tokens) == cut(0.0, *tokens)


@given(tokens, st.floats(0.05, 0.95), st.sampled_from([0.0, 0.8, 1.0]))
def test_once_decided_more_text_changes_nothing(tokens, least, sure):
    left = [cut(least, *tokens[:length], sure=sure) for length in range(len(tokens) + 1)]
    whole = ["".join(text for text, _ in tokens[:length]) for length in range(len(tokens) + 1)]
    decided = [n for n in range(len(left)) if left[n] != whole[n]]

    assert not decided or len({left[n] for n in range(decided[0], len(left))}) == 1


def test_a_lines_probability_is_the_product_of_its_tokens():
    logprobs = [math.log(0.5), math.log(0.5), math.log(0.1)]

    assert 0.25 == pytest.approx(line_probability("a b\nc", [1, 3, 5], logprobs))
    assert 1.0 == line_probability("", [], [])
