"""Keeps the logits of a few texts, so that the next key need not run the same ids again.

While one types on a line, the prompt stays and the ids that spell the typed text mostly stay, too.
The logits after each of them decide whether they still are the likeliest, so a key costs the ids
that are new.  An entry is a function of the ids alone: it can never be out of date.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model_runtime.models.weights import Float32

_MAX_ENTRIES = 64
_MAX_BYTES = 24 * 2**20


class KnownLogits:
    """Maps ids to the logits that follow them; drops those that were used longest ago."""

    def __init__(self, bytes_of_each: int) -> None:
        """Bounds the entries by number and by memory; at least four are kept.

        Args:
            bytes_of_each: memory that one entry takes.
        """
        self._max_entries = max(4, min(_MAX_ENTRIES, _MAX_BYTES // bytes_of_each))
        self._entries: OrderedDict[tuple[int, ...], Float32] = OrderedDict()

    def after(self, ids: Sequence[int]) -> Float32 | None:
        """Returns the logits after exactly these ids, float32 [vocabulary], or None."""
        key = tuple(ids)
        if key not in self._entries:
            return None
        self._entries.move_to_end(key)
        return self._entries[key]

    def keep(self, ids: Sequence[int], logits: Float32) -> None:
        """Remembers logits, which must not change from now on."""
        key = tuple(ids)
        self._entries[key] = logits
        self._entries.move_to_end(key)
        while len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)
