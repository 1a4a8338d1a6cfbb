"""Tells what a cursor is in, and where a statement ends, by the syntax tree of a window before it.

Without a grammar, or where the window does not parse, the answer is None and the text rules decide.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from model_runtime.syntax.brackets import CLOSER_OF, scan
from model_runtime.syntax.languages import Language
from model_runtime.syntax.tree_sitter import encoded, tree_of

_BEFORE = 1200
"""Characters before the cursor; sound code takes a third of a millisecond, no code 15."""
_PLACEHOLDER = "x"
"""Name at the cursor, which makes a whole of most half-finished code."""
_KINDS = (
    ("comment", re.compile(r".*comment.*")),
    ("string", re.compile(r".*string.*|.*heredoc.*|char.*literal")),
    ("arguments", re.compile(r"argument_list|arguments|.*parameters|parameter_list")),
    ("statement", re.compile(r".*_statement|.*_declaration|.*_definition|.*_item|declaration")),
    ("statement", re.compile(r"assignment|short_var_declaration|command|call_expression")),
)
_COMPOUND = re.compile(
    r"(if|for|while|do|with|try|match|switch|labeled|compound|block|function|class|decorated|method"
    r"|impl|mod|trait|struct|enum|interface|namespace|type)(_.*)?"
)
_LEAVING = re.compile(r"\s*(return|raise|throw|break|continue)\b")
_JUMP = re.compile(r"(return|raise|throw|break|continue)(_statement)?|expression_statement")


def kind_at(prefix: str, language: Language) -> str | None:
    """Returns what the end of `prefix` is in: comment, string, arguments, statement, or block.

    A block is where a new statement begins.  None where no tree says.

    >>> from model_runtime.syntax.languages import language
    >>> kind_at("x = 1", language("yaml")) is None
    True
    """
    window = _window(prefix)
    root = _tree(window + _PLACEHOLDER, language)
    if root is None:
        return None
    at = len(encoded(window))
    for node in _up(root.descendant_for_byte_range(at, at + 1)):
        if node.has_error:
            return None
        for kind, names in _KINDS:
            if names.fullmatch(node.type):
                return "block" if kind == "statement" and node.start_byte == at else kind
    return "block"


def leaves_block(prefix: str, text: str, language: Language) -> bool:
    r"""Tells whether `text` ends with a statement behind which nothing of its block can run.

    Args:
        prefix: text before the cursor.
        text: text written after `prefix`, up to the end of a line.
        language: language of both.
    """
    window = _window(prefix)
    last = (window + text).rstrip().rpartition("\n")[2]
    if not _LEAVING.match(last):
        return False
    root = _tree(window + text, language)
    if root is None:
        return False
    code = encoded((window + text).rstrip())
    start = len(code) - len(encoded(last.lstrip()))
    for node in _up(root.descendant_for_byte_range(start, start + 1)):
        if node.has_error or node.start_byte < start:
            return False
        if node.end_byte == len(code) and _JUMP.fullmatch(node.type):
            return language.ends_statements_at_newline or code.endswith(b";")
    return False


def statement_ends(prefix: str, text: str, language: Language) -> bool:
    r"""Tells whether the statement at the cursor ends with `text`, and no line can go on with it.

    Args:
        prefix: text before the cursor.
        text: text written after `prefix`, up to the end of a line.
        language: language of both.
    """
    window = _window(prefix)
    root = _tree(window + text, language)
    if root is None:
        return False
    at, end = len(encoded(window.rstrip(" \t"))), len(encoded((window + text).rstrip()))
    for node in _up(root.descendant_for_byte_range(max(0, at - 1), at)):
        if node.has_error or node.end_byte > end:
            return False
        if node.end_byte == end and _is_simple(node):
            return language.ends_statements_at_newline or text.rstrip().endswith(";")
    return False


def _is_simple(node: Any) -> bool:
    return not _COMPOUND.fullmatch(node.type) and any(
        kind == "statement" and names.fullmatch(node.type) for kind, names in _KINDS
    )


@lru_cache(maxsize=8)
def _tree(code: str, language: Language) -> Any | None:
    """Returns the tree of code whose open brackets are closed behind it."""
    closers = (CLOSER_OF[bracket] for bracket in reversed(scan(code, language).open))
    return tree_of(f"{code}\n{''.join(closers)}", language)


def _up(node: Any | None) -> Iterator[Any]:
    while node is not None:
        yield node
        node = node.parent


def _window(prefix: str) -> str:
    """Returns the end of a prefix, from the beginning of a line."""
    if len(prefix) <= _BEFORE:
        return prefix
    window = prefix[-_BEFORE:]
    return window[window.find("\n") + 1 :]
