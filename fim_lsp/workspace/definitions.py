"""Finds the names that a file defines for others, by its syntax tree, else by its words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from fim_lsp.context.chunks import chunks
from model_runtime.syntax.languages import language
from model_runtime.syntax.tree_sitter import tree_of

_MAX_DEPTH = 5
"""Nodes around a definition: `export`, a decorator, a namespace in a namespace."""
_NAMED = re.compile(
    r".*(definition|declaration|declarator|_item|_spec|_specifier|_signature)|class|module|method"
    r"|singleton_method|assignment|type_alias_statement|preproc_\w*def"
)
_INSIDE = re.compile(r".*(parameter|argument|field_decl|column_def).*")
"""Nodes whose names are of no use to other files."""
_HAS_NAMES_FOR_OTHERS = re.compile(r"namespace.*|internal_module|mod_item|module.*")
"""Nodes with a body whose names count, too."""
_NAME = re.compile(r"[^\W\d]\w*")


def defined_names(text: str, language_id: str) -> frozenset[str]:
    r"""Returns the functions, classes, types and constants at the top of a file.

    >>> sorted(defined_names("@cached\ndef total(): pass\n\nclass Stock:\n    def add(self): 1\n",
    ...     "python"))
    ['Stock', 'total']
    """
    root = tree_of(text, language(language_id))
    if root is not None:
        return frozenset(_names_in(root, _MAX_DEPTH))
    return frozenset(chunk.name for chunk in chunks(text) if chunk.name)


def _names_in(node: Any, depth: int) -> Iterator[str]:
    for child in node.named_children:
        if _INSIDE.fullmatch(child.type):
            continue
        if _NAMED.fullmatch(child.type):
            yield from _name_of(child)
        body = child.child_by_field_name("body")
        if depth and (body is None or _HAS_NAMES_FOR_OTHERS.fullmatch(child.type)):
            yield from _names_in(child, depth - 1)


def _name_of(node: Any) -> Iterator[str]:
    """Yields the name of a node; C has it in declarators of declarators."""
    inner = node
    while inner is not None and (name := _field(inner, "name", "left")) is None:
        declarator = inner.child_by_field_name("declarator")
        if declarator is None and inner is not node:
            name = inner
            break
        inner = declarator
    if inner is not None and name is not None:
        text = name.text.decode("utf-8", "replace")
        if _NAME.fullmatch(text):
            yield text


def _field(node: Any, *names: str) -> Any | None:
    found = (node.child_by_field_name(name) for name in names)
    return next((child for child in found if child is not None), None)
