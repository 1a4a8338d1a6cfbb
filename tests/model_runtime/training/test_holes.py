"""Cuts: the three parts always join to the window again."""

import itertools
import random
import statistics
from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from model_runtime.training.holes import (
    CHARACTER_KINDS,
    MAX_RUN_CHARACTERS,
    Holes,
    character_span,
    line_span,
    token_span,
    typed_line_span,
)
from model_runtime.training.keyed_random import KeyedRandom
from model_runtime.training.recipe.model import SPANS
from model_runtime.training.syntax import Syntax
from model_runtime.training.windows import some, whole
from tests.model_runtime.training.conftest import python_text

TEXT = (
    python_text(1)
    + "\n# \u4f60\u597d \U0001f600 e\u0301\x0c\nclass Last:\n    x = '\u00fc', f(\u00e4, b=[1])\n"
)


def every_third(text: str) -> list[int]:
    """Borders of imagined tokens."""
    return [*range(0, len(text), 3), len(text)]


def holes(no_suffix_rate: float = 0.0, **weights: float) -> Holes:
    return Holes(
        {kind.replace("_", "-"): weight for kind, weight in weights.items()}
        or dict.fromkeys(SPANS, 1.0),
        no_suffix_rate,
        every_third,
    )


def test_the_parts_of_ten_thousand_cuts_join_to_their_window():
    syntax, rng, every = Syntax(TEXT), random.Random(0), holes()
    kinds = set()
    for _ in range(10_000):
        start, end = sorted((rng.randrange(len(TEXT)), rng.randrange(1, len(TEXT) + 1)))
        cut = every.draw(TEXT, (start, end), syntax, rng)
        kinds.add(cut.kind)

        assert TEXT[start:end] == cut.prefix + cut.middle + cut.suffix
    assert set(SPANS) == kinds


@given(st.text(max_size=300), st.integers(), st.sampled_from(SPANS))
@example("\r0", 0, "line")
@example("\n \n", 0, "typed-line")
@example("f(\r\n  a)\rg(b)", 0, "syntax")
@example("def f(\x00):\n  '\ud800'", 0, "syntax")
def test_any_text_can_be_cut(text: str, seed: int, kind: str):
    cut = holes(**{kind: 1.0}).draw(text, (0, len(text)), Syntax(text), random.Random(seed))
    assert text == cut.prefix + cut.middle + cut.suffix


@given(st.text(max_size=300), st.integers())
def test_windows_that_cover_a_document_leave_nothing_out(text: str, seed: int):
    spans = list(whole(text, (3, 20), random.Random(seed)))

    assert text == "".join(text[start:end] for start, end in spans)


def test_drawn_windows_are_whole_lines_and_do_not_overlap():
    syntax = Syntax(TEXT)
    for seed in range(200):
        spans = sorted(some(TEXT, syntax, 4, (20, 100), 0.5, random.Random(seed)))
        for start, end in spans:
            assert start == 0 or TEXT[start - 1] == "\n"
            assert end == len(TEXT) or TEXT[end - 1] == "\n"
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))


def test_each_part_between_two_free_cuts_is_a_third_on_average():
    """The reference model's "thirds".  A part has the standard deviation n / sqrt(18)."""
    rng, text, count = KeyedRandom("thirds"), "x" * 300, 20_000
    spans = [character_span(text, rng) for _ in range(count)]
    parts = zip(*((a, b - a, 300 - b) for a, b in spans), strict=True)

    for lengths in parts:
        assert 100 == pytest.approx(statistics.mean(lengths), abs=4 * 300 / (18 * count) ** 0.5)


@pytest.mark.parametrize("n", [0, 1, 9, 99])
def test_two_free_cuts_meet_with_probability_one_in_n_plus_one(n: int):
    """n = 2048 gives 0.000488; smaller ones are seen more often."""
    rng, count, share = KeyedRandom("empty", n), 20_000, 1 / (n + 1)
    empty = sum(a == b for a, b in (character_span("x" * n, rng) for _ in range(count)))

    assert abs(empty - count * share) <= 4 * (count * share * (1 - share)) ** 0.5


def test_two_free_cuts_reach_both_ends():
    spans = Counter(character_span("ab", KeyedRandom("ends", i)) for i in range(900))

    assert {(0, 0), (1, 1), (2, 2), (0, 1), (1, 2), (0, 2)} == set(spans)
    # 9 pairs, of which each span with two different cuts is two
    assert all(spans[span] > 130 for span in ((0, 1), (1, 2), (0, 2)))


