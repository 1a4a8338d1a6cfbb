"""What engines share whose KV state lies in slots that are written in place: one decoding loop.

A backend supplies the memory of a text and one pass over some ids; here are prefix reuse (`slots`),
prompts in passes that can be cancelled, decoding, drafts that are checked in one pass (`drafts`),
the spelling of a forced text (`spelling`), and scores.  Rows beyond what a slot's list of ids names
are never read: a cancelled pass or a wrong guess is forgotten by not being counted.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, Generic, TypeVar

from model_runtime.engine import (
    DraftCounts,
    GeneratedToken,
    SamplingParams,
    ScoredToken,
    TokenStream,
    check_fits,
    check_scorable,
)
from model_runtime.engines.drafts import Drafter, Drafting, DraftSource
from model_runtime.engines.known_logits import KnownLogits
from model_runtime.engines.numpy_sampling import Draws
from model_runtime.engines.prefix import common_prefix
from model_runtime.engines.slots import Slots
from model_runtime.engines.spelling import spell
from model_runtime.errors import EngineError
from model_runtime.forced_text import ForcedText
from model_runtime.weights import Float32

Text = TypeVar("Text")
"""The keys and values of one text, as a backend holds them."""
Logits = TypeVar("Logits")
"""Logits of some places, [places, vocabulary], as a backend hands them out."""


class _Cancelled(Exception):
    """A pass was cancelled in the middle of a spelling."""


class SlotEngine(ABC, Generic[Text, Logits]):
    """An `Engine` but for its passes.  Subclasses name themselves and say how to open a bundle."""

    name: str
    PASS = 128
    """Most ids of a prompt that run at once; between two passes the cancel flag is looked at."""

    def __init__(
        self, context_length: int, vocab: int, *, slots: int, drafting: Drafting | None = None
    ) -> None:
        """Args:
        context_length: most ids that prompt and answer may have together.
        vocab: ids that the model knows.
        slots: how many texts are kept.
        drafting: when to guess ids ahead; None for never.
        """
        self.context_length = context_length
        self.drafting = drafting
        self.draft_source: DraftSource | None = None
        """Asked for a guess where a text itself offers none; the owner of the engine may set it."""
        self._vocab = vocab
        self._is_open = True
        self._slots = Slots(slots)
        self._texts: list[Text] = []
        self._known = KnownLogits(bytes_of_each=4 * vocab)

    @abstractmethod
    def _new_text(self) -> Text:
        """Memory for the keys and values of a whole context."""

    @abstractmethod
    def _copy(self, target: Text, source: Text, count: int) -> None:
        """Take over the first `count` rows of another text."""

    @abstractmethod
    def _run(
        self, text: Text, start: int, ids: Sequence[int], options: Any = None, kept: int = 1
    ) -> Logits:
        """Run `ids`, the first of which is at `start`; logits of the last `kept` of them.

        Raises:
            EngineError: the backend broke, or was cancelled through `options`.
        """

    @abstractmethod
    def _pick(
        self,
        logits: Logits,
        row: int,
        sampling: SamplingParams,
        random: Draws,
    ) -> GeneratedToken:
        """Choose the token after one of the places."""

    @abstractmethod
    def _row(self, logits: Logits, row: int) -> Float32:
        """Copy the logits of one place, float32 [vocabulary]."""

    @abstractmethod
    def _score(self, logits: Logits, ids: Sequence[int]) -> list[ScoredToken]:
        """How likely each id was at its place."""

    def _cancellable(self, cancel: threading.Event, *, ids: int) -> AbstractContextManager[Any]:
        """Options of the passes over a prompt of which so many ids are to be run."""
        return nullcontext()

    def generate(
        self,
        prompt: Sequence[int],
        sampling: SamplingParams,
        cancel: threading.Event | None = None,
        forced: ForcedText | None = None,
    ) -> TokenStream:
        """As `Engine.generate`; cancelling also interrupts a prefill."""
        check_fits(prompt, sampling, self.context_length)
        ids = list(prompt)
        self._check_known(ids)
        counts = DraftCounts()
        tokens = self._tokens(ids, sampling, cancel or threading.Event(), counts, forced)
        shared = self._slots.plan(ids).shared
        return TokenStream(tokens, cached_tokens=shared, drafts=counts)

    def verify(self, prompt: Sequence[int], drafted: Sequence[int]) -> list[GeneratedToken]:
        """What greedy decoding gives after `prompt`, as far as one pass can tell.

        Returns:
            The leading ids of `drafted` that are right, and the one that comes after them: between
            one and `len(drafted) + 1` tokens.

        Raises:
            PromptTooLong, EngineError: as `generate`.
        """
        greedy = SamplingParams(len(drafted) + 1, frozenset())
        ids = list(prompt)
        check_fits(ids, greedy, self.context_length)
        self._check_known([*ids, *drafted])
        self._check_open()
        text, held = self._slot_for(ids)
        never = threading.Event()
        if len(held) < len(ids) - 1:
            self._prefill(text, held, ids[:-1], [], never)
        last = ids[len(held) :]
        logits = self._run(text, len(held), [*last, *drafted], kept=len(drafted) + 1)
        held += last
        found = list(self._agreeing(logits, drafted, greedy, Draws(0)))
        held += [token.id for token in found[:-1]]
        return found

    def generate_batch(
        self,
        prompts: Sequence[Sequence[int]],
        sampling: SamplingParams,
        seeds: Sequence[int | None] | None = None,
    ) -> list[list[GeneratedToken]]:
        """As `Engine.generate_batch`, one after another, without a slot."""
        for prompt in prompts:
            check_fits(prompt, sampling, self.context_length)
            self._check_known(prompt)
        self._check_open()
        text, held, never = self._new_text(), list[int](), threading.Event()
        answers = []
        for ids, seed in zip(prompts, seeds or [sampling.seed] * len(prompts), strict=True):
            del held[min(common_prefix(held, ids), len(ids) - 1) :]
            random, counts = Draws(seed), DraftCounts()
            tokens = self._continued(text, held, list(ids), sampling, random, never, counts)
            answers.append(list(tokens))
        return answers

    def logprobs(self, ids: Sequence[int]) -> list[ScoredToken]:
        """As `Engine.logprobs`; no slot is used."""
        check_scorable(ids, self.context_length)
        self._check_known(ids)
        self._check_open()
        text = self._new_text()
        scored: list[ScoredToken] = []
        for start in range(0, len(ids) - 1, self.PASS):
            part = ids[start : min(start + self.PASS, len(ids) - 1)]
            logits = self._run(text, start, part, kept=len(part))
            scored += self._score(logits, ids[start + 1 : start + 1 + len(part)])
        return scored

    def close(self) -> None:
        """As `Engine.close`."""
        self._is_open = False
        self._texts.clear()
        self._slots = Slots(1)
        self._known = KnownLogits(bytes_of_each=4 * self._vocab)

    def _check_known(self, ids: Sequence[int]) -> None:
        if not 0 <= min(ids) <= max(ids) < self._vocab:
            raise EngineError(f"the prompt has an id outside of the vocabulary of {self._vocab}")

    def _check_open(self) -> None:
        if not self._is_open:
            raise EngineError("the engine is closed; open a new one")

    def _slot_for(self, ids: list[int]) -> tuple[Text, list[int]]:
        """The slot that serves `ids` best, cut to what they share."""
        plan = self._slots.plan(ids)
        if plan.slot == len(self._texts):
            self._texts.append(self._new_text())
        if plan.slot != plan.source:
            self._copy(self._texts[plan.slot], self._texts[plan.source], plan.shared)
        return self._texts[plan.slot], self._slots.take(plan, ids)

    def _tokens(
        self,
        ids: list[int],
        sampling: SamplingParams,
        cancel: threading.Event,
        counts: DraftCounts,
        forced: ForcedText | None,
    ) -> Generator[GeneratedToken, None, None]:
        self._check_open()
        if sampling.max_tokens < 1:
            return
        random = Draws(sampling.seed)
        if forced is not None:
            spelling = self._spelled(forced, ids, sampling, random, cancel, counts)
            for token in spelling:
                if cancel.is_set():
                    return
                ids.append(token.id)
                forced = forced.after(token.id)
                yield token
            if cancel.is_set() or len(ids) >= self.context_length:
                return
            sampling = replace(sampling, max_tokens=sampling.max_tokens - forced.is_beyond)
        text, held = self._slot_for(ids)
        counts.read += len(ids) - len(held)
        yield from self._continued(text, held, ids, sampling, random, cancel, counts)

    def _spelled(
        self,
        forced: ForcedText,
        ids: list[int],
        sampling: SamplingParams,
        random: Draws,
        cancel: threading.Event,
        counts: DraftCounts,
    ) -> list[GeneratedToken]:
        """The tokens that spell a forced text; none where it was cancelled."""

        def logits_after(more: Sequence[int]) -> Float32:
            whole = [*ids, *more]
            known = self._known.after(whole)
            return known if known is not None else self._read(whole, [], cancel, counts)

        try:
            if self._known.after(ids) is None:  # the line is new: its likely ids go along
                likely = forced.likely()[: self.context_length - len(ids)]
                self._read(ids, likely, cancel, counts)
            return spell(forced, logits_after, sampling, random)
        except _Cancelled:
            return []

    def _read(
        self, ids: list[int], likely: list[int], cancel: threading.Event, counts: DraftCounts
    ) -> Float32:
        """Run ids and a guess of what follows; keeps the logits after them and after each guess.

        Returns:
            The logits after `ids`, float32 [vocabulary].
        """
        text, held = self._slot_for(ids)
        counts.read += len(ids) - len(held) + len(likely)
        logits = self._prefill(text, held, ids, likely, cancel)
        if logits is None:
            raise _Cancelled
        rows = [self._row(logits, number) for number in range(1 + len(likely))]
        for number, row in enumerate(rows):
            self._known.keep([*ids, *likely[:number]], row)
        held += likely
        return rows[0]

    def _continued(
        self,
        text: Text,
        held: list[int],
        ids: list[int],
        sampling: SamplingParams,
        random: Draws,
        cancel: threading.Event,
        counts: DraftCounts,
    ) -> Generator[GeneratedToken, None, None]:
        """Decode after `ids`, of which `text` holds the first ones already.

        Args:
            text: the memory of this text.
            held: the ids that it holds; grows after each pass, so that it is true at any time.
            ids: the prompt; at least one more than `held`.
            sampling: as in `generate`.
            random: draws are from here, one for each token.
            cancel: ends the passes as well.
            counts: of the guesses.
        """
        left = sampling.max_tokens
        if left < 1:
            return
        logits = self._prefill(text, held, ids, [], cancel)
        if logits is not None:
            self._known.keep(ids, self._row(logits, 0))
        drafter = None
        if self.drafting is not None:
            drafter = Drafter(self.drafting, sampling.stop_ids, self.draft_source)
            drafter.add(ids)
        drafted: list[int] = []
        while logits is not None:
            last = None
            for token in self._agreeing(logits, drafted, sampling, random):
                if cancel.is_set():
                    return
                if last is not None:  # it was a right guess, so its row is written
                    held.append(last)
                    counts.accepted += 1
                last, left = token.id, left - 1
                yield token
                if left == 0 or last in sampling.stop_ids or cancel.is_set():
                    return
                if drafter is not None:
                    drafter.add([last])
            assert last is not None  # there is a row, so there is a token
            self._check_open()
            if len(held) + 1 >= self.context_length:  # a forced text has taken room
                return
            drafted = drafter.propose(left - 1) if drafter is not None else []
            logits = self._run(text, len(held), [last, *drafted], kept=1 + len(drafted))
            held.append(last)
            counts.passes += 1
            counts.proposed += len(drafted)

    def _agreeing(
        self,
        logits: Logits,
        drafted: Sequence[int],
        sampling: SamplingParams,
        random: Draws,
    ) -> Iterator[GeneratedToken]:
        """The tokens that a pass settles: one, and one more for each right guess before it."""
        for row in range(len(drafted) + 1):
            token = self._pick(logits, row, sampling, random)
            yield token
            if row == len(drafted) or token.id != drafted[row]:
                return

    def _prefill(
        self,
        text: Text,
        held: list[int],
        ids: list[int],
        guessed: list[int],
        cancel: threading.Event,
    ) -> Logits | None:
        """Run what is not held, and a guess of what follows it.

        Returns:
            The logits after the last id and after each guessed one; None where it was cancelled.
        """
        logits = None
        with self._cancellable(cancel, ids=len(ids) - len(held)) as options:
            while len(held) < len(ids) and not cancel.is_set():
                part = ids[len(held) : len(held) + self.PASS]
                is_last = len(held) + len(part) == len(ids)
                following = guessed if is_last else []
                try:
                    logits = self._run(
                        text, len(held), [*part, *following], options, kept=1 + len(following)
                    )
                except EngineError:
                    if cancel.is_set():  # the rows of this pass are none of `held`
                        return None
                    raise
                held += part
        return None if cancel.is_set() else logits
