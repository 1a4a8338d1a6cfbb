"""A whole block is wanted in some places, and ends somewhere; both as data."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.decoding.block import BLOCK, BlockRules, wants_block
from model_runtime.decoding.ending import ending_of
from model_runtime.decoding.stop_rules import Cut
from model_runtime.prompt.encoder import Hole
from model_runtime.syntax.languages import language, language_ids


@pytest.mark.parametrize(
    ("name", "prefix", "suffix"),
    [
        ("python", "def f(a):\n    ", "\n\nx = 1\n"),
        ("python", "def f(a):", "\n\nx = 1\n"),
        ("python", 'def f(a):\n    """Says it."""\n    ', "\n"),
        ("python", 'def f(a):\n    """Says it.\n\n    More of it.\n    """\n\n    ', "\n"),
        ("python", "def f(\n    a,\n    b,\n):\n    ", "\n"),
        ("python", "def f(a,\n      b):\n    ", "\n"),
        ("python", "class A:\n    # Says it.\n    ", "\n"),
        ("python", "for x in y:\n    if x:\n        ", "\n    z()\n"),
        ("typescript", "function f(): void {\n\t", "\n}\n"),
        ("java", "class A {\n  int f() {\n    ", "\n  }\n\n  int g() {\n"),
        ("java", "class A {\n  int f()\n      throws B {\n    ", "\n  }\n"),
        ("java", "class A {\n  int f() {\n    /* One\n     * two */\n    ", "\n  }\n"),
        ("rust", "fn f() {\n    ", "\n}\n"),
        ("cpp", "int f() {", "\n}\n"),
        ("go", "func f() {\n\tfor {\n\t\t", "\n\t}\n}\n"),
        ("ruby", "def f(a)\n  ", "\nend\n"),
        ("ruby", "x = y.gsub(/'/, '')\ndef f(a)\n  ", "\nend\n"),
        ("lua", "function f()\n  ", "\nend\n"),
    ],
)
def test_an_empty_block_is_wanted_whole(name, prefix, suffix):
    assert wants_block(Hole(prefix, suffix), language(name))
    assert ending_of(Hole(prefix, suffix), False, language(name), may_span_lines=False).is_block


@pytest.mark.parametrize(
    ("name", "prefix", "suffix"),
    [
        ("python", "def f(a):\n    ", "\n    return a\n"),
        ("python", "def f(a):\n    x = a\n    ", "\n"),
        ("python", "def f(a):\n    x", "\n"),
        ("python", "def f(a):\n    ", " + b\n"),
        ("python", "x = f(\n    ", "\n"),
        ("python", "x = [\n    ", "\n]\n"),
        ("python", 'def f():\n    """Says it.\n\n    ', "\n"),
        ("python", "import os\n", "\n"),
        ("python", "", ""),
        ("java", "int f() {\n  g();\n  ", "\n}\n"),
        ("markdown", "One:\n  ", "\n"),
    ],
)
def test_anywhere_else_no_block_is_wanted(name, prefix, suffix):
    assert not wants_block(Hole(prefix, suffix), language(name))


class Case(NamedTuple):
    name: str
    language: str
    prefix: str
    suffix: str
    written: str
    left: str
    rule: str = BLOCK


DEF = "def f(a):\n    "
METHOD = "class A {\n  int f() {\n    "

