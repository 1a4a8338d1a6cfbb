"""Cuts: the three parts always join to the window again."""

import itertools
import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from model_runtime.training.holes import character_span, draw_cut, line_span
from model_runtime.training.syntax import Syntax
from model_runtime.training.windows import some, whole

from .conftest import python_text

TEXT = (
    python_text(1)
    + "\n# \u4f60\u597d \U0001f600 e\u0301\x0c\nclass Last:\n    x = '\u00fc', f(\u00e4, b=[1])\n"
)
SPANS = {"line": 0.4, "character": 0.35, "syntax": 0.25}


def test_the_parts_of_ten_thousand_cuts_join_to_their_window():
    syntax, rng = Syntax(TEXT), random.Random(0)
    kinds = set()
    for _ in range(10_000):
        start, end = sorted((rng.randrange(len(TEXT)), rng.randrange(1, len(TEXT) + 1)))
        cut = draw_cut(TEXT, (start, end), syntax, SPANS, 0.0, rng)
        kinds.add(cut.kind)

        assert TEXT[start:end] == cut.prefix + cut.middle + cut.suffix
    assert set(SPANS) == kinds


@given(st.text(max_size=300), st.integers())
@example("\r0", 0)
@example("f(\r\n  a)\rg(b)", 0)
def test_any_text_can_be_cut(text: str, seed: int):
    rng = random.Random(seed)
    for span in (line_span(text, rng), character_span(text, rng)):
        assert 0 <= span[0] <= span[1] <= len(text)
    cut = draw_cut(text, (0, len(text)), Syntax(text), SPANS, 0.0, rng)
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


def test_without_suffix_the_rest_of_the_window_is_dropped():
    cut = draw_cut(TEXT, (0, len(TEXT)), Syntax(TEXT), {"line": 1.0}, 1.0, random.Random(0))

    assert cut.suffix == ""
    assert TEXT.startswith(cut.prefix + cut.middle)


@pytest.mark.parametrize(
    ("source", "kind", "expected"),
    [
        ("x = f(a, b=[1])\n", "arguments", ["a, b=[1]"]),
        ("\u00fc = f(\u00e4, 'x')\n", "arguments", ["\u00e4, 'x'"]),
        ("x = 1\n\x0cy = a + b\n", "expression", ["a + b"]),
        ('def f():\n    """Doc."""\n    return 1\n', "body", ["return 1"]),
        ("@once\ndef f():\n    pass\n", "statement", ["def f():\n    pass", "pass"]),
        ("def broken(:\n", "statement", []),
    ],
)
def test_syntax_spans_are_characters(source: str, kind: str, expected: list[str]):
    assert expected == [source[slice(*span)] for span in Syntax(source).spans[kind]]


def test_a_function_begins_at_its_first_decorator():
    (function,) = Syntax(
        "import a\n\n@once\n@twice\ndef f():\n    '''Doc.'''\n    pass\n"
    ).functions

    assert len("import a\n\n") == function.start
    assert len("import a\n\n@once\n@twice\ndef f():\n    '''Doc.'''\n    ") == function.body
