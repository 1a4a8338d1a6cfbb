"""The seam between text and tensors: an engine continues token ids and knows nothing of text.

Implementations live in `model_runtime.engines`; one contract suite (`tests/contract`) holds for all
of them.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from model_runtime.errors import PromptTooLong
from model_runtime.forced_text import ForcedText


class GeneratedToken(NamedTuple):
    """One decoded token."""

    id: int
    logprob: float
    """Natural log of the probability that the model gave this token, at temperature 1; of one that
    had to agree with a forced text, its share among the tokens that were allowed.
    """


class ScoredToken(NamedTuple):
    """How likely a given token was at its place."""

    logprob: float
    """Natural log of the probability that the model gave this token, at temperature 1."""
    best_id: int
    """The id that greedy decoding would have put there."""


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How to pick each token, and when to stop at the latest."""

    max_tokens: int
    """Those that spell a forced text are not counted, but for the one that goes beyond it."""
    stop_ids: frozenset[int]
    """Ids that end the stream: END and every other sentinel.  The one that came is yielded last."""
    temperature: float = 0.0
    """0 is greedy, which every engine must decode identically in float32."""
    top_p: float = 1.0
    seed: int | None = None


@dataclass(slots=True)
class DraftCounts:
    """Counts of one request: ids that were read, and what became of the engine's guesses."""

    read: int = 0
    """Ids that were run before the first token that is no spelling of the forced text."""
    proposed: int = 0
    """Ids that were run as a guess."""
    accepted: int = 0
    """Of those, the ones that were decoded."""
    passes: int = 0
    """Times that the model ran after the prompt."""


class TokenStream(Iterator[GeneratedToken]):
    """Tokens as they are decoded.  Closing the stream stops the work; so does the cancel flag.

    Use it as a context manager, so that leaving the loop early cannot leave a backend decoding.
    """

    def __init__(
        self,
        tokens: Generator[GeneratedToken, None, None],
        *,
        cached_tokens: int,
        drafts: DraftCounts | None = None,
    ) -> None:
        self._tokens = tokens
        self.cached_tokens = cached_tokens
        """Leading ids of the prompt whose state was kept from an earlier request."""
        self.drafts = drafts or DraftCounts()
        """How many ids were guessed so far, and how many of them were right."""

    def __next__(self) -> GeneratedToken:
        return next(self._tokens)

    def __enter__(self) -> TokenStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop decoding; returns when the engine is free again."""
        self._tokens.close()


class Engine(Protocol):
    """Continues token ids.  One stream at a time; the caller owns the order of requests.

    The engine owns its KV reuse: a prompt that shares a prefix with an earlier one costs less, and
    gives the same tokens as a fresh engine would.
    """

    name: str
    """As in the setting `engine`: ctranslate2, onnx, torch; "scripted" for the fake."""
    context_length: int
    """Most ids that prompt and answer may have together."""

    def generate(
        self,
        prompt: Sequence[int],
        sampling: SamplingParams,
        cancel: threading.Event | None = None,
        forced: ForcedText | None = None,
    ) -> TokenStream:
        """Decode up to `sampling.max_tokens` tokens after `prompt`.

        Args:
            prompt: at least one id.
            sampling: how each token is picked, and when to stop at the latest.
            cancel: setting it ends the stream within one token (an engine that can also interrupts
                the prefill).
            forced: text that the tokens must begin with; those that spell it are yielded too.  The
                stream is shorter where the context has no room for them.

        Raises:
            PromptTooLong: prompt and answer together exceed `context_length`.
            EngineError: the backend broke; open a new engine.
        """
        ...

    def generate_batch(
        self,
        prompts: Sequence[Sequence[int]],
        sampling: SamplingParams,
        seeds: Sequence[int | None] | None = None,
    ) -> list[list[GeneratedToken]]:
        """Continue many prompts at once, for work that nobody waits for token by token.

        In float32 and with `temperature` 0 the tokens are those of `generate`, prompt by prompt.
        Prompts of like length decode fastest together; the caller sorts them and bounds their
        number, since all their states are in memory at the same time.  Nothing of them is kept.

        Args:
            prompts: each at least one id.
            sampling: of every prompt.
            seeds: one for each prompt, in place of the one in `sampling`.

        Returns:
            For each prompt what `generate` would yield, in the order given.

        Raises:
            PromptTooLong, EngineError: as `generate`.
        """
        ...

    def logprobs(self, ids: Sequence[int]) -> list[ScoredToken]:
        """Score a text in one pass: every id after the first, given all ids before it.

        Args:
            ids: the whole text; nothing is put before it.

        Returns:
            One entry for each of `ids[1:]`; natural logarithms.

        Raises:
            PromptTooLong: there are more than `context_length`, or fewer than one.
            EngineError: the backend broke; open a new engine.
        """
        ...

    def close(self) -> None:
        """Free the model's memory."""
        ...


def check_fits(prompt: Sequence[int], sampling: SamplingParams, context_length: int) -> None:
    """Refuse a request that would run over the context; engines call this first.

    Raises:
        PromptTooLong: it would.
    """
    if not prompt:
        raise PromptTooLong("an empty prompt cannot be continued")
    wanted = len(prompt) + sampling.max_tokens
    if wanted > context_length:
        raise PromptTooLong(
            f"a prompt of {len(prompt)} tokens and {sampling.max_tokens} new ones exceed the "
            f"context of {context_length}; lower contextTokens or maxNewTokens"
        )


def check_scorable(ids: Sequence[int], context_length: int) -> None:
    """Refuse a text that cannot be scored in one pass.

    Raises:
        PromptTooLong: it is empty, or longer than the context.
    """
    if not ids:
        raise PromptTooLong("an empty text has no probability")
    if len(ids) > context_length:
        raise PromptTooLong(
            f"a text of {len(ids)} tokens exceeds the context of {context_length}; shorten it"
        )


def one_by_one(
    engine: Engine,
    prompts: Sequence[Sequence[int]],
    sampling: SamplingParams,
    seeds: Sequence[int | None] | None = None,
) -> list[list[GeneratedToken]]:
    """`Engine.generate_batch` for a backend that decodes one prompt at a time."""
    answers = []
    for number, prompt in enumerate(prompts):
        own = sampling if seeds is None else replace(sampling, seed=seeds[number])
        with engine.generate(prompt, own) as stream:
            answers.append(list(stream))
    return answers