CASES = [
    Case("a blank line is no end of a block", "python", DEF, "\n",
         "x = a\n\n    y = x\nz()\n", "x = a\n\n    y = x"),
    Case("nor what stands below as well", "ruby", "def f(a)\n  ", "\nend\n",
         "if a\n    b\n  end\n  c\nend\n", "if a\n    b\n  end\n  c"),
    Case("nor the same brace further in", "rust", "fn f() {\n    ", "\n}\n",
         "if a {\n        b();\n    }\n    c()\n}\n", "if a {\n        b();\n    }\n    c()"),
    Case("nor a line of a string that is less indented", "python", DEF, "\n",
         'x = """\none\n"""\n    y = x\nz()\n', 'x = """\none\n"""\n    y = x'),
    Case("a line of the head's indentation ends it", "python", "if a:\n    ", "\nb()\n",
         "c()\n    d()\nb()\n", "c()\n    d()"),
    Case("so does its closing brace", "java", METHOD, "\n  }\n}\n",
         "g();\n\n    h();\n  }\n\n  int i() {\n", "g();\n\n    h();"),
    Case("also where marks mislead", "ruby", "def f(a)\n  ", "\nend\n",
         "a << ?(\nend\n\ndef g\n", "a << ?("),
    Case("nothing comes behind a return of the block", "python", DEF, "\n",
         "if a:\n        return 1\n    return 2\n    x = 3\n", "if a:\n        return 1\n    return 2"),
    Case("nor behind one in braces", "java", METHOD, "\n  }\n}\n",
         "int x = 1;\n    return x;\n\n    int y", "int x = 1;\n    return x;"),
    Case("nor behind what is thrown", "typescript", "function f() {\n\t", "\n}\n",
         "throw new Error(a);\n\tg();\n", "throw new Error(a);"),
    Case("a block behind its head has what is further in", "python", "def f(a):", "\n\nx = 1\n",
         "\n    x = a\n\n    y = x\nx = 1\n", "\n    x = a\n\n    y = x"),
    Case("a brace that was not opened ends it", "go", "func f() {\n\tif a {", "\n\t}\n}\n",
         "\n\t\tb()\n\t}\n\tc()\n", "\n\t\tb()"),
    Case("the same line three times is a loop", "python", DEF, "\n",
         "x()\n    y()\n    y()\n    y()\n", "x()\n    y()\n    y()", "repetition"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_block_ends_where_it_is_whole(case):
    rules = BlockRules(Hole(case.prefix, case.suffix), language(case.language))
    cut = rules.cut(case.written)

    assert cut is not None, "no rule ended it"
    assert case.left == case.written[: cut.offset].rstrip()
    assert case.rule == cut.rule or (case.rule == BLOCK and cut.rule == "closer")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_block_ends_at_the_same_place_at_every_length(case):
    """Decoding stops at the first cut, so a later token could not have changed it."""
    rules = BlockRules(Hole(case.prefix, case.suffix), language(case.language))
    cuts = [rules.cut(case.written[:length]) for length in range(len(case.written) + 1)]
    first = next(number for number, cut in enumerate(cuts) if cut is not None)

    assert {case.written[: cut.offset].rstrip() for cut in cuts[first:]} == {case.left}


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("python", "x = a"),
        ("python", "x = f(\na"),
        ("python", "return f("),
        ("python", "if a: return 1\n"),
        ("python", "if a:\n        return 1\n"),
        ("ruby", "return x if y\n"),
        ("rust", "return a\n"),
        ("typescript", "return a\n"),  # .b() may follow
    ],
)
def test_a_block_goes_on_while_it_may(name, written):
    opening = {"python": DEF, "ruby": "def f(a)\n  "}.get(name, "function f() {\n    ")
    below = {"python": "\n", "ruby": "\nend\n"}.get(name, "\n}\n")

    assert BlockRules(Hole(opening, below), language(name)).cut(written) is None


def test_who_wants_one_line_gets_no_block():
    ending = ending_of(Hole(DEF, "\n"), True, language("python"), may_span_lines=False)

    assert not ending.is_block
    assert Cut(5, "line") == ending.cut("x = a\n")


def test_a_brace_that_the_editor_has_closed_may_be_written_by_the_model():
    hole, rust = Hole("fn f() {", "\n"), language("rust")

    assert ending_of(hole, False, rust, may_span_lines=False).is_block
    assert not ending_of(hole, False, rust, may_span_lines=False, has_closers=True).is_block


code = st.text("ab()[]{}<>:,;=\"'`#/*-\\ \n\ud800\u05d0", max_size=40)


@given(code, code, code, st.sampled_from(language_ids()))
def test_no_text_makes_a_block_fail(prefix, suffix, text, name):
    wants_block(Hole(prefix, suffix), language(name))
    BlockRules(Hole(prefix, suffix), language(name)).cut(text)
