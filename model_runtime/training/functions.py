"""Finds plain functions: those that a reader understands without the rest of their file.

A model that sees few tokens learns most from text of little surprise.  A plain function stands at
the margin, is short, has a body with some control flow, and speaks of its own names and of builtins
rather than of attributes of things defined elsewhere.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator

from model_runtime.training.recipe import SelectionRecipe

_DEFINITION = re.compile(r"^def \w+\(", re.MULTILINE)
_NEXT_AT_MARGIN = re.compile(r"^[^\s#)\]}]", re.MULTILINE)
MIN_CHARACTERS = 120
MIN_STATEMENTS = 3
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_CONTROL = (ast.For, ast.While, ast.If, ast.comprehension, ast.IfExp)


def plain_functions(text: str, recipe: SelectionRecipe) -> Iterator[str]:
    """Yields the plain functions of a Python document, each with docstring and last newline."""
    for match in _DEFINITION.finditer(text):
        end = _NEXT_AT_MARGIN.search(text, match.end())
        # A signature may be closed at the margin: `) -> int:` is no new statement.
        source = text[match.start() : end.start() if end else len(text)].rstrip() + "\n"
        is_short = MIN_CHARACTERS <= len(source) <= recipe.max_characters
        if is_short and is_plain(source, recipe.max_attributes):
            yield source


def is_plain(source: str, max_attributes: float) -> bool:
    """Tells whether the source of one function is plain; False for what does not parse."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            (function,) = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    nodes = list(ast.walk(function))
    statements = sum(isinstance(node, ast.stmt) for node in nodes) - 1
    attributes = sum(isinstance(node, ast.Attribute) for node in nodes)
    names = sum(isinstance(node, ast.Name) for node in nodes)
    return (
        statements >= MIN_STATEMENTS
        and any(isinstance(node, _CONTROL) for node in nodes)
        and any(isinstance(node, ast.Return | ast.Yield) for node in nodes)
        and attributes <= max_attributes * names
        and not any(isinstance(node, _SCOPES) for node in nodes[1:])
    )
