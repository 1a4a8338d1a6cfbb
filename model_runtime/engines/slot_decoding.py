"""Prefill and decoding over one KV slot: passes, guesses that one pass checks, cancellation."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, Generic

from model_runtime.engines.numpy_sampling import Draws
from model_runtime.engines.pass_length import PassLength
from model_runtime.engines.protocol import DraftCounts, GeneratedToken, SamplingParams
from model_runtime.engines.slot_passes import Logits, Passes, Text
from model_runtime.engines.slot_store import Slot
from model_runtime.engines.speculative import Drafter
from model_runtime.errors import EngineError


class SlotDecoder(Generic[Text, Logits]):
    """Decodes after one prompt in one slot."""

    def __init__(
        self,
        passes: Passes[Text, Logits],
        slot: Slot[Text],
        sampling: SamplingParams,
        random: Draws,
        cancel: threading.Event,
        counts: DraftCounts,
        length: PassLength,
    ) -> None:
        """Takes what a request is made of.

        Args:
            passes: the backend.
            slot: holds the first ids of the prompt already.
            sampling: as in `Engine.generate`.
            random: draws are from here, one for each token.
            cancel: ends the passes when it is set.
            counts: grow as ids are run.
            length: tells how many ids of a prompt run in a pass.
        """
        self._passes, self._slot = passes, slot
        self._sampling, self._random = sampling, random
        self._cancel, self._counts, self._length = cancel, counts, length

    def prefill(self, ids: Sequence[int], guessed: Sequence[int] = ()) -> Logits | None:
        """Runs the ids that the slot does not hold, and a guess of what follows them.

        Returns:
            The logits after the last id and after each guessed one; None where it was canceled.
            The guessed ids are not counted as held.
        """
        passes, slot, cancel = self._passes, self._slot, self._cancel
        logits = None
        with passes.cancellable(cancel, num_ids=len(ids) - len(slot.ids)) as options:
            while len(slot.ids) < len(ids) and not cancel.is_set():
                start = len(slot.ids)
                part = ids[start : start + self._length.ids]
                following = guessed if start + len(part) == len(ids) else ()
                started = time.perf_counter()
                try:
                    logits = passes.run(
                        slot.text, start, [*part, *following], options, kept=1 + len(following)
                    )
                except EngineError:
                    if cancel.is_set():  # the rows of this pass are not counted
                        return None
                    raise
                slot.ids.extend(part)
                self._length.took(len(part), time.perf_counter() - started)
        return None if cancel.is_set() else logits

    def decode(
        self,
        logits: Logits | None,
        context_length: int,
        check_open: Callable[[], None],
        drafter: Drafter | None = None,
    ) -> Generator[GeneratedToken, None, None]:
        """Decodes on from the logits of a prefill.

        Args:
            logits: what `prefill` returned.
            context_length: most ids that prompt and answer may have together.
            check_open: raises EngineError where the engine was closed meanwhile.
            drafter: guesses ids that the next pass checks; None to decode one id at a time.
        """
        with self._passes.cancellable(self._cancel, num_ids=1) as options:
            yield from self._decoded(logits, context_length, check_open, drafter, options)

    def _decoded(
        self,
        logits: Logits | None,
        context_length: int,
        check_open: Callable[[], None],
        drafter: Drafter | None,
        options: Any,
    ) -> Generator[GeneratedToken, None, None]:
        sampling, held = self._sampling, self._slot.ids
        left = sampling.max_tokens
        drafted: list[int] = []
        while logits is not None:
            last = None
            for token in self.agreeing(logits, drafted):
                if self._cancel.is_set():
                    return
                if last is not None:  # it was a right guess, so its row is written
                    held.append(last)
                    self._counts.accepted += 1
                last, left = token.id, left - 1
                yield token
                if left == 0 or last in sampling.stop_ids or self._cancel.is_set():
                    return
                if drafter is not None:
                    drafter.add([last])
            assert last is not None  # there is a row, so there is a token
            check_open()
            if len(held) + 1 >= context_length:  # a forced text has taken room
                return
            drafted = drafter.propose(left - 1) if drafter is not None else []
            ids = [last, *drafted]
            try:
                logits = self._passes.run(self._slot.text, len(held), ids, options, kept=len(ids))
            except EngineError:
                if self._cancel.is_set():  # the rows of this pass are not counted
                    return
                raise
            held.append(last)
            self._counts.passes += 1
            self._counts.proposed += len(drafted)

    def agreeing(self, logits: Logits, drafted: Sequence[int]) -> Iterator[GeneratedToken]:
        """Yields the tokens that a pass settles: one, and one more for each right guess."""
        for row in range(len(drafted) + 1):
            token = self._passes.pick(logits, row, self._sampling, self._random)
            yield token
            if row == len(drafted) or token.id != drafted[row]:
                return
