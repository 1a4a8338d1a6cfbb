"""Brackets, strings and comments, as data for several languages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.decoding.stop_rules import StopRules, wants_single_line
from model_runtime.prompt.encoder import Hole
from model_runtime.syntax.brackets import Scan, scan
from model_runtime.syntax.languages import language, language_ids


@pytest.mark.parametrize(
    ("name", "text", "state"),
    [
        ("python", "f(a, [1", Scan("([")),
        ("python", "f(')'", Scan("(")),
        ("python", 'x = """a\n(', Scan(quote='"""')),
        ("python", '"""a"""', Scan()),
        ("python", 'x = ""', Scan()),
        ("python", "x = 'it\ny = (", Scan("(")),
        ("python", r"x = 'it\'s (", Scan(quote="'")),
        ("python", "x # (", Scan(comment="line")),
        ("javascript", "x = `a\n${", Scan(quote="`")),
        ("javascript", "a /* ( */ + [", Scan("[")),
        ("javascript", "this.#x = (", Scan("(")),
        ("c", "#define F(", Scan("(")),
        ("c", "/* (\n", Scan(comment="block")),
        ("rust", "fn f<'a>(", Scan("(")),
        ("lua", "x = 1 -- (\ny[", Scan("[")),
        ("sql", "select ( -- it's", Scan("(", comment="line")),
        ("sql", "select /* ( */ f('it''s (', ", Scan("(")),
        ("sql", 'select "a(", [', Scan("[")),
        ("yaml", "a: [1 # (", Scan("[", comment="line")),
        ("yaml", "a: b#c [", Scan("[")),
        ("yaml", "#(\na: {", Scan("{")),
        ("toml", "a = [ # (", Scan("[", comment="line")),
        ("toml", 'x = """a\n(', Scan(quote='"""')),
        ("json", '{"a(": [', Scan("{[")),
        ("jsonc", "{ // [", Scan("{", comment="line")),
        ("html", "<p>(<!-- ) -->", Scan("(")),
        ("html", "<!-- (\n", Scan(comment="block")),
        ("html", "<a>http://x.y(", Scan("(")),
        ("xml", "<a><!-- ( --> [", Scan("[")),
        ("css", "a { /* ( */", Scan("{")),
        ("css", "a { b: url(//x.y/z.png);", Scan("{")),
        ("scss", "a { // (", Scan("{", comment="line")),
        ("scss", "a { b: url(http://x.y/z.png);", Scan("{")),
        ("less", "a { // (", Scan("{", comment="line")),
        ("shellscript", "f() {\n  if [ $# -gt 0 ]; then", Scan("{")),
        ("shellscript", "n=${#a[@]} m=${x#y}", Scan()),
        ("shellscript", "a; # (", Scan(comment="line")),
        ("shellscript", "(#(\n", Scan("(")),
        ("shellscript", "case $1 in\n  start)\n    f ;;\n  (stop) f {", Scan("{")),
        ("dockerfile", "RUN a # (", Scan(comment="line")),
        ("markdown", "don't :)", Scan()),
        ("go", "a)", Scan(unmatched=1, surplus=1)),
        ("never heard of", "f({", Scan("({")),
    ],
)
def test_where_a_text_stands(name, text, state):
    assert state == scan(text, language(name))


marks = st.text("ab()[]{}\"'`#/*-\\\n ", max_size=40)


@given(marks, marks, st.sampled_from([name for name in language_ids()]))
def test_a_scan_can_be_taken_up_between_two_lines(first, second, name):
    first += "\n"
    together = scan(first + second, language(name))
    resumed = scan(second, language(name), scan(first, language(name)))

    assert together._replace(unmatched=0) == resumed._replace(unmatched=0)


@pytest.mark.parametrize(
    ("name", "prefix", "single"),
    [
        ("python", "x = 1  # ", True),
        ("python", "# ", True),
        ("python", 'x = "', True),
        ("python", 'def f():\n    """', False),
        ("javascript", "const x = '", True),
        ("javascript", "const x = `", False),
        ("c", "/* ", False),
        ("markdown", "# It's ", False),
        ("yaml", "# ", True),
        ("yaml", "on: # ", True),
        ("sql", "-- ", True),
        ("toml", "# ", True),
        ("css", "/* ", False),
        ("html", "<!-- ", False),
        ("shellscript", "shift $# ", False),
        ("python", "x = ", False),
    ],
)
def test_inside_a_comment_or_a_string_one_line_is_enough(name, prefix, single):
    assert single is wants_single_line(Hole(prefix, "\n"), "auto", language(name))


@pytest.mark.parametrize(
    ("name", "prefix", "suffix", "written", "left", "rule"),
    [
        ("python", "x = ", "\n", "a + b) * c", "a + b", "closer"),
        ("javascript", "f(() => ", ");\n", "{\n  g();\n}) + 1;\nh();", "{\n  g();\n}) + 1;", "dedent"),
        ("c", "void f(void) {", "\n}\n", "\n    if (x) {\n        y();\n    }\n    z();\n}\n",
         "\n    if (x) {\n        y();\n    }\n    z();", "line below"),
        ("go", "\tif x {", "\n", "\n\t\treturn\n\t}\n\ty()\n", "\n\t\treturn\n\t}", "dedent"),
        ("c", "x = ", "\n", "'#' + (\n1);\ny();\n", "'#' + (\n1);", "dedent"),
        ("shellscript", "f() {\n  [ $# = 0 ]\n  ", "\n", "shift\n}\ng\n", "shift", "dedent"),
        ("shellscript", "case $1 in\n  ", "\n", "a)\n    f ;;\n  b)\n    g ;;\nesac\n",
         "a)\n    f ;;\n  b)\n    g ;;", "dedent"),
        ("scss", "a {\n  b: url(http://x.y);\n  ", "\n", "c: d;\n}\ne {\n", "c: d;", "dedent"),
        ("sql", "SELECT a, -- (\n  ", "\n", "b\nFROM c\n\nSELECT", "b", "dedent"),
        ("yaml", "a:\n  - ", "\n", "b: c\n    d: e\n  - f\n", "b: c\n    d: e", "dedent"),
        ("json", '{\n  "a": ', "\n}", '[\n    1\n  ],\n  "b": 2\n', '[\n    1\n  ],', "dedent"),
        ("css", "a {\n  ", "\n}\n", "b: c;\n  /* } */\n}\n", "b: c;\n  /* } */", "dedent"),
        ("html", "<ul>\n  ", "\n</ul>\n", "<li>a (</li>\n  <li>b)</li>\n</ul>\n",
         "<li>a (</li>\n  <li>b)</li>", "dedent"),
        ("lua", "", "\n", "x = 1 -- (\ny = 2\n\nz = 3\n", "x = 1 -- (\ny = 2", "blank line"),
    ],
)  # fmt: skip
def test_where_a_completion_ends_in_other_languages(name, prefix, suffix, written, left, rule):
    cut = StopRules(Hole(prefix, suffix), False, language(name)).cut(written)

    assert cut is not None
    assert (left, rule) == (written[: cut.offset], cut.rule)
