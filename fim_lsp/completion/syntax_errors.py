"""Counts the syntax errors that a text would add, by the tree or, without a grammar, by brackets.

Zed counts them after applying; here the count decides which cut is shown.  Work is bounded: a
window of the document is read, and each call parses it once.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from model_runtime.prompt.encoder import Hole
from model_runtime.syntax.brackets import CLOSER_OF, Scan, scan, scan_prefix
from model_runtime.syntax.languages import Language
from model_runtime.syntax.tree_sitter import tree_of

_BEFORE, _AFTER = 1200, 300
"""Characters of the document around the cursor.  What does not parse at all takes tree-sitter some
10 ms for 1,000 characters, sound code a tenth.
"""
_TOO_BROKEN = 10
"""Errors of a document from which on its tree says nothing of a text, and takes longest."""


def errors(text: str, hole: Hole, language: Language) -> int:
    """Errors with `text` in the hole; only the difference between two texts means something.

    Brackets and strings that the text leaves open count one each, and are closed before the tree is
    asked, which would else call everything before them an error, too.

    >>> from model_runtime.syntax.languages import language
    >>> [errors(text, Hole("", ""), language("yaml")) for text in ("a", "f(", "f([")]
    [0, 1, 2]
    """
    before = scan_prefix(hole.prefix, language)
    after = scan(text, language, before)
    left_open = max(0, len(after.open) - len(before.open))
    return (
        left_open + bool(after.quote and not before.quote) + _in_tree(text, hole, language, after)
    )


def has_tree(language: Language) -> bool:
    """Tells whether more than brackets are counted."""
    return tree_of("", language) is not None


def _in_tree(text: str, hole: Hole, language: Language, after: Scan) -> int:
    before = scan_prefix(hole.prefix, language)
    if not before.is_code:
        return 0  # what the words of a string or a comment are is nothing to a grammar
    head, tail = _tail(hole.prefix), _head(hole.suffix)
    if _errors_in(head + tail, language) > _TOO_BROKEN:
        return 0
    # What the text leaves open is closed behind it, the rest of what is open behind the window.
    own = after.open[len(before.open) :] if after.open.startswith(before.open) else ""
    end = after.quote
    if after.comment == "block" and language.block_comment:
        end = language.block_comment[1]
    line_end = "\n" if after.comment == "line" and own else ""
    return _errors_in(f"{head}{text}{end}{line_end}{_closers(own)}{tail}", language)


@lru_cache(maxsize=32)
def _errors_in(code: str, language: Language) -> int:
    root = tree_of(code + "\n" + _closers(scan(code, language).open), language)
    return 0 if root is None else _count(root)


def _closers(open_: str) -> str:
    return "".join(CLOSER_OF[bracket] for bracket in reversed(open_))


def _tail(prefix: str) -> str:
    """Returns the end of a prefix, from the beginning of a line, best of one at the margin."""
    if len(prefix) <= _BEFORE:
        return prefix
    window = prefix[-_BEFORE:]
    lines = window.partition("\n")[2] or window
    at_margin = next((at for at in _line_starts(lines) if lines[at : at + 1].isidentifier()), 0)
    return lines[at_margin:] if at_margin < _BEFORE // 2 else lines


def _line_starts(text: str) -> list[int]:
    return [0, *(at + 1 for at, character in enumerate(text) if character == "\n")]


def _head(suffix: str) -> str:
    """Returns the beginning of a suffix, up to the end of a line."""
    if len(suffix) <= _AFTER:
        return suffix
    window = suffix[:_AFTER]
    return window[: window.rfind("\n") + 1] or window


def _count(node: Any) -> int:
    """Nodes that are wrong or missing; only the branches that have any are walked."""
    found, waiting = 0, [node]
    while waiting:
        node = waiting.pop()
        if node.has_error:
            found += node.is_error or node.is_missing
            waiting += node.children
    return found
