"""Which snippets are best: by identifiers in common, and none twice."""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import NamedTuple

from fim_lsp.context.chunks import Region
from fim_lsp.context.source import Source
from fim_lsp.document import DocumentSnapshot

_COPIED_LINES = 0.5
"""Of a region: with more of them in the document itself it says nothing new."""
_NEAR_COPY = 0.7
"""Likeness of two regions of which only the better one is kept."""
_NAMED_HERE = 1.0
"""For a definition whose name stands near the cursor: it comes before all that is merely alike."""
_ORDER = {source: place for place, source in enumerate(Source)}


class Candidate(NamedTuple):
    """A region that may become a snippet."""

    region: Region
    document: DocumentSnapshot
    source: Source
    is_imported: bool
    """It defines a name that the document imports."""


def likeness(one: Set[str], other: Set[str]) -> float:
    """Jaccard similarity, as in Repoformer and the editors' own gatherers: from 0 to 1."""
    return len(one & other) / max(1, len(one | other))


def best(
    candidates: Iterable[Candidate], wanted: Set[str], known_lines: Set[str], most: int
) -> tuple[Candidate, ...]:
    """The best candidates, best first; those that share nothing are left out.

    Args:
        candidates: in any order; the result does not depend on it.
        wanted: identifiers near the cursor.
        known_lines: lines of the document itself, without their indentation.
        most: candidates to keep.
    """
    scored = [
        (score, candidate) for candidate in candidates if (score := _score(candidate, wanted)) > 0
    ]
    scored.sort(key=_place)
    kept: list[Candidate] = []
    for _, candidate in scored:
        if len(kept) == most:
            break
        if not _is_known(candidate.region, known_lines) and not any(
            likeness(candidate.region.identifiers, other.region.identifiers) > _NEAR_COPY
            for other in kept
        ):
            kept.append(candidate)
    return tuple(kept)


def _score(candidate: Candidate, wanted: Set[str]) -> float:
    score = likeness(candidate.region.identifiers, wanted)
    is_named = candidate.is_imported and candidate.region.name in wanted
    return score + _NAMED_HERE if is_named else score


def _place(scored: tuple[float, Candidate]) -> tuple[float, int, str, int]:
    score, candidate = scored
    return -score, _ORDER[candidate.source], candidate.document.uri, candidate.region.start


def _is_known(region: Region, known_lines: Set[str]) -> bool:
    lines = [bare for line in region.text.splitlines() if (bare := line.strip())]
    return sum(line in known_lines for line in lines) > _COPIED_LINES * len(lines)
