"""The ends of completions, as data: each case is a hole, what the model writes, and what is left of it."""

from typing import NamedTuple

import pytest

from model_runtime.decoding.stop_rules import (
    StopRules,
    indentation,
    is_closing_tail,
    rest_of_line,
    wants_single_line,
)
from model_runtime.prompt.encoder import Hole


class Case(NamedTuple):
    name: str
    prefix: str
    suffix: str
    written: str
    left: str
    rule: str


MULTI = [
    Case("a statement ends before its sibling",
         "def f(a):\n    x = ", "\n", "a + 1\n    y = 2\n", "a + 1", "dedent"),
    Case("a header takes its body along",
         "def f(a):", "\n", "\n    x = a\n    return x\nprint(f(1))\n",
         "\n    x = a\n    return x", "dedent"),
    Case("a block takes sibling statements",
         "def f(a):\n    ", "\n", "x = a\n    return x\n\ndef g():", "x = a\n    return x", "blank line"),
    Case("a block ends at the dedent below the cursor",
         "if a:\n    if b:\n        ", "\n", "c()\n        d()\n    else:\n", "c()\n        d()", "dedent"),
    Case("a cursor at the margin takes the indentation that the model writes",
         "def f(a):\n", "\n", "    x = a\n    return x\ny = 1\n", "    x = a\n    return x", "dedent"),
    Case("an open bracket carries a statement over its lines",
         "x = call(", "\n", "\n    a,\n    b,\n)\ny = 2\n", "\n    a,\n    b,\n)", "dedent"),
    Case("a bracket that the completion opens is closed first",
         "x = ", "\n", "[\n1,\n2,\n]\ny = 2\n", "[\n1,\n2,\n]", "dedent"),
    Case("a brace block runs to its closing brace",
         "if (a) ", "\n", "{\n    b();\n}\nc();\n", "{\n    b();\n}", "dedent"),
    Case("a bracket inside a string opens nothing",
         "x = ", "\n", "'('\ny = 2\n", "'('", "dedent"),
    Case("the line below the cursor is not written again",
         "def f(a):\n    ", "\n    return a\n", "a = a + 1\n    return a\n", "a = a + 1", "line below"),
    Case("the same line three times is a loop",
         "def f(a):\n    ", "\n", "a()\n    a()\n    a()\n    a()\n", "a()", "repetition"),
    Case("a blank line ends a block at depth 0",
         "", "\n", "import os\nimport sys\n\nx = 1\n", "import os\nimport sys", "blank line"),
    Case("a tab is as good as spaces",
         "if a:\n\t", "\n", "b()\n\tc()\nd()\n", "b()\n\tc()", "dedent"),
]  # fmt: skip

SINGLE = [
    Case("a single line ends at its end", "x = f(", ", b)\n", "a\nb", "a", "line"),
    Case("a line that the model begins with a line end is the next one",
         "def f():\n", "x\n", "\n    return 1\nmore", "\n    return 1", "line"),
]  # fmt: skip


@pytest.mark.parametrize("case", MULTI, ids=lambda case: case.name)
def test_several_lines_end_where_the_rules_say(case):
    cut = StopRules(Hole(case.prefix, case.suffix), single_line=False).cut(case.written)

    assert cut is not None, "no rule ended it"
    # A repetition is cut back by the filters; the stop rule only ends the decoding.
    if case.rule != "repetition":
        assert case.left == case.written[: cut.offset]
    assert case.rule == cut.rule


@pytest.mark.parametrize("case", SINGLE, ids=lambda case: case.name)
def test_a_single_line_ends_at_the_line_end(case):
    cut = StopRules(Hole(case.prefix, case.suffix), single_line=True).cut(case.written)

    assert case.left == case.written[: cut.offset]
    assert case.rule == cut.rule


@pytest.mark.parametrize("case", MULTI, ids=lambda case: case.name)
def test_a_rule_decides_the_same_at_every_length_once_it_has_decided(case):
    """Decoding stops at the first cut, so a later token could not have changed it."""
    rules = StopRules(Hole(case.prefix, case.suffix), single_line=False)
    cuts = [rules.cut(case.written[:length]) for length in range(len(case.written) + 1)]
    first = next(number for number, cut in enumerate(cuts) if cut is not None)

    assert {cuts[first]} == set(cuts[first:])


@pytest.mark.parametrize("written", ["a + 1", "a + 1\n", "a(\n", "a\n        .b()", "a\n    "])
def test_nothing_ends_while_the_statement_may_go_on(written):
    assert StopRules(Hole("def f(a):\n    x = ", "\n"), single_line=False).cut(written) is None


@pytest.mark.parametrize(
    ("suffix", "multiline", "single"),
    [
        ("\nmore", "auto", False),
        ("):\n", "auto", False),
        (")\n", "never", True),
        (" + b\n", "auto", True),
        (" + b\n", "always", False),
        ("", "auto", False),
        ("  \r\n", "auto", False),
    ],
)
def test_text_after_the_cursor_asks_for_a_single_line(suffix, multiline, single):
    assert single is wants_single_line(Hole("x = a", suffix), multiline)


@pytest.mark.parametrize(
    ("rest", "closing"),
    [
        ("", True),
        (")", True),
        ('")', True),
        ("}>", True),
        (");", True),
        (" b", False),
        ("x)", False),
    ],
)
def test_closers_are_what_editors_type_by_themselves(rest, closing):
    assert closing is is_closing_tail(rest)


def test_the_rest_of_the_line_has_no_carriage_return():
    assert ")" == rest_of_line(Hole("f(", ")\r\nx"))


@pytest.mark.parametrize(
    ("line", "width"), [("x", 0), ("    x", 4), ("\tx", 8), ("  \tx", 8), ("\t  x", 10), ("   ", 3)]
)
def test_indentation_counts_tabs_to_the_next_stop(line, width):
    assert width == indentation(line)
