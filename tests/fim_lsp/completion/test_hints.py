"""No reason for silence stands without a remedy."""

import ast
from pathlib import Path

import pytest

from fim_lsp.completion.hints import REMEDIES, remedy

PACKAGE = Path(__file__).parents[3] / "fim_lsp"
OUTCOMES = {"superseded", "cancelled"}  # these say it all; the others come with a reason


def first_words(expression: ast.expr) -> str:
    """What a string begins with, up to a colon or to what is filled in."""
    if isinstance(expression, ast.JoinedStr):
        expression = expression.values[0]
    if isinstance(expression, ast.IfExp):
        return first_words(expression.body)
    if not isinstance(expression, ast.Constant) or not isinstance(expression.value, str):
        return ""
    return expression.value.partition(":")[0]


def reasons(tree: ast.AST) -> set[str]:
    """Reasons in the code: given to `nothing`, returned by `_reason_for_silence`, or set on a decision."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "nothing":
            found.add(first_words(node.args[0]))
        elif isinstance(node, ast.FunctionDef) and node.name == "_reason_for_silence":
            found |= {
                first_words(one.value)
                for one in ast.walk(node)
                if isinstance(one, ast.Return) and one.value is not None
            }
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple):
            names = [getattr(name, "attr", "") for name in getattr(node.targets[0], "elts", ())]
            if "reason" in names:
                found.add(first_words(node.value.elts[names.index("reason")]))
    return found - {""}


def all_reasons() -> set[str]:
    trees = (ast.parse(path.read_text("utf-8")) for path in PACKAGE.rglob("*.py"))
    return set().union(*(reasons(tree) for tree in trees))


def test_the_search_finds_the_reasons_of_the_code():
    assert {"disabled", "language", "loading", "too unsure", "filtered", "engine error"} <= (
        all_reasons()
    )


def test_every_reason_that_the_code_can_give_has_a_remedy():
    assert all_reasons() | OUTCOMES == set(REMEDIES)


@pytest.mark.parametrize(
    ("outcome", "reason", "details", "said"),
    [
        ("nothing", "excluded: fimLsp.exclude names *.py", {}, "fimLsp.exclude"),
        ("nothing", "excluded: .env* is on the built-in list of secrets", {}, "rename the file"),
        ("nothing", "too unsure: 0.01, below 0.25", {"eagernessToShow": 0.8}, "eagerness 0.8"),
        ("nothing", "too unsure: 0.01, below 0.25", {}, "ask for"),
        ("nothing", "loading: loading default: 40 %", {}, "wait until"),
        ("superseded", "", {}, "nothing is wrong"),
        ("failed", "engine error: {odd} text", {}, "fim-lsp doctor"),
    ],
)
def test_the_remedy_fits_the_time(outcome, reason, details, said):
    assert said in remedy(outcome, reason, details)


def test_what_was_shown_needs_none():
    assert "" == remedy("shown", "", {})
    assert "" == remedy("nothing", "a reason of a later version", {})
