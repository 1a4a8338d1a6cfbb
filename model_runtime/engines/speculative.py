"""Guesses the next ids, which a model then checks in one pass.

A source proposes ids that may follow; the engine runs them all behind the last id and picks a token
at every place as if it had decoded one by one.  Those that agree with the proposal are had for one
pass, so the output is that of plain decoding whatever is proposed (Leviathan et al. 2023,
arXiv:2211.17192, with a draft that is certain).  A bad guess costs only its share of the pass.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

DraftSource = Callable[[Sequence[int]], Sequence[int]]
"""Maps the ids of a text so far to those that may follow, which may be none.

A source never sees, and never proposes, a sentinel: it is given ordinary text."""

LONGEST_MATCH = 8
"""Most ids at the text's end that are looked for."""


@dataclass(frozen=True, slots=True)
class Drafting:
    """Says when to guess, and how far."""

    most: int
    """Most ids that are checked in one pass."""
    match: int
    """Ids at the text's end that must have come before, for what followed them to be proposed."""


def drafting_of(engine: str, parameters: int) -> Drafting | None:
    """Returns when an engine guesses for a model of that size: the switch, set by measurement.

    `python -m benchmarks.drafts` takes the figures, docs/notes/speculative-decoding.md holds them.
    """
    return None


def look_up(ids: Sequence[int], most: int, match: int) -> list[int]:
    """Returns what followed the latest earlier place that reads like the end of `ids`.

    The longest match wins, the later one of equals (prompt lookup, Saxena 2023).

    Args:
        ids: the text so far.
        most: ids to return at most.
        match: ids that must agree at least.

    >>> look_up([5, 6, 7, 8, 9, 5, 6, 7], most=2, match=2)
    [8, 9]
    >>> look_up([5, 6, 7, 8], most=2, match=2)
    []
    """
    best, follows, end = match - 1, 0, len(ids)
    if end <= match:
        return []
    last = ids[-1]
    for place in range(end - 2, -1, -1):
        if ids[place] != last:
            continue
        length = 1
        while length < LONGEST_MATCH and length <= place and ids[place - length] == ids[~length]:
            length += 1
        if length > best:
            best, follows = length, place + 1
            if best == LONGEST_MATCH:
                break
    return list(ids[follows : follows + most]) if follows else []


class Drafter:
    """Proposes for one request: from its own text, else from a further source."""

    def __init__(
        self, drafting: Drafting, sentinels: Collection[int], source: DraftSource | None = None
    ) -> None:
        """Starts with an empty text.

        Args:
            drafting: when to guess, and how far.
            sentinels: ids that are no text: they are not looked for and not proposed.
            source: asked where the text itself has nothing; open files, say.
        """
        self._drafting = drafting
        self._sentinels = sentinels
        self._source = source
        self._text: list[int] = []

    def add(self, ids: Sequence[int]) -> None:
        """Appends to the text: the prompt first, each decoded id later."""
        # In an SPM prompt a sentinel parts the typed text from its continuation; it is no text.
        self._text += [id_ for id_ in ids if id_ not in self._sentinels]

    def propose(self, most: int) -> list[int]:
        """Returns up to `most` ids that may come next."""
        most = min(most, self._drafting.most)
        if most < 1:
            return []
        found: Sequence[int] = look_up(self._text, most, self._drafting.match)
        if not found and self._source is not None:
            found = self._source(self._text)[:most]
        return [id_ for id_ in found if id_ not in self._sentinels]
