"""Syntax trees for serving: of every language with a grammar, and never an error."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.syntax import tree_sitter
from model_runtime.syntax.languages import UNKNOWN, language, language_ids
from model_runtime.syntax.tree_sitter import encoded, grammar_of, tree_of

SOURCES = {
    "python": "def f(a):\n    return a\n",
    "javascript": "const f = (a) => a;\n",
    "javascriptreact": "const f = <b>{a}</b>;\n",
    "typescript": "const f = (a: number): number => a;\n",
    "typescriptreact": "const f = <b>{a as number}</b>;\n",
    "c": "int f(int a) { return a; }\n",
    "cpp": "int A::f(int a) { return a; }\n",
    "csharp": "class A { int F(int a) => a; }\n",
    "java": "class A { int f(int a) { return a; } }\n",
    "go": "package a\n\nfunc f(a int) int { return a }\n",
    "rust": "fn f<'a>(a: &'a str) -> &'a str { a }\n",
    "php": "<?php\nfunction f($a) { return $a; }\n",
    "ruby": "def f(a)\n  a\nend\n",
    "shellscript": 'f() {\n  echo "$1"\n}\n',
    "sql": "SELECT a FROM b WHERE c = 1;\n",
}
WITH_GRAMMAR = [id_ for id_ in language_ids() if language(id_).grammar]


@pytest.mark.parametrize("id_", WITH_GRAMMAR)
def test_a_sound_text_parses_and_a_broken_one_is_marked(id_):
    sound, broken = (tree_of(text, language(id_)) for text in (SOURCES[id_], SOURCES[id_] + "(]"))

    assert not sound.has_error
    assert broken.has_error


@pytest.mark.parametrize("known", [UNKNOWN, language("yaml"), language("markdown")])
def test_a_language_without_a_grammar_has_no_tree(known):
    assert tree_of("a = (1", known) is None


def test_a_grammar_that_is_not_installed_is_none_in_serving(monkeypatch):
    monkeypatch.setitem(sys.modules, "tree_sitter_ruby", None)
    tree_sitter.load.cache_clear()
    grammar_of.cache_clear()

    assert tree_of("def f\nend\n", language("ruby")) is None

    tree_sitter.load.cache_clear()
    grammar_of.cache_clear()


@given(st.text(st.characters(), max_size=200), st.sampled_from(WITH_GRAMMAR))
def test_any_text_has_a_tree_over_all_of_it(text, id_):
    root = tree_of(text, language(id_))

    assert 0 <= root.start_byte <= root.end_byte <= len(encoded(text))
