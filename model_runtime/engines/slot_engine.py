"""The engine of backends whose KV state lies in slots that are written in place.

A backend supplies passes (`slot_passes`); here are prefix reuse (`slot_store`), the spelling of a
forced text (`spelling`), scores, and what one request is made of; `slot_decoding` is its loop.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from typing import Generic

from model_runtime.engines.abilities import KeptTexts, Unread
from model_runtime.engines.checks import check_prompt, check_text
from model_runtime.engines.forced import SpellingCancelled, yield_spelling
from model_runtime.engines.known_logits import KnownLogits
from model_runtime.engines.numpy_sampling import Draws
from model_runtime.engines.pass_length import PassLength
from model_runtime.engines.prefix import common_prefix
from model_runtime.engines.protocol import (
    GeneratedToken,
    RunCounts,
    SamplingParams,
    ScoredToken,
    TokenStream,
)
from model_runtime.engines.slot_decoding import SlotDecoder
from model_runtime.engines.slot_passes import Logits, Passes, Text
from model_runtime.engines.slot_store import Slot, SlotStore
from model_runtime.engines.spelling import spell
from model_runtime.errors import EngineError
from model_runtime.models.weights import Float32
from model_runtime.prompt.forced_text import ForcedText


class SlotEngine(Generic[Text, Logits]):
    """An `Engine`, a `Scorer` and a `BatchDecoder` over a backend's passes.

    Subclasses name themselves and say how to open a bundle.
    """

    name: str
    max_concurrency = 1

    def __init__(
        self,
        passes: Passes[Text, Logits],
        context_length: int,
        vocab: int,
        *,
        kept_bytes: int,
        id_seconds: float = 0.0,
    ) -> None:
        """Takes a backend with a loaded model.

        Args:
            passes: the backend.
            context_length: most ids that prompt and answer may have together.
            vocab: number of ids that the model knows.
            kept_bytes: memory for the state of texts; that of one is kept whatever it takes.
            id_seconds: time of an id in a long pass; 0 where it is not known yet.
        """
        self.context_length = context_length
        self.passes = passes
        self._length = PassLength(passes.min_ids, passes.max_ids, id_seconds)
        self._store = SlotStore(passes, kept_bytes)
        self._vocab = vocab
        self._is_open = True
        self.forget()

    @property
    def kept_texts(self) -> KeptTexts:
        """Implements `TextKeeper.kept_texts`."""
        return self._store.kept

    def unread(self, prompt: Sequence[int]) -> Unread:
        """Implements `ReadingClock.unread`."""
        ids = len(prompt) - self._store.shared(prompt)
        return Unread(ids, ids * self._length.id_seconds)

    def generate(
        self,
        prompt: Sequence[int],
        sampling: SamplingParams,
        cancel: threading.Event | None = None,
        forced: ForcedText | None = None,
    ) -> TokenStream:
        """Implements `Engine.generate`; cancelling also interrupts a prefill."""
        check_prompt(prompt, sampling, self.context_length, self._vocab)
        ids = list(prompt)
        counts = RunCounts()
        tokens = self._tokens(ids, sampling, cancel or threading.Event(), counts, forced)
        shared = self._store.shared(ids)
        return TokenStream(tokens, cached_tokens=shared, counts=counts)

    def generate_batch(
        self,
        prompts: Sequence[Sequence[int]],
        sampling: SamplingParams,
        seeds: Sequence[int | None] | None = None,
    ) -> list[list[GeneratedToken]]:
        """Implements `BatchDecoder.generate_batch`, one prompt after another, without a slot."""
        for prompt in prompts:
            check_prompt(prompt, sampling, self.context_length, self._vocab)
        self._check_open()
        answers: list[list[GeneratedToken]] = []
        if not prompts:
            return answers
        longest = max(map(len, prompts)) + sampling.max_tokens
        slot, never = Slot(self._store.new_text(longest), list[int]()), threading.Event()
        for ids, seed in zip(prompts, seeds or [sampling.seed] * len(prompts), strict=True):
            del slot.ids[min(common_prefix(slot.ids, ids), len(ids) - 1) :]
            decoder = self._decoder(slot, sampling, Draws(seed), never)
            answers.append(list(self._continued(decoder, list(ids), sampling)))
        return answers

    def logprobs(self, ids: Sequence[int]) -> list[ScoredToken]:
        """Implements `Scorer.logprobs`; no slot is used."""
        check_text(ids, self.context_length, self._vocab)
        self._check_open()
        text = self._store.new_text(len(ids))
        scored: list[ScoredToken] = []
        for start in range(0, len(ids) - 1, self.passes.max_ids):
            part = ids[start : min(start + self.passes.max_ids, len(ids) - 1)]
            logits = self.passes.run(text, start, part, kept=len(part))
            scored += self.passes.score(logits, ids[start + 1 : start + 1 + len(part)])
        return scored

    def forget(self) -> None:
        """Drops the state of all texts; the next prompt runs cold."""
        self._store.clear()
        self._known = KnownLogits(bytes_of_each=4 * self._vocab)

    def close(self) -> None:
        """Implements `Engine.close`."""
        self._is_open = False
        self.forget()
        self.passes.close()

    def _check_open(self) -> None:
        if not self._is_open:
            raise EngineError("the engine is closed; open a new one")

    def _decoder(
        self,
        slot: Slot[Text],
        sampling: SamplingParams,
        random: Draws,
        cancel: threading.Event,
    ) -> SlotDecoder[Text, Logits]:
        return SlotDecoder(self.passes, slot, sampling, random, cancel, self._length)

    def _tokens(
        self,
        ids: list[int],
        sampling: SamplingParams,
        cancel: threading.Event,
        counts: RunCounts,
        forced: ForcedText | None,
    ) -> Generator[GeneratedToken, None, None]:
        self._check_open()
        if sampling.max_tokens < 1:
            return
        random = Draws(sampling.seed)
        if forced is not None:
            spelling = self._spelled(forced, ids, sampling, random, cancel, counts)
            after = yield from yield_spelling(
                spelling, forced, ids, sampling, cancel, self.context_length
            )
            if after is None:
                return
            sampling = after
        slot = self._store.slot_for(ids, sampling.max_tokens)
        counts.read += len(ids) - len(slot.ids)
        decoder = self._decoder(slot, sampling, random, cancel)
        yield from self._continued(decoder, ids, sampling)

    def _continued(
        self, decoder: SlotDecoder[Text, Logits], ids: list[int], sampling: SamplingParams
    ) -> Generator[GeneratedToken, None, None]:
        """Runs what the decoder's slot does not hold of `ids`, and decodes after them."""
        if sampling.max_tokens < 1:
            return
        logits = decoder.prefill(ids)
        if logits is not None:
            self._known.keep(ids, self.passes.row(logits, 0))
        yield from decoder.decode(logits, self.context_length, self._check_open)

    def _spelled(
        self,
        forced: ForcedText,
        ids: list[int],
        sampling: SamplingParams,
        random: Draws,
        cancel: threading.Event,
        counts: RunCounts,
    ) -> list[GeneratedToken]:
        """Returns the tokens that spell a forced text; none where it was canceled."""

        def read(whole: list[int], likely: list[int]) -> Float32:
            """Runs ids and a guess of what follows; keeps the logits after all of them."""
            slot = self._store.slot_for(whole, len(likely) + sampling.max_tokens)
            counts.read += len(whole) - len(slot.ids) + len(likely)
            decoder = self._decoder(slot, sampling, random, cancel)
            logits = decoder.prefill(whole, likely)
            if logits is None:
                raise SpellingCancelled
            rows = [self.passes.row(logits, number) for number in range(1 + len(likely))]
            for number, row in enumerate(rows):
                self._known.keep([*whole, *likely[:number]], row)
            slot.ids.extend(likely)
            return rows[0]

        def logits_after(more: Sequence[int]) -> Float32:
            whole = [*ids, *more]
            known = self._known.after(whole)
            return known if known is not None else read(whole, [])

        try:
            if self._known.after(ids) is None:  # the line is new: its likely ids go along
                read(list(ids), forced.likely()[: self.context_length - len(ids)])
            return spell(forced, logits_after, sampling, random)
        except SpellingCancelled:
            return []
