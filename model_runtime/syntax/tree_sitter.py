"""Reads texts with tree-sitter: a tree, or None where there is no grammar.

Grammars come with the extra `syntax`; without them the text rules do.  tree-sitter reads what does
not parse, too, and marks it.
"""

from __future__ import annotations

import importlib
import logging
from functools import cache
from typing import Any

from model_runtime.syntax.languages import Language

logger = logging.getLogger(__name__)


@cache
def load(language: Language) -> Any:
    """Returns the grammar of a language that names one, as `tree_sitter.Language`.

    Raises:
        ImportError: it is not installed.
    """
    module, _, function = language.grammar.partition(":")
    grammar = getattr(importlib.import_module(module), function)()
    from tree_sitter import Language as TreeSitterLanguage

    return TreeSitterLanguage(grammar)


@cache
def grammar_of(language: Language) -> Any | None:
    """Returns the grammar of a language, or None; logs why it is missing where there is one."""
    if not language.grammar:
        return None
    try:
        return load(language)
    except (ImportError, AttributeError, ValueError) as error:  # not there, or of another version
        logger.info("no syntax trees for %s: %s", language.id, error)
        return None


def tree_of(text: str, language: Language) -> Any | None:
    """Returns the root node of `text` in `language`; None where nothing can read it.

    The time grows with the length of what does not parse: callers give a window.  Offsets of nodes
    are bytes of `encoded(text)`.
    """
    grammar = grammar_of(language)
    return None if grammar is None else parse(encoded(text), grammar).root_node


def encoded(text: str) -> bytes:
    """Returns the UTF-8 of any text, lone surrogates too."""
    return text.encode("utf-8", "surrogatepass")


def parse(data: bytes, grammar: Any) -> Any:
    """Returns the tree of `data` (UTF-8) by a grammar that is loaded."""
    from tree_sitter import Parser

    return Parser(grammar).parse(data)
