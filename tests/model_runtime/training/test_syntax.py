"""Nodes of syntax trees, in characters, of many languages and of what does not parse."""

import random
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.syntax.tree_sitter import load
from model_runtime.training.grammars import LANGUAGES as WITH_HOLES
from model_runtime.training.grammars import GrammarMissing, grammar
from model_runtime.training.syntax import KINDS, MAX_NODE_CHARACTERS, Syntax
from tests.model_runtime.training.conftest import python_text


@pytest.mark.parametrize(
    ("source", "kind", "expected"),
    [
        ("x = f(a, b=[1])\n", "arguments", ["a, b=[1]"]),
        ("\u00fc = f(\u00e4, 'x')\n", "arguments", ["\u00e4, 'x'"]),
        ("x = f( )\n", "arguments", []),
        ("x = 1\n\x0cy = a + b\n", "expression", ["a + b"]),
        ('def f():\n    """Doc."""\n    return 1\n', "body", ["return 1"]),
        ('def f():\n    """Doc."""\n    # Why.\n    return 1\n', "body", ["return 1"]),
        ('def f():\n    """Nothing but a docstring."""\n', "body", []),
        ("@once\ndef f():\n    pass\n", "body", ["pass"]),
        ("if a:\n    b()\n", "statement", ["if a:\n    b()", "b()"]),
    ],
)
def test_spans_are_characters(source: str, kind: str, expected: list[str]):
    assert expected == [source[slice(*span)] for span in Syntax(source).spans[kind]]


def test_what_does_not_parse_has_the_nodes_of_its_sound_parts():
    source = "def sound(a):\n    return a + 1\n\ndef broken(:\n    x = (1,\n"
    syntax = Syntax(source)

    assert "return a + 1" in [source[slice(*span)] for span in syntax.spans["statement"]]
    assert ["return a + 1"] == [source[slice(*function.body)] for function in syntax.functions]


LANGUAGES = {
    "a.js": ("function f(a) {\n  return g(a, 1);\n}\n", "return g(a, 1);"),
    "a.jsx": ("function f(a) {\n  return <b>{g(a, 1)}</b>;\n}\n", "return <b>{g(a, 1)}</b>;"),
    "a.ts": ("function f(a: number): number {\n  return g(a, 1);\n}\n", "return g(a, 1);"),
    "a.tsx": (
        "function f(a: number) {\n  return <b>{g(a, 1)}</b>;\n}\n",
        "return <b>{g(a, 1)}</b>;",
    ),
    "a.c": ("int f(int a) {\n  return g(a, 1);\n}\n", "return g(a, 1);"),
    "a.cpp": ("int A::f(int a) {\n  return g(a, 1);\n}\n", "return g(a, 1);"),
    "a.go": ("func f(a int) int {\n\treturn g(a, 1)\n}\n", "return g(a, 1)"),
    "a.rs": ("fn f(a: u8) -> u8 {\n    g(a, 1)\n}\n", "g(a, 1)"),
    "a.java": ("class A {\n  int f(int a) { return g(a, 1); }\n}\n", "return g(a, 1);"),
    "a.py": ("def f(a):\n    return g(a, 1)\n", "return g(a, 1)"),
}


@pytest.mark.parametrize("path", LANGUAGES)
def test_every_language_has_functions_and_arguments(path: str):
    source, body = LANGUAGES[path]
    syntax = Syntax(source, path)

    assert [body] == [source[slice(*span)] for span in syntax.spans["body"]]
    assert ["a, 1"] == [source[slice(*span)] for span in syntax.spans["arguments"]]
    assert syntax.spans["expression"]
    (function,) = syntax.functions
    assert (
        source[function.start :].lstrip().startswith(source[function.start : function.end].strip())
    )


def test_the_examples_above_cover_every_grammar():
    from model_runtime.syntax.languages import language_id

    assert {*WITH_HOLES} == {language_id(path) for path in LANGUAGES}


@pytest.mark.parametrize("path", ["notes.txt", "a.sql", "Makefile", ""])
def test_a_language_without_a_grammar_has_no_nodes(path: str):
    syntax = Syntax("select f(a) from b;\n", path)

    assert not any(syntax.spans.values()) and not syntax.functions
    assert syntax.draw(0, 20, random.Random(0)) is None


def test_a_grammar_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "tree_sitter_go", None)
    load.cache_clear()
    grammar.cache_clear()

    with pytest.raises(GrammarMissing, match=r"tree_sitter_go.*pip install 'fim-lsp\[train\]'"):
        grammar("go")


def test_a_function_begins_at_its_first_decorator():
    source = "import a\n\n@once\n@twice\ndef f():\n    '''Doc.'''\n    pass\n"
    (function,) = Syntax(source).functions

    assert len("import a\n\n") == function.start
    assert "pass" == source[slice(*function.body)]
    assert source.rstrip() == source[: function.end]


def test_functions_at_the_margin_with_a_docstring_weigh_most():
    source = "def a():\n    '''Doc.'''\n    pass\ndef b():\n    pass\nclass C:\n    def d(self):\n        pass\n"

    assert [10.0, 5.0, 1.0] == [function.weight for function in Syntax(source).functions]


@given(st.text(max_size=200), st.sampled_from(sorted(LANGUAGES)))
def test_any_text_has_spans_inside_itself(text: str, path: str):
    syntax = Syntax(text, path)
    for spans in syntax.spans.values():
        assert all(0 <= start < end <= len(text) for start, end in spans)
        assert spans == sorted(spans)


def test_drawn_nodes_lie_in_their_window_and_are_not_too_long():
    text = python_text(3, 40)
    syntax, rng = Syntax(text), random.Random(0)
    drawn = set()
    for _ in range(3000):
        start, end = sorted((rng.randrange(len(text)), rng.randrange(1, len(text) + 1)))
        if (span := syntax.draw(start, end, rng)) is not None:
            assert start <= span[0] < span[1] <= end
            assert span[1] - span[0] <= MAX_NODE_CHARACTERS
            drawn |= {kind for kind in KINDS if span in syntax.spans[kind]}

    assert set(KINDS) == drawn
