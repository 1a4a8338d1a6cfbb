"""The filters, as data: good texts stay, bad ones are cut or dropped."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fim_lsp.completion import filters
from fim_lsp.completion.filters import RULES, clean, fit_closers
from model_runtime.prompt.encoder import Hole


class Case(NamedTuple):
    name: str
    prefix: str
    suffix: str
    written: str
    shown: str
    replaced: int = 0


CASES = [
    Case("a good line stays", "x = ", "\n", "a + b", "a + b"),
    Case("a good block stays", "def f(a):", "\n", "\n    return a", "\n    return a"),
    Case("white space alone is nothing", "x = ", "\n", "  \n    \n", ""),
    Case("a trailing line end is cut", "x = ", "\n", "a\n", "a"),
    Case("the space before the next word stays", "return ", "value\n", "my ", "my "),
    Case("broken characters are cut", "x = ", "\n", "caf\ufffd()", "caf"),
    Case("a block three times is one", "", "\n", "a()\nb()\na()\nb()\na()\nb()\n", "a()\nb()"),
    Case("a line twice may be meant", "", "\n", "a()\na()", "a()\na()"),
    Case("a fragment over and over is dropped", "x = ", "\n", "foofoofoofoofoofoofoo", ""),
    Case("a stutter costs its line only", "", "\n", "x = 1\ny = self.ptr.ptr.ptr.ptr.ptr.add", "x = 1"),
    Case("spaces of an aligned table stay", "", "\n", "a          = 1", "a          = 1"),
    Case("indentation is not written twice", "def f():\n    ", "\n", "    return 1", "return 1"),
    Case("behind text a space is a space", "return", "\n", " 1", " 1"),
    Case("a rule of dashes is not", "# ", "\n", "-" * 30, "-" * 30),
    Case("the lines below are not repeated", "a = 1\n", "\nc = 3\nd = 4\n", "b = 2\nc = 3\nd = 4", "b = 2"),
    Case("the next line again is nothing", "    ", "\n    return a\n", "return a", ""),
    Case("what stands behind the cursor is not repeated", "f(", ", second)\n", "first, second)", "first"),
    Case("a single common letter is kept", "x", "end\n", " = code", " = code"),
    Case("an auto-closed bracket is replaced", "def add(", ")", "a, b):\n    return a + b",
         "a, b):\n    return a + b", 1),
    Case("an auto-closed bracket that is not written stays", "print(", ")\n", "value", "value"),
    Case("a space before the closer goes with it", "f(", " )\n", "a) + 1", "a) + 1", 2),
    Case("nested brackets match", "f(", ")\n", "g(a), h(b))", "g(a), h(b))", 1),
    Case("two closers are replaced in order", "f(g(", "))\n", "a)) + 1", "a)) + 1", 2),
    Case("a quote is replaced", 'x = "', '"\n', 'name"', 'name"', 1),
    Case("a bracket in a string matches nothing", "f(", ")\n", '")", a', '")", a'),
    Case("a colon behind the bracket goes with it", "def f(", "):\n", "a):\n    return a",
         "a):\n    return a", 2),
    Case("lines cannot stand in front of a closer that stays", "f(", ")\n", "a,\n  b", "a,"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_shown(case):
    cleaned = clean(case.written, Hole(case.prefix, case.suffix))

    assert (case.shown, case.replaced) == (cleaned.text, cleaned.replaced)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_changed_text_names_the_rules_that_changed_it(case):
    cleaned = clean(case.written, Hole(case.prefix, case.suffix))

    assert (cleaned.text != case.written) is bool(cleaned.changed_by)
    assert all(hasattr(filters, name) for name in cleaned.changed_by)


def test_of_a_text_that_the_limit_ended_the_last_line_goes():
    assert "a()" == clean("a()\nb(", Hole("", "\n"), is_cut_off=True).text
    assert "a(b" == clean("a(b", Hole("", "\n"), is_cut_off=True).text


def test_a_line_that_the_model_wrote_from_its_start_keeps_its_own_indentation():
    hole = Hole("def f():\n  ", "\n")

    assert "return 1" == clean("  return 1", hole).text
    assert "  return 1" == clean("  return 1", hole, is_of_whole_line=True).text


parts = st.text("ab()[]{}:,\"' \n\t;>é", max_size=40)


@given(parts, parts, parts)
def test_no_rule_makes_a_text_longer(written, prefix, suffix):
    for rule in RULES:
        assert len(rule(written, Hole(prefix, suffix))) <= len(written)


@given(parts, parts, parts)
def test_only_repeated_closers_on_the_cursors_line_are_replaced(written, prefix, suffix):
    text, replaced = fit_closers(written, Hole(prefix, suffix))

    assert "\n" not in suffix[:replaced]
    assert all(character in text for character in suffix[:replaced].replace(" ", ""))


@given(parts, parts, parts)
def test_cleaning_twice_changes_nothing_more(written, prefix, suffix):
    once = clean(written, Hole(prefix, suffix)).text

    assert len(clean(once, Hole(prefix, suffix)).text) <= len(once)
