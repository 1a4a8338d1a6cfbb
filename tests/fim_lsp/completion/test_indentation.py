"""New lines are indented as their block is, with tabs or with spaces."""

import pytest

from fim_lsp.completion.indentation import fit_indentation
from fim_lsp.document import Indentation
from model_runtime.prompt.encoder import Hole
from model_runtime.syntax.languages import UNKNOWN, language

TABS, SPACES = "func f() {\n\ta()\n\tb()\n}\n", "def f():\n  a()\n  if b:\n    c()\n"


@pytest.mark.parametrize(
    ("prefix", "says", "written", "fitted"),
    [
        (TABS, None, "if x {\n    y()\n}", "if x {\n\ty()\n}"),
        (TABS, None, "a {\n    b {\n        c()\n    }\n}", "a {\n\tb {\n\t\tc()\n\t}\n}"),
        (SPACES, None, "if x:\n\ty()\n\tif z:\n\t\tw()", "if x:\n  y()\n  if z:\n    w()"),
        (SPACES, None, "if x:\n  y()", "if x:\n  y()"),
        ("", Indentation(4, uses_spaces=True), "if x:\n\ty()", "if x:\n    y()"),
        ("", Indentation(8, uses_spaces=False), "if x:\n    y()", "if x:\n\ty()"),
        ("", None, "if x:\n\ty()", "if x:\n\ty()"),
        (TABS, None, "one line", "one line"),
        (SPACES * 3 + "def g():\n\t", None, "a()\n\tb()", "a()\n\tb()"),
        (SPACES * 3 + "def g():\n\t", None, "a()\n  b()", "a()\n\tb()"),
        (SPACES * 3 + "def g():\n\tif a:", None, "\n        b()", "\n\t\tb()"),
        (SPACES * 3 + "def g():\n\ta()\n\n", None, "\tb()\n\tc()", "\tb()\n\tc()"),
        (
            TABS * 3 + "func g() {\n    ",
            None,
            "a()\n\tif b {\n\t\tc()",
            "a()\n    if b {\n        c()",
        ),
        (TABS * 3 + "func g() {\n    ", None, "a()\n    b()", "a()\n    b()"),
        (TABS, Indentation(4, uses_spaces=True), "a()\n", "a()\n"),
        ("if a:\n\t", Indentation(4, uses_spaces=True), "a()\n\tb()", "a()\n\tb()"),
        ("if a:\n  ", Indentation(4, uses_spaces=False), "a()\n  b()", "a()\n  b()"),
        ("if a:", Indentation(4, uses_spaces=True), "\n\tb()", "\n    b()"),
    ],
)
def test_new_lines_are_indented_as_the_document_is(prefix, says, written, fitted):
    assert fitted == fit_indentation(written, Hole(prefix, ""), UNKNOWN, says)


@pytest.mark.parametrize(
    ("name", "prefix", "says", "written", "fitted"),
    [
        ("yaml", "jobs:", Indentation(4, uses_spaces=False), "\n  build:", "\n  build:"),
        ("yaml", "jobs:", None, "\n\tbuild:", "\n  build:"),
        ("yaml", "on:\n    push:\njobs:", None, "\n\tbuild:", "\n    build:"),
        ("makefile", "all:", Indentation(4, uses_spaces=True), "\n\tcc a.c", "\n\tcc a.c"),
        ("makefile", "all:", None, "\n    cc a.c", "\n\tcc a.c"),
    ],
)
def test_what_the_language_demands_comes_before_all_else(name, prefix, says, written, fitted):
    assert fitted == fit_indentation(written, Hole(prefix, ""), language(name), says)
