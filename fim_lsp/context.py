"""Snippets from the other open documents that share names with the lines around the cursor.

Whole lines only, at most one per document, best first; the prompt takes those that fit its budget.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from fim_lsp.document import DocumentSnapshot
from model_runtime.languages import language
from model_runtime.prompt import Snippet

_IDENTIFIER = re.compile(r"[^\W\d]\w{2,}")
_WINDOW_CHARACTERS = 1500
"""Text before the cursor whose names are looked for elsewhere."""
_SNIPPET_LINES = 12
_MOST_DOCUMENTS = 8
_MOST_CHARACTERS = 50_000
"""Of each document; a bound on the time, not on what is useful."""


def gather(snapshot: DocumentSnapshot, others: Sequence[DocumentSnapshot]) -> tuple[Snippet, ...]:
    """The most alike block of lines of each other document, by the share of common identifiers.

    Jaccard similarity of identifier sets, as in Repoformer and the editors' own gatherers;
    documents that share nothing give nothing.
    """
    window = snapshot.text[max(0, snapshot.offset - _WINDOW_CHARACTERS) : snapshot.offset]
    wanted = set(_IDENTIFIER.findall(window))
    if not wanted:
        return ()
    found = [
        (score, snippet)
        for other in others[:_MOST_DOCUMENTS]
        if other.uri != snapshot.uri
        for score, snippet in [_best_block(other, wanted)]
        if score > 0
    ]
    found.sort(key=lambda pair: pair[0], reverse=True)
    return tuple(snippet for _, snippet in found)


def _best_block(document: DocumentSnapshot, wanted: set[str]) -> tuple[float, Snippet]:
    lines = document.text[:_MOST_CHARACTERS].splitlines()
    best, place = 0.0, 0
    for start in range(0, len(lines), _SNIPPET_LINES // 2):
        names = set(_IDENTIFIER.findall("\n".join(lines[start : start + _SNIPPET_LINES])))
        score = len(names & wanted) / max(1, len(names | wanted))
        if score > best:
            best, place = score, start
    text = "\n".join(lines[place : place + _SNIPPET_LINES])
    mark = language(document.language_id).line_comment
    return best, Snippet(path=document.path or document.uri, text=text, line_comment=mark)
