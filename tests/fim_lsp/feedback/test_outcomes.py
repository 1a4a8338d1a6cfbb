"""The outcome of a suggestion is read from the text that follows, the same in every editor."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fim_lsp.feedback.outcomes import Outcome, OutcomeTracker, ShownText, outcome_of
from fim_lsp.suggestion import Completion
from tests.fim_lsp.completion.test_provider import snapshot

BY = ("model", "0.5")


def suggestion(text: str, start: int = 4, identity: str = "1") -> Completion:
    return Completion(identity, text, start, start, -0.1)


@pytest.mark.parametrize(
    ("suggested", "later", "expected"),
    [
        ("a + b", "x = a + b|", Outcome.TYPED),
        ("a + b", "x = a + b\ny|", Outcome.TYPED),
        ("a + b\nreturn x", "x = a + b|", Outcome.TYPED),
        ("\n    y", "x = \n    y|", Outcome.TYPED),
        ("a + b", "x = |", None),
        ("a + b", "x = a +|", None),
        ("a + b", "x = c|", Outcome.REJECTED),
        ("a + b", "x = a - |", Outcome.REJECTED),
        ("a + b", "x = \n|", Outcome.REJECTED),
        ("a + b", "x |", None),
        ("a + b", "z = a + b|", None),
        ("a + b", "import os\nx = c|", None),
    ],
)
def test_the_first_line_is_judged_by_what_stands_in_its_place(suggested, later, expected):
    assert expected is outcome_of(ShownText(suggestion(suggested), "x = ", BY), snapshot(later))


def test_a_suggestion_counts_once_however_long_it_is_typed_through():
    tracker = OutcomeTracker()
    shown = suggestion("a + b")
    tracker.show(snapshot("x = |"), shown, BY)
    for text, rest in (("x = a|", " + b"), ("x = a +|", " b")):
        assert tracker.observe(snapshot(text)) is None
        tracker.show(snapshot(text), replace(shown, text=rest, start=len(text) - 1), BY)

    assert (Outcome.TYPED, BY) == tracker.observe(snapshot("x = a + b|"))
    assert tracker.observe(snapshot("x = a + bc|")) is None


def test_what_the_editor_reports_as_accepted_counts_once():
    tracker = OutcomeTracker()
    tracker.show(snapshot("x = |"), suggestion("a + b"), BY)

    assert (Outcome.ACCEPTED, BY) == tracker.accept("1")
    assert tracker.accept("1") is None
    assert tracker.observe(snapshot("x = a + b|")) is None
    assert tracker.accept("unknown") is None


@pytest.mark.parametrize("later", ["x |", "y = c|", "|x = "])
def test_of_one_that_is_out_of_sight_nothing_is_known_any_more(later):
    tracker = OutcomeTracker()
    tracker.show(snapshot("x = |"), suggestion("a + b"), BY)

    assert tracker.observe(snapshot(later)) is None
    assert tracker.observe(snapshot("x = c|")) is None


def test_documents_do_not_know_of_each_other():
    tracker = OutcomeTracker()
    tracker.show(snapshot("x = |", uri="file:///a"), suggestion("a + b"), BY)
    tracker.show(snapshot("x = |", uri="file:///b"), suggestion("c + d", identity="2"), BY)
    tracker.close("file:///b")

    assert tracker.observe(snapshot("x = e|", uri="file:///b")) is None
    assert (Outcome.REJECTED, BY) == tracker.observe(snapshot("x = e|", uri="file:///a"))


@given(st.text("ab\n ", min_size=1, max_size=6), st.text("ab\n ", max_size=6))
def test_whoever_types_what_was_suggested_never_rejects_it(suggested, more):
    shown = ShownText(suggestion(suggested), "x = ", BY)
    for length in range(len(suggested) + 1):
        assert outcome_of(shown, snapshot(f"x = {suggested[:length]}|")) is not Outcome.REJECTED
    assert Outcome.TYPED is outcome_of(shown, snapshot(f"x = {suggested}{more}|"))
