"""Doubt ends a text: where, and what is left of it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.decoding.confidence import ConfidenceCutoff, line_probability


def cut(least, *tokens):
    """Returns what is left of the tokens (text, probability)."""
    text = "".join(piece for piece, _ in tokens)
    ends = [len("".join(piece for piece, _ in tokens[: n + 1])) for n in range(len(tokens))]
    found = ConfidenceCutoff(least).cut(text, ends, [math.log(p) for _, p in tokens])
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


tokens = st.lists(
    st.tuples(st.sampled_from(["a", " b", "\n", "(", "é"]), st.floats(0.01, 1)), max_size=12
)


@given(tokens, st.floats(0, 1), st.floats(0, 1))
def test_who_asks_for_more_certainty_sees_no_more(tokens, one, other):
    assert len(cut(max(one, other), *tokens)) <= len(cut(min(one, other), *tokens))


@given(tokens)
def test_without_a_threshold_nothing_is_cut(tokens):
    assert "".join(text for text, _ in tokens) == cut(0.0, *tokens)


@given(tokens, st.floats(0.05, 0.95))
def test_once_decided_more_text_changes_nothing(tokens, least):
    left = [cut(least, *tokens[:length]) for length in range(len(tokens) + 1)]
    whole = ["".join(text for text, _ in tokens[:length]) for length in range(len(tokens) + 1)]
    decided = [n for n in range(len(left)) if left[n] != whole[n]]

    assert not decided or len({left[n] for n in range(decided[0], len(left))}) == 1


def test_a_lines_probability_is_the_product_of_its_tokens():
    logprobs = [math.log(0.5), math.log(0.5), math.log(0.1)]

    assert 0.25 == pytest.approx(line_probability("a b\nc", [1, 3, 5], logprobs))
    assert 1.0 == line_probability("", [], [])
