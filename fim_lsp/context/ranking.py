"""Ranks snippets by the identifiers that they share with the cursor's surroundings, none twice."""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import NamedTuple

from fim_lsp.context.chunks import Chunk
from fim_lsp.context.source import Source
from fim_lsp.document import DocumentSnapshot

_COPIED_LINES = 0.5
"""Share of a chunk's lines; with more of them in the document itself it says nothing new."""
_NEAR_COPY = 0.7
"""Similarity of two chunks of which only the better one is kept."""
_NAMED_HERE = 1.0
"""Score that puts an imported definition named near the cursor before all others."""
_ORDER = {source: place for place, source in enumerate(Source)}


class Candidate(NamedTuple):
    """A chunk that may become a snippet."""

    chunk: Chunk
    document: DocumentSnapshot
    source: Source
    is_imported: bool
    """Whether it defines a name that the document imports."""


def similarity(one: Set[str], other: Set[str]) -> float:
    """Returns the Jaccard similarity, from 0 to 1; Repoformer uses it, too."""
    return len(one & other) / max(1, len(one | other))


def best(
    candidates: Iterable[Candidate], wanted: Set[str], known_lines: Set[str], max_kept: int
) -> tuple[Candidate, ...]:
    """Returns the best candidates, best first; those that share nothing are left out.

    Args:
        candidates: in any order; the result does not depend on it.
        wanted: identifiers near the cursor.
        known_lines: lines of the document itself, without their indentation.
        max_kept: number of candidates to keep.
    """
    scored = [
        (score, candidate) for candidate in candidates if (score := _score(candidate, wanted)) > 0
    ]
    scored.sort(key=_place)
    kept: list[Candidate] = []
    for _, candidate in scored:
        if len(kept) == max_kept:
            break
        if not _is_known(candidate.chunk, known_lines) and not any(
            similarity(candidate.chunk.identifiers, other.chunk.identifiers) > _NEAR_COPY
            for other in kept
        ):
            kept.append(candidate)
    return tuple(kept)


def _score(candidate: Candidate, wanted: Set[str]) -> float:
    score = similarity(candidate.chunk.identifiers, wanted)
    is_named = candidate.is_imported and candidate.chunk.name in wanted
    return score + _NAMED_HERE if is_named else score


def _place(scored: tuple[float, Candidate]) -> tuple[float, int, str, int]:
    score, candidate = scored
    return -score, _ORDER[candidate.source], candidate.document.uri, candidate.chunk.start


def _is_known(chunk: Chunk, known_lines: Set[str]) -> bool:
    lines = [bare for line in chunk.text.splitlines() if (bare := line.strip())]
    return sum(line in known_lines for line in lines) > _COPIED_LINES * len(lines)
