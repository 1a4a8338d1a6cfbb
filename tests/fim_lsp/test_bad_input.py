"""Input that no rule was made for: nothing is raised, and the work does not grow with the file."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fim_lsp.completion.filters import clean
from model_runtime.decoding.stop_rules import StopRules, nearby, wants_single_line
from model_runtime.prompt.encoder import Hole
from model_runtime.syntax.languages import UNKNOWN, language, language_ids

LANGUAGES = [*language_ids(), "never heard of"]
WRITTEN = "value = call(a, b)\n    if value:\n        return [value]\n\nprint(value)\n"

PLACES = {
    "a file of 200,000 lines": ("def f(a):\n    return a\n" * 100_000, "x = f(1)\n" * 100_000),
    "one line of 5 MB": ("f(a, [b]), " * 450_000, "g(c), " * 100_000),
    "5 MB of closers": (")" * 5_000_000, "]" * 5_000_000),
    "5 MB of openers": ("({[" * 1_600_000, "({[" * 1_600_000),
    "5 MB of quotes": ("\"'`" * 1_600_000, "'\"`" * 1_600_000),
    "5 MB of white space": (" \t" * 2_500_000, "\t " * 2_500_000),
    "5 MB of lines without text": ("\n" * 5_000_000, "\n" * 5_000_000),
    "5 MB without a line end or a mark": ("x" * 5_000_000, "x" * 5_000_000),
    "5 MB of half-finished syntax": ("if (x { for [ '\n" * 300_000, "} else else ) =>\n" * 300_000),
    "5 MB of line ends of all kinds": ("a\r\nb\rc\n\r" * 600_000, "\r\n\ra\n" * 600_000),
    "5 MB of NUL": ("\0" * 5_000_000, "\0" * 5_000_000),
    "5 MB of lone surrogates": ("\udc80\ud800" * 2_500_000, "\udfff" * 5_000_000),
    "5 MB from right to left": ("\u05d0 = \u0628(\u202e)\n" * 600_000, "\u05d0\u200f\n" * 600_000),
    "5 MB of comments": ("# // /* -- <!--\n" * 300_000, "*/ -->\n" * 300_000),
}


def steps(work) -> int:
    """Counts the lines of Python that run; C code within one of them is bounded by its arguments."""
    count = 0

    def trace(frame, event, argument):
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def show(hole: Hole, name: str, written: str = WRITTEN):
    known = language(name)
    rules = StopRules(hole, wants_single_line(hole, "auto", known), known)
    return rules.cut(written), clean(written, hole, known)


@pytest.mark.parametrize("place", PLACES)
def test_in_a_huge_file_the_rules_do_what_they_do_in_its_window(place):
    hole = Hole(*PLACES[place])
    window = nearby(hole)

    assert len(window.prefix) + len(window.suffix) <= 25_000
    for name in ("python", "javascript", "c", "markdown", "never heard of"):
        assert show(window, name) == show(hole, name)


@pytest.mark.parametrize("place", PLACES)
def test_the_work_in_a_huge_file_is_that_in_its_window(place):
    hole = Hole(*PLACES[place])
    window = nearby(hole)
    for name in ("python", "javascript"):
        show(window, name)  # fills the caches

        in_window = steps(lambda name=name: show(window, name))
        to_cut_the_window_out = 20

        assert steps(lambda name=name: show(hole, name)) <= in_window + to_cut_the_window_out


anything = st.text(st.characters(), max_size=60)
half_code = st.text("ab()[]{}<>:,;=\"'`#/*-\\ \t\r\n\0\ud800\u202e\u05d0", max_size=60)


@given(st.one_of(anything, half_code), half_code, half_code, st.sampled_from(LANGUAGES))
def test_no_text_and_no_place_makes_a_rule_fail(written, prefix, suffix, name):
    cut, cleaned = show(Hole(prefix, suffix), name, written)

    assert cut is None or 0 <= cut.offset <= len(written)
    assert 0 <= cleaned.replaced <= len(suffix)


@given(half_code, half_code, half_code)
def test_what_lies_far_away_changes_nothing(written, before, behind):
    window = Hole("x = 1\n" * 4000, "\ny = 2" * 1000)
    far = Hole(before + window.prefix[-20_000:], window.suffix[:5000] + behind)

    assert show(nearby(window), "python", written) == show(far, "python", written)


@given(st.lists(half_code, max_size=6), st.sampled_from(["\r\n", "\r", "\n", "\n\r"]))
def test_mixed_line_ends_and_indentations_change_only_white_space(lines, end):
    written = "\n".join(lines)
    hole = Hole(f"if a:{end}\tb(){end}    c(){end}", f"{end}  d(){end}")
    cleaned = clean(written, hole, UNKNOWN).text

    assert "".join(written.split()).startswith("".join(cleaned.split()))
