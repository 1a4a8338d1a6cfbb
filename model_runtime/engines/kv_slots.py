"""Which kept KV state serves a prompt best, and which one goes: pure bookkeeping.

A slot holds the keys and values of one text, row by row, and can forget its end at no cost.  A
prompt that differs from a held text only at its end (the next key, an undo, another candidate)
takes that slot over.  One that leaves much of it behind (a jump, another file, an edit far above)
gets a slot of its own with a copy of what they share, so that the way back is short as well.  When
there are as many slots as memory allows, the one that was used longest ago is overwritten.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from model_runtime.engines.prefix import common_prefix

SURPLUS = 32
"""Ids at a held prompt's end that are given up without a copy: sentinel, what was typed over."""


class Plan(NamedTuple):
    """Which slot to fill for a prompt, and from where."""

    slot: int
    """Number of the slot; one more than there are means a new one."""
    shared: int
    """Leading ids of the prompt whose state is held."""
    source: int
    """Number of the slot that holds them; to be copied from where it is not `slot` itself."""


class KvSlots:
    """The ids whose state each slot holds, and the order of their use."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.held: list[list[int]] = []
        """By number of the slot; the engine sets them as it fills a slot."""
        self._prompts: list[int] = []
        """By number of the slot, how many of its ids are prompt; answers are given up gladly."""
        self._recent: list[int] = []
        """Numbers of the slots, the one used last at the end."""

    def plan(self, ids: Sequence[int]) -> Plan:
        """Where `ids` should go; nothing is changed."""
        shared, source = self._longest(ids)
        if self.held and self._prompts[source] - shared <= SURPLUS:
            return Plan(source, shared, source)
        if len(self.held) < self._most:
            return Plan(len(self.held), shared, source)
        oldest = next((slot for slot in self._recent if slot != source), source)
        return Plan(oldest, shared, source)

    def take(self, plan: Plan, ids: Sequence[int]) -> list[int]:
        """Note that the plan of `ids` is carried out.

        Returns:
            The slot's list of ids, cut to what is shared; the engine appends what it has run.
        """
        kept = list(ids[: plan.shared])
        if plan.slot == len(self.held):
            self.held.append(kept)
            self._prompts.append(len(ids))
        else:
            self.held[plan.slot], self._prompts[plan.slot] = kept, len(ids)
            self._recent.remove(plan.slot)
        self._recent.append(plan.slot)
        return kept

    def _longest(self, ids: Sequence[int]) -> tuple[int, int]:
        """How many leading ids some slot holds, and the slot; the last used one of equals.

        The last id always has to be run, for its logits.
        """
        if not self.held:
            return 0, 0
        return max(
            (min(common_prefix(self.held[slot], ids), len(ids) - 1), place, slot)
            for place, slot in enumerate(self._recent)
        )[::2]
