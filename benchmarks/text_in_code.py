"""Finds strings, comments and documentation in code, by its syntax tree, for `kinds_of_text`."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from typing import Any

from fim_lsp.replay import user
from fim_lsp.replay.script import Script
from model_runtime.syntax.languages import language
from model_runtime.syntax.tree_sitter import encoded, tree_of

KINDS_IN_CODE = ("comments", "documentation", "strings")
_MIN_CHARACTERS = {"comments": 24, "documentation": 40, "strings": 8}
_MARK = re.compile(r"""(/\*+!?|//[/!]?|#+!?|\w{0,3}(?:\"{3}|'{3}|["'`])|r#*")[ ]?""")
"""Beginning of a comment or a string."""
_DOCUMENTATION = re.compile(r"""/\*\*|//[/!]|\w?(?:\"{3}|'{3})""")


def kind_of(node: Any, text: str) -> str:
    """Returns the kind that a node of a tree is of, or nothing."""
    if "comment" in node.type:
        return "documentation" if _DOCUMENTATION.match(text) else "comments"
    if node.type in ("string", "string_literal", "raw_string_literal", "template_string"):
        is_statement = node.parent is not None and node.parent.type == "expression_statement"
        return "documentation" if is_statement and _DOCUMENTATION.match(text) else "strings"
    return ""


def spans(text: str, language_id_: str, kind: str) -> list[tuple[int, int]]:
    """Returns where each text of a kind begins, behind its mark, and where it ends."""
    root = tree_of(text, language(language_id_))
    if root is None:
        return []
    found: list[tuple[int, int]] = []
    raw, waiting = encoded(text), [root]
    # The files of a project begin with the same licence.
    begin = next((one.start_byte for one in root.children if "comment" not in one.type), 0)
    while waiting:
        node = waiting.pop()
        inside = raw[node.start_byte : node.end_byte].decode("utf-8", "replace")
        of = kind_of(node, inside)
        if not of:
            waiting += reversed(node.children)
        elif of == "comments" and node.start_byte < begin:
            continue
        elif of == kind and len(inside) >= _MIN_CHARACTERS[kind]:
            mark = _MARK.match(inside)
            start = len(raw[: node.start_byte].decode("utf-8", "replace"))
            closer = re.search(r"""\s*(\*/|"{1,3}#*|'{1,3}|`)?\Z""", inside)
            end = closer.start() if closer else len(inside)
            found.append((start + (mark.end() if mark else 0), start + end))
    return found


def places_in_code(
    scripts: Sequence[Script], kind: str, keys: int, windows: int
) -> Iterator[tuple[Script, int, int]]:
    """Yields each place: the file, the number of the text, and the offset behind its mark or a key.

    A file has as many windows as make up `windows` of `keys` keys.
    """
    for one in scripts:
        text = one.insertions[0].text
        known = spans(text, one.language, kind)
        random.Random(one.path.name).shuffle(known)
        left = keys * windows
        for number, (start, end) in enumerate(known):
            if left <= 0:
                break
            at = start
            for _ in range(keys):
                yield one, number, at
                left -= 1
                if at >= end:
                    break
                at += len(user.key_of(text[at:]))
