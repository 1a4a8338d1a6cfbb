"""Syntax trees tell what a cursor is in, and where its statement ends; recorded cases as data."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.decoding.stop_rules import Cut, StopRules, wants_single_line
from model_runtime.prompt.encoder import Hole
from model_runtime.syntax.cursor_scope import kind_at, leaves_block, statement_ends
from model_runtime.syntax.languages import language, language_ids


@pytest.mark.parametrize(
    ("name", "prefix", "kind"),
    [
        ("python", "x = ", "statement"),
        ("python", "def f():\n    ", "block"),
        ("python", "f(a, ", "arguments"),
        ("python", "# Say ", "comment"),
        ("python", "x = 'abc ", None),
        ("javascript", "f(a, () => {\n  ", "block"),
        ("javascript", "const r = a.replace(/'/g, ", "arguments"),
        ("go", "func f() {\n\tx := ", "statement"),
        ("c", "int f() {\n  return ", None),  # no statement without its semicolon
        ("rust", "fn f() {\n    let c = 'a';\n    g(", "arguments"),
        ("java", "class A {\n  int f() {\n    g(", "arguments"),
        ("shellscript", "echo ${#a} ", "statement"),
        ("markdown", "a ", None),
    ],
)
def test_what_the_cursor_is_in(name, prefix, kind):
    assert kind == kind_at(prefix, language(name))


@pytest.mark.parametrize(
    ("name", "prefix", "text", "ends"),
    [
        ("python", "def f(a):\n    x = ", "a + 1", True),
        ("python", "import ", "os", True),
        ("python", "f(", "a)", True),
        ("python", "x = [a,\n  ", "b]", True),
        ("python", "x = ", "f(", False),
        ("python", "x = ", "a +", False),
        ("python", "x = ", "a \\", False),
        ("python", "if ", "a:", False),
        ("python", "@", "once", False),
        ("python", "    el", "se:", False),
        ("python", "else: ", "x = 1", False),
        ("c", "int f() {\n  return ", "1;", True),
        ("c", "int f() {\n  if (x) ", "return 1;", False),  # an else may follow
        ("c", "int f() {\n  for (i = ", "0;", False),
        ("javascript", "const f = () => ", "a;", True),
        ("javascript", "const f = ", "a", False),  # .b() may follow
        ("rust", "fn f() {\n    let x = ", "a();", True),
        ("yaml", "x = ", "1;", False),
    ],
)
def test_where_a_statement_ends(name, prefix, text, ends):
    assert ends is statement_ends(prefix, text, language(name))


@pytest.mark.parametrize(
    ("name", "prefix", "text", "leaves"),
    [
        ("python", "def f(a):\n    ", "x = a\n    return x", True),
        ("python", "for a in b:\n    ", "continue", True),
        ("python", "def f(a):\n    ", "raise", True),
        ("python", "def f(a):\n    ", "returned = a", False),
        ("python", "def f(a):\n    ", "return [", False),
        ("java", "class A {\n  int f() {\n    ", "return 1;", True),
        ("cpp", "int f() {\n  ", "throw a;", True),
        ("rust", "fn f() {\n    ", "return a;", True),
        ("rust", "fn f() {\n    ", "return a", False),  # .b() may follow
        ("ruby", "def f\n  ", "return x if y", False),
        ("lua", "function f()\n  ", "return x", False),
    ],
)
def test_which_statement_leaves_its_block(name, prefix, text, leaves):
    assert leaves is leaves_block(prefix, text, language(name))


@pytest.mark.parametrize(
    ("name", "prefix", "written", "left", "rule"),
    [
        ("python", "x = ", "a + 1\n", "a + 1", "statement"),
        ("java", "class A {\n  int f() {\n    return ", "a;\n", "a;", "statement"),
        ("python", 'def f():\n    """Say it.\n\n    ', 'Now."""\n', 'Now."""', "string"),
        ("javascript", "const a = `one\n", "two`;\n", "two`;", "string"),
        ("c", "/* One\n", " * two */\n", " * two */", "comment"),
        ("swift", "/* One\n", " * two */\n", " * two */", "comment"),
    ],
)
def test_decoding_ends_with_the_line_end(name, prefix, written, left, rule):
    rules = StopRules(Hole(prefix, "\n"), False, language(name))

    assert Cut(len(left), rule) == rules.cut(written)
    assert rules.cut(written[:-1]) is None


@pytest.mark.parametrize(
    ("name", "prefix", "written"),
    [
        ("python", "if a", ":\n"),
        ("python", "x = ", "f(\n"),
        ("javascript", "a", ".b()\n"),
        ("python", 'def f():\n    """', "Say it.\n"),
        ("lua", "x = ", "1\n"),
    ],
)
def test_decoding_goes_on_where_the_scope_does(name, prefix, written):
    assert StopRules(Hole(prefix, "\n"), False, language(name)).cut(written) is None


@pytest.mark.parametrize(
    ("name", "prefix", "multiline", "single"),
    [
        ("shellscript", "for x in $(seq $#); do\n  echo ${#x}\n  ", "auto", False),
        ("shellscript", 'echo $# "$x"; ', "auto", False),
        ("javascript", "const r = /'/; ", "auto", False),
        ("python", "# ", "auto", True),
        ("python", "x = '", "auto", True),
        ("python", "x = ", "never", True),
        ("python", "# ", "always", False),
    ],
)
def test_the_tree_knows_code_from_strings_where_marks_mislead(name, prefix, multiline, single):
    assert single is wants_single_line(Hole(prefix, "\n"), multiline, language(name))


code = st.text("ab()[]{}<>:,;=\"'`#/*-\\ \n\ud800\u05d0", max_size=40)


@given(code, code, st.sampled_from(language_ids()))
def test_no_text_makes_a_scope_fail(prefix, text, name):
    kind_at(prefix, language(name))
    statement_ends(prefix, text, language(name))
    leaves_block(prefix, text, language(name))
