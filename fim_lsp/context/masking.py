"""Takes secrets out of what other files show: keys and tokens that stand in ordinary code.

A prompt may go to a server that the user has named, and a suggestion into a file that is published;
what is a secret in one file is no context for another.
"""

from __future__ import annotations

from functools import lru_cache

from fim_lsp.document import DocumentSnapshot
from model_runtime.secret_forms import without_private_keys, without_secrets

_MAX_CHARACTERS = 50_000
"""Characters of each document, around its last edit; bounds the time."""


def masked_part(document: DocumentSnapshot) -> tuple[str, int]:
    """Returns whole lines around the last edit without secrets, and the line of that edit in them.

    A private key is found in the whole document, for a part may hold the middle of one.
    """
    text, line = document.text, document.text.count("\n", 0, document.offset)
    offset = document.offset
    whole = without_private_keys(text)
    if whole is not text:  # it has as many lines, each with fewer characters
        text, offset = whole, _start_of(line, whole)
    start = _start_of_part(text, offset)
    line -= text.count("\n", 0, start)
    part = text[start : start + _MAX_CHARACTERS]
    if start + _MAX_CHARACTERS < len(text):
        part = part[: part.rfind("\n") + 1]
    return _masked(part), line


def _start_of_part(text: str, offset: int) -> int:
    if len(text) <= _MAX_CHARACTERS:
        return 0
    start = max(0, offset - _MAX_CHARACTERS // 2)
    start = text.rfind("\n", 0, start) + 1 if start else 0
    return max(start, offset - _MAX_CHARACTERS)  # a line may be longer than all that is looked at


def _start_of(line: int, text: str) -> int:
    at = 0
    for _ in range(line):
        at = text.find("\n", at) + 1
    return at


@lru_cache(maxsize=128)
def _masked(text: str) -> str:
    """Returns a text without secrets; the last texts are cached, for most stay as they are."""
    return without_secrets(text)[0]