def test_token_holes_begin_and_end_at_borders():
    every, syntax = holes(token=1.0), Syntax("")
    for seed in range(300):
        cut = every.draw(TEXT, (5, 205), syntax, random.Random(seed))
        assert len(cut.prefix) % 3 == 0 or len(cut.prefix) == 200
        assert (len(cut.prefix) + len(cut.middle)) % 3 == 0 or cut.suffix == ""


def test_one_border_gives_an_empty_middle():
    assert (0, 0) == token_span([0], random.Random(0))


def test_short_runs_are_short_and_rests_of_lines_stay_in_their_line():
    rng = random.Random(0)
    for _ in range(2000):
        start, end = CHARACTER_KINDS["short-run"](TEXT, rng)
        assert end - start < MAX_RUN_CHARACTERS
        start, end = CHARACTER_KINDS["rest-of-line"](TEXT, rng)
        assert TEXT[start + 1 : end].count("\n") == 0
        assert end == len(TEXT) or TEXT[end] == "\n"


def test_half_of_the_line_holes_begin_with_their_indentation():
    rng = random.Random(0)
    middles = [text[slice(*line_span(text, rng))] for text in [TEXT] * 1000]
    whole_lines = [middle for middle in middles if middle.endswith("\n")]

    assert 400 <= len(whole_lines) <= 600
    assert any(middle.startswith("    ") for middle in whole_lines)
    assert all(
        middle and not middle.startswith((" ", "\t"))
        for middle in middles
        if middle not in whole_lines
    )


def test_typed_lines_begin_at_a_line_and_end_where_a_cursor_may_have_text_behind_it():
    rng, ends = random.Random(0), Counter[str]()
    for _ in range(4000):
        start, end = typed_line_span(TEXT, rng)
        first = TEXT.find("\n", start)
        assert start == 0 or TEXT[start - 1] == "\n"
        assert TEXT[start:end].strip()
        at_line_end = end == len(TEXT) or TEXT[end] == "\n"
        ends["line" if end == first else "within" if end < first else "behind"] += 1
        ends["whole lines"] += at_line_end
    assert ends["line"] > 2000
    assert ends["within"] > 400
    assert ends["behind"] > 800
    assert ends["whole lines"] > 2800


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        (
            "if a:\n    b\n    c\nd\n",
            {"if a:", "if a:\n    b", "if a:\n    b\n    c", "if a:\n    b\n    c\nd"},
        ),
        ("    a\n\n    b\nc\n", {"    a", "    a\n\n    b"}),
        ("a\n\n\n", {"a"}),
    ],
    ids=["deeper lines", "up to a line further left", "no empty lines at the end"],
)
def test_a_typed_line_that_takes_its_block_along_ends_with_it(text: str, blocks: set[str]):
    spans = [typed_line_span(text, KeyedRandom("block", i), (0, 1)) for i in range(300)]
    middles = {text[slice(*span)] for span in spans}

    assert blocks <= middles


def test_half_of_the_nodes_that_begin_a_line_take_their_indentation_along():
    text = "class A:\n" + "".join(f"    def f{i}(self):\n        return {i}\n" for i in range(40))
    syntax, every, rng = Syntax(text), holes(syntax=1.0), random.Random(0)
    cuts = [every.draw(text, (9, len(text)), syntax, rng) for _ in range(4000)]
    at_line_start = [cut for cut in cuts if not cut.prefix.rpartition("\n")[2].strip()]
    with_indentation = sum(cut.middle.startswith(" ") for cut in at_line_start)

    assert len(at_line_start) > 1000
    share = with_indentation / len(at_line_start)
    assert 0.5 == pytest.approx(share, abs=4 * 0.5 / len(at_line_start) ** 0.5)
    assert {"syntax"} == {cut.kind for cut in cuts}


def test_without_suffix_the_rest_of_the_window_is_dropped():
    cut = holes(1.0, line=1.0).draw(TEXT, (0, len(TEXT)), Syntax(TEXT), random.Random(0))

    assert cut.suffix == ""
    assert TEXT.startswith(cut.prefix + cut.middle)


def test_a_window_without_nodes_gets_a_line_hole():
    cut = holes(syntax=1.0).draw("a\nb\n", (0, 4), Syntax("a\nb\n", "a.txt"), random.Random(0))

    assert "line" == cut.kind
