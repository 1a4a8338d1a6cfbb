"""Docstrings can be read alone, and constants have the usual names."""

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("fim_lsp", "model_runtime", "benchmarks", "scripts", "tests")
MODULES = sorted(
    path
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*.py")
    if "replay_set" not in path.parts
)

FRAGMENT = re.compile(
    r"(?:About|After|Among|As|At|Before|Behind|Beside|Between|Beyond|By|During|For|From|How|In|Into|It|Like"
    r"|Near|Of|On|Over|Per|Since|Such|Than|That|These|They|This|Those|Through|To|Under|Until|What|When"
    r"|Where|Which|Who|Whose|Why|With|Within|Without)\b"
)
"""Prepositions, demonstratives and question words: what they begin leans on the line above it."""


def docstrings(path: Path) -> Iterator[tuple[int, str]]:
    """Yields line and docstring of a module, and of its classes, functions, fields and constants."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, kinds):
            continue
        if text := ast.get_docstring(node):
            yield getattr(node, "lineno", 1), text
        for named, below in pairwise(node.body):
            if isinstance(named, ast.Assign | ast.AnnAssign) and (text := string_of(below)):
                yield below.lineno, text


def string_of(node: ast.stmt) -> str:
    """Returns the text of a statement that is a string alone; empty for others."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return node.value.value if isinstance(node.value.value, str) else ""
    return ""


def constants(path: Path) -> Iterator[str]:
    """Yields the names that a module assigns to at its top level."""
    for node in ast.parse(path.read_text("utf-8")).body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets += [node.target] if isinstance(node, ast.AnnAssign) else []
        yield from (target.id for target in targets if isinstance(target, ast.Name))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_docstring_leans_on_the_line_above_it(path):
    assert [] == [f"{line}: {text[:50]}" for line, text in docstrings(path) if FRAGMENT.match(text)]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_limits_are_named_max_and_min(path):
    assert [] == [name for name in constants(path) if re.match(r"_?(MOST|LEAST)_", name)]


@pytest.mark.parametrize("text", ["Of one run.", "What is shown.", "This is it.", "In bytes, all."])
def test_a_fragment_is_noticed(text):
    assert FRAGMENT.match(text)


@pytest.mark.parametrize(
    "text", ["Returns it.", "Opens a file.", "Asynchronous reader.", "Format."]
)
def test_a_sentence_is_not(text):
    assert not FRAGMENT.match(text)
