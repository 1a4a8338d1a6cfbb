"""Decides which nodes of tree-sitter's grammars may be holes.

Grammars name the kinds of their nodes much alike (`if_statement`, `binary_expression`,
`argument_list`), so the rules below go by the names and need no table for each language.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from model_runtime.errors import ModelRuntimeError
from model_runtime.syntax.languages import language
from model_runtime.syntax.tree_sitter import load, parse

LANGUAGES = frozenset(
    [
        "python",
        "javascript",
        "javascriptreact",
        "typescript",
        "typescriptreact",
        "c",
        "cpp",
        "go",
        "rust",
        "java",
    ]
)
"""Ids of the languages whose nodes are holes.  A run goes on with the holes it began with, so a
grammar that serving learns to use changes nothing here.
"""

_ARGUMENTS = re.compile(r"argument_list|arguments")
_STATEMENT = re.compile(
    r"(?!.*parameter|with_item|attribute_item)"
    r"(.*_statement|.*_definition|.*_declaration|.*_item|declaration)"
)
_FUNCTION = re.compile(r".*(function|method|constructor).*")
_EXPRESSION = re.compile(
    r"(?!format_expression)(.*_expression|.*_operator|.*_comprehension|expression_list|array"
    r"|arrow_function|attribute|await|call|composite_literal|concatenated_string|dictionary"
    r"|initializer_list|lambda|list|macro_invocation|method_invocation|object|set|subscript"
    r"|template_string|tuple|yield)"
)


class GrammarMissing(ModelRuntimeError):
    """The grammar of a language is not installed."""


@dataclass(frozen=True)
class Grammar:
    """A language as tree-sitter reads it."""

    language: Any
    query: Any
    """Query that captures `statement`, `expression`, `arguments` and `function`."""

    def captures(self, data: bytes) -> tuple[bool, dict[str, list[Any]]]:
        """Returns whether the text has errors, and its nodes by capture."""
        from tree_sitter import QueryCursor

        root = parse(data, self.language).root_node
        return root.has_error, QueryCursor(self.query).captures(root)


@cache
def grammar(language_id: str) -> Grammar | None:
    """Returns the grammar of a language; None for one that has none here.

    Raises:
        GrammarMissing: it has one, which is not installed.  Holes may not depend on that.
    """
    if language_id not in LANGUAGES:
        return None
    try:
        from tree_sitter import Query

        found = load(language(language_id))
    except ImportError as error:
        raise GrammarMissing(
            f"syntax holes in {language_id} need the package {error.name}: "
            "pip install 'fim-lsp[train]'"
        ) from error
    numbers = range(found.node_kind_count)
    kinds = {
        str(found.node_kind_for_id(i))
        for i in numbers
        if found.node_kind_is_named(i) and found.node_kind_is_visible(i)
    }
    wanted: dict[str, list[str]] = {}
    for kind in sorted(kinds):
        for name in roles(kind):
            wanted.setdefault(name, []).append(f"({kind})")
    source = "\n".join(f"[{' '.join(nodes)}] @{name}" for name, nodes in wanted.items())
    return Grammar(found, Query(found, source))


def roles(kind: str) -> list[str]:
    """Returns what a node of this kind counts as.

    >>> roles("if_statement"), roles("function_item"), roles("argument_list"), roles("identifier")
    (['statement'], ['statement', 'function'], ['arguments'], [])
    """
    if _ARGUMENTS.fullmatch(kind):
        return ["arguments"]
    if _STATEMENT.fullmatch(kind):
        return ["statement", "function"] if _FUNCTION.fullmatch(kind) else ["statement"]
    return ["expression"] if _EXPRESSION.fullmatch(kind) else []
