"""The memory of the texts that an engine keeps, within a budget of bytes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic

from model_runtime.engines.abilities import KeptTexts
from model_runtime.engines.kv_slots import KvSlots, Plan
from model_runtime.engines.slot_passes import Passes, Text
from model_runtime.errors import EngineError

logger = logging.getLogger(__name__)

_NO_MEMORY = "there is no memory for a text; close other programs, or choose a smaller model"


@dataclass(frozen=True, slots=True)
class Slot(Generic[Text]):
    """The memory of one text, and the ids whose keys and values it holds."""

    text: Text
    ids: list[int]
    """Grows after each pass, so that it is true at any time."""


class SlotStore(Generic[Text]):
    """Reserves, grows, copies and gives back the memory of texts, as `kv_slots` decides."""

    def __init__(self, passes: Passes[Text, Any], max_bytes: int) -> None:
        """Starts without any text.

        Args:
            passes: the backend, which has the memory.
            max_bytes: memory for all texts; that of one is kept whatever it takes.
        """
        self._passes, self._max_bytes = passes, max_bytes
        self.clear()

    @property
    def kept(self) -> KeptTexts:
        """The texts that are kept; may be read in any thread."""
        return self._kept

    def clear(self) -> None:
        """Gives all memory back."""
        max_rows = self._max_bytes // self._passes.row_bytes
        self._slots = KvSlots(max_rows, step=self._passes.row_step)
        self._texts: dict[int, Text] = {}
        self._count()

    def shared(self, ids: Sequence[int]) -> int:
        """Returns how many leading ids need not be run."""
        return self._slots.plan(ids).shared

    def slot_for(self, ids: list[int], answer: int) -> Slot[Text]:
        """Returns the slot that serves `ids` best, cut to what they share.

        It has room for `answer` ids more.

        Raises:
            EngineError: the backend broke, or there is no memory for a single text.
        """
        while True:
            plan = self._slots.plan(ids, answer)
            for number in plan.dropped:
                self._slots.drop(number)
                del self._texts[number]
            try:
                text = self._memory_of(plan)
                break
            except MemoryError as error:
                self._keep_less(error)
        slot = Slot(text, self._slots.take(plan, ids))
        self._count()
        return slot

    def new_text(self, rows: int) -> Text:
        """Returns memory for a text that is not kept.

        Raises:
            EngineError: the backend broke, or there is no memory.
        """
        try:
            return self._passes.new_text(rows)
        except MemoryError as error:
            raise EngineError(_NO_MEMORY) from error

    def _memory_of(self, plan: Plan) -> Text:
        """Returns the memory of a plan's slot, with what the prompt shares."""
        if plan.slot not in self._texts:
            text = self._passes.new_text(plan.rows)
            if plan.shared:
                self._passes.copy(text, self._texts[plan.source], plan.shared)
            self._texts[plan.slot] = text
        elif plan.rows != self._slots.rows_of[plan.slot]:
            self._passes.resize(self._texts[plan.slot], plan.rows, plan.shared)
        return self._texts[plan.slot]

    def _keep_less(self, error: MemoryError) -> None:
        """Halves what is kept, since the system has no more memory.

        Raises:
            EngineError: nothing is kept already.
        """
        if not self._texts:
            raise EngineError(_NO_MEMORY) from error
        self._max_bytes = self._slots.rows * self._passes.row_bytes // 2
        logger.warning(
            "memory is short: what has been read of texts may take %d MB from now on, so more is "
            "read again; close other programs, or choose a smaller model",
            self._max_bytes // 10**6,
        )
        self.clear()

    def _count(self) -> None:
        """Publishes what is kept."""
        used = self._slots.rows * self._passes.row_bytes
        self._kept = KeptTexts(len(self._texts), used, self._max_bytes)
