"""Decides which kept KV state serves a prompt best, and which one goes: pure bookkeeping.

A slot holds the keys and values of one text, row by row, and can forget its end at no cost.  A
prompt that differs from a cached text only at its end (the next key, an undo, another candidate)
takes that slot over.  A prompt that leaves much of it behind (a jump, another file, an edit far
above) gets a slot of its own with a copy of what they share, so that the way back is short as well.
A slot has room for its prompt and the answer, and grows in steps.  Where all of them would exceed
the memory that is allowed, first those go that begin as the prompt does, then those that were used
longest ago; one text is kept whatever it takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from model_runtime.engines.prefix import common_prefix

SURPLUS = 32
"""Ids at a cached prompt's end that are given up without a copy: sentinel, what was typed over."""
MAX_SLOTS = 64
"""Most texts that are kept, however small they are: each is compared with every prompt."""


class Plan(NamedTuple):
    """Says which slot to fill for a prompt, and from where."""

    slot: int
    """Number of the slot, of one that is kept or of a new one."""
    rows: int
    """Rows that the slot has room for from now on."""
    shared: int
    """Leading ids of the prompt whose state is kept."""
    source: int
    """Number of the slot that holds them; they are copied where it is not `slot` itself."""
    dropped: tuple[int, ...]
    """Numbers of the slots whose memory is given back first."""


class KvSlots:
    """Keeps the ids whose state each slot holds, its room, and the order of their use."""

    def __init__(self, max_rows: int, *, step: int = 1) -> None:
        """Starts without any slot.

        Args:
            max_rows: rows that all slots may have together; a single one may have more.
            step: the room of a slot is a multiple of so many rows.
        """
        self.max_rows = max_rows
        """Rows that all slots may have together."""
        self._step = step
        self.cached_ids: dict[int, list[int]] = {}
        """Ids by number of the slot, the one used last at the end; the engine appends what it has
        run."""
        self.rows_of: dict[int, int] = {}
        """Room in rows by number of the slot."""
        self._prompt_lengths: dict[int, int] = {}
        """Number of ids that are prompt, by number of the slot; answers are given up gladly."""
        self._next = 0

    @property
    def rows(self) -> int:
        """Rows of all slots together."""
        return sum(self.rows_of.values())

    def plan(self, ids: Sequence[int], answer: int = 0) -> Plan:
        """Says where `ids` should go, with room for so many ids after them; changes nothing."""
        rows = -(-(len(ids) + answer) // self._step) * self._step
        if not self.cached_ids:
            return Plan(self._next, rows, 0, self._next, ())
        shared, source = self._longest(ids)
        others = [slot for slot in self.cached_ids if slot != source]
        # What the prompt begins with as well is the least loss.
        others.sort(key=lambda slot: not self._is_like(slot, ids))
        if self._prompt_lengths[source] - shared > SURPLUS:
            spare = others
            if self._is_like(source, ids):  # so is the end of the slot that would be copied
                spare = [slot for slot in others if self._is_like(slot, ids)]
            dropped = self._make_room(spare, rows, slots=1)
            if dropped is not None:
                return Plan(self._next, rows, shared, source, dropped)
        rows = max(rows, self.rows_of[source])
        dropped = self._make_room(others, rows - self.rows_of[source])
        return Plan(source, rows, shared, source, tuple(others) if dropped is None else dropped)

    def take(self, plan: Plan, ids: Sequence[int]) -> list[int]:
        """Notes that the plan of `ids` is carried out.

        Returns:
            The slot's list of ids, cut to what is shared; the engine appends what it has run.
        """
        for slot in plan.dropped:
            self.drop(slot)
        kept = list(ids[: plan.shared])
        self.cached_ids.pop(plan.slot, None)
        self.cached_ids[plan.slot] = kept
        self.rows_of[plan.slot] = plan.rows
        self._prompt_lengths[plan.slot] = len(ids)
        self._next = max(self._next, plan.slot + 1)
        return kept

    def drop(self, slot: int) -> None:
        """Notes that a slot's memory is given back."""
        for of_slots in (self.cached_ids, self.rows_of, self._prompt_lengths):
            of_slots.pop(slot, None)

    def _is_like(self, slot: int, ids: Sequence[int]) -> bool:
        """Tells whether the prompt begins with at least half of what a slot holds."""
        cached = self.cached_ids[slot]
        return 2 * common_prefix(cached, ids) >= len(cached)

    def _make_room(self, spare: list[int], rows: int, slots: int = 0) -> tuple[int, ...] | None:
        """Returns those of `spare` that have to go before there are more rows, in more slots.

        None where there is no room even without all of them.
        """
        excess = self.rows + rows - self.max_rows
        surplus = len(self.cached_ids) + slots - MAX_SLOTS
        dropped = []
        for slot in spare:
            if excess <= 0 and surplus <= 0:
                break
            dropped.append(slot)
            excess, surplus = excess - self.rows_of[slot], surplus - 1
        return tuple(dropped) if excess <= 0 and surplus <= 0 else None

    def _longest(self, ids: Sequence[int]) -> tuple[int, int]:
        """Returns how many leading ids some slot holds, and the slot; the last used one of equals.

        The last id always has to be run, for its logits.
        """
        found = 0, 0
        for slot, cached in self.cached_ids.items():
            shared = min(common_prefix(cached, ids), len(ids) - 1)
            if shared >= found[0]:
                found = shared, slot
        return found
