"""A text is cut to what is whole of it, once the time is over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.decoding.time_limit import TIME_LIMIT, TimeLimit, last_boundary

CASES = {
    "nothing": ("", ""),
    "half a word": ("retu", ""),
    "a word and a half": ("return val", "return"),
    "a word and its end": ("return ", "return"),
    "inside of brackets": ("foo(bar, ba", "foo(bar,"),
    "a line": ("return x\n", "return x"),
    "a line and a half": ("return x\n    y = foo(", "return x"),
    "the line end of the line above": ("\n    return va", "\n    return"),
    "that and a line": ("\n    return x\n    y", "\n    return x"),
    "blank lines": ("\n\n    ", ""),
    "open brackets over lines": ("foo(\n    a,\n    b", "foo(\n    a,"),
}


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize(("text", "whole"), CASES.values(), ids=CASES)
def test_the_best_boundary_is_a_line_or_else_a_word(text, whole):
    assert whole == text[: last_boundary(text)]


@given(st.text(alphabet="ab_ (\n\t=.", max_size=30))
def test_a_boundary_cuts_no_word(text):
    end = last_boundary(text)

    assert 0 <= end <= len(text)
    assert not end or text[:end].strip()
    assert not (end and text[end - 1].isalnum() and text[end : end + 1].isalnum())


def test_before_its_time_it_cuts_nothing_and_then_at_the_boundary():
    clock = Clock()
    deadline = TimeLimit(0.5, clock)
    assert deadline.cut("return val") is None
    clock.now = 0.6

    assert (6, TIME_LIMIT) == deadline.cut("return val")


def test_it_waits_for_the_first_word():
    clock = Clock()
    deadline = TimeLimit(0.5, clock)
    clock.now = 9

    assert [None, None, (6, TIME_LIMIT)] == [
        deadline.cut(text) for text in ("re", "return", "return ")
    ]


def test_zero_is_no_limit():
    clock = Clock()
    deadline = TimeLimit(0, clock)
    clock.now = 1e9

    assert deadline.cut("a whole line\n") is None
