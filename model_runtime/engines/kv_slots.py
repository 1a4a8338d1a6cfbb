"""Decides which kept KV state serves a prompt best, and which one goes: pure bookkeeping.

A slot holds the keys and values of one text, row by row, and can forget its end at no cost.  A
prompt that differs from a cached text only at its end (the next key, an undo, another candidate)
takes that slot over.  A prompt that leaves much of it behind (a jump, another file, an edit far
above) gets a slot of its own with a copy of what they share, so that the way back is short as well.
When there are as many slots as memory allows, the one that was used longest ago is overwritten.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from model_runtime.engines.prefix import common_prefix

SURPLUS = 32
"""Ids at a cached prompt's end that are given up without a copy: sentinel, what was typed over."""


class Plan(NamedTuple):
    """Says which slot to fill for a prompt, and from where."""

    slot: int
    """Number of the slot; the number of slots means a new one."""
    shared: int
    """Leading ids of the prompt whose state is kept."""
    source: int
    """Number of the slot that holds them; they are copied where it is not `slot` itself."""


class KvSlots:
    """Keeps the ids whose state each slot holds, and the order of their use."""

    def __init__(self, max_slots: int) -> None:
        """Starts without any slot; at most `max_slots` are made."""
        self._max_slots = max_slots
        self.cached_ids: list[list[int]] = []
        """Ids by number of the slot; the engine appends what it has run."""
        self._prompt_lengths: list[int] = []
        """Number of ids that are prompt, by number of the slot; answers are given up gladly."""
        self._recent: list[int] = []
        """Numbers of the slots, the one used last at the end."""

    def plan(self, ids: Sequence[int]) -> Plan:
        """Says where `ids` should go; changes nothing."""
        shared, source = self._longest(ids)
        if self.cached_ids and self._prompt_lengths[source] - shared <= SURPLUS:
            return Plan(source, shared, source)
        if len(self.cached_ids) < self._max_slots:
            return Plan(len(self.cached_ids), shared, source)
        oldest = next((slot for slot in self._recent if slot != source), source)
        return Plan(oldest, shared, source)

    def take(self, plan: Plan, ids: Sequence[int]) -> list[int]:
        """Notes that the plan of `ids` is carried out.

        Returns:
            The slot's list of ids, cut to what is shared; the engine appends what it has run.
        """
        kept = list(ids[: plan.shared])
        if plan.slot == len(self.cached_ids):
            self.cached_ids.append(kept)
            self._prompt_lengths.append(len(ids))
        else:
            self.cached_ids[plan.slot], self._prompt_lengths[plan.slot] = kept, len(ids)
            self._recent.remove(plan.slot)
        self._recent.append(plan.slot)
        return kept

    def _longest(self, ids: Sequence[int]) -> tuple[int, int]:
        """Returns how many leading ids some slot holds, and the slot; the last used one of equals.

        The last id always has to be run, for its logits.
        """
        if not self.cached_ids:
            return 0, 0
        return max(
            (min(common_prefix(self.cached_ids[slot], ids), len(ids) - 1), place, slot)
            for place, slot in enumerate(self._recent)
        )[::2]
