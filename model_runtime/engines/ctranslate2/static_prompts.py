"""Decides where to cut a prompt so that its leading part can be found again: pure bookkeeping.

CTranslate2 keeps the state of a *static prompt* under its exact ids: no longest-prefix match, no
growing, no eviction.  So prompts are cut at multiples of 64 ids, some way before their end, where
typing changes nothing; the leading part is kept, the rest is run again each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from model_runtime.engines.abilities import KeptTexts

STEP = 64
"""Static prompts end at multiples of this many ids."""
MAX_TAIL = 128
"""Most ids that may follow a static prompt; they cost a pass each time."""
VOLATILE = 8
"""Ids at a prompt's end that the next key is likely to change: MID, and the word being typed."""


class Cut(NamedTuple):
    """Splits a prompt into a static part and the rest."""

    length: int
    """Ids in the static part; 0 for none."""
    is_cached: bool
    """True where the backend holds the static part already."""


class StaticPrompts:
    """Counts the static prompts that a backend holds, and their bytes."""

    def __init__(self, *, bytes_per_token: int, budget_bytes: int) -> None:
        self._bytes_per_token = bytes_per_token
        self._budget_bytes = budget_bytes
        self._held: list[tuple[int, ...]] = []

    @property
    def kept(self) -> KeptTexts:
        """Number and memory of the static prompts that are held; may be read in any thread."""
        held = tuple(self._held)
        used = sum(map(len, held)) * self._bytes_per_token
        return KeptTexts(len(held), used, self._budget_bytes)

    @property
    def used_bytes(self) -> int:
        """Memory of all static prompts that are held."""
        return self.kept.used_bytes

    def cut(self, ids: Sequence[int]) -> Cut:
        """Splits `ids` after the longest held static prompt, else where a new one should end."""
        longest = max(
            (
                len(held)
                for held in self._held
                if len(ids) - MAX_TAIL <= len(held) < len(ids) and held == tuple(ids[: len(held)])
            ),
            default=0,
        )
        if longest:
            return Cut(longest, is_cached=True)
        length = max(0, len(ids) - 1 - VOLATILE) // STEP * STEP
        fits = length * self._bytes_per_token <= self._budget_bytes
        return Cut(length if fits else 0, is_cached=False)

    def has_room(self, length: int) -> bool:
        """Tells whether one more static prompt of that many ids stays within the budget."""
        return self.used_bytes + length * self._bytes_per_token <= self._budget_bytes

    def add(self, ids: Sequence[int]) -> None:
        """Notes that the backend now holds these ids."""
        if ids and tuple(ids) not in self._held:
            self._held.append(tuple(ids))

    def clear(self) -> None:
        """Notes that the backend has dropped all static prompts."""
        self._held.clear()
