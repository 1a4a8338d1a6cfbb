"""Prefill and decoding over one KV slot: passes, and how they end when a request is canceled."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Sequence
from typing import Generic

from model_runtime.engines.numpy_sampling import Draws
from model_runtime.engines.pass_length import PassLength
from model_runtime.engines.protocol import GeneratedToken, SamplingParams
from model_runtime.engines.slot_passes import Logits, Passes, Text
from model_runtime.engines.slot_store import Slot
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
        length: PassLength,
    ) -> None:
        """Takes what a request is made of.

        Args:
            passes: the backend.
            slot: holds the first ids of the prompt already.
            sampling: as in `Engine.generate`.
            random: draws are from here, one for each token.
            cancel: ends the passes when it is set.
            length: tells how many ids of a prompt run in a pass.
        """
        self._passes, self._slot = passes, slot
        self._sampling, self._random = sampling, random
        self._cancel, self._length = cancel, length

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
    ) -> Generator[GeneratedToken, None, None]:
        """Decodes on from the logits of a prefill.

        Args:
            logits: what `prefill` returned.
            context_length: most ids that prompt and answer may have together.
            check_open: raises EngineError where the engine was closed meanwhile.
        """
        sampling, held, passes = self._sampling, self._slot.ids, self._passes
        with passes.cancellable(self._cancel, num_ids=1) as options:
            for left in range(sampling.max_tokens, 0, -1):
                if logits is None or self._cancel.is_set():
                    return
                token = passes.pick(logits, 0, sampling, self._random)
                yield token
                if left == 1 or token.id in sampling.stop_ids or self._cancel.is_set():
                    return
                check_open()
                if len(held) + 1 >= context_length:  # a forced text has taken room
                    return
                try:
                    logits = passes.run(self._slot.text, len(held), [token.id], options)
                except EngineError:
                    if self._cancel.is_set():  # the row of this pass is not counted
                        return
                    raise
                held.append(token.id)
