"""The seam between text and tensors: an engine continues token ids and knows nothing of text.

Serving needs an `Engine`, which can be anything that continues ids, also a program behind HTTP.
Evaluation needs more: a `Scorer` says how likely a given text is, a `BatchDecoder` continues many
prompts at once.  One contract suite (`tests/contract`) holds for all engines.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol, runtime_checkable

from model_runtime.prompt.forced_text import ForcedText


class GeneratedToken(NamedTuple):
    """One decoded token."""

    id: int
    logprob: float
    """Natural log of the probability that the model gave this token, at temperature 1.

    For a token that had to agree with a forced text: of its share among the allowed tokens.
    """


class ScoredToken(NamedTuple):
    """A token of a given text, with its probability at its place."""

    logprob: float
    """Natural log of the probability that the model gave this token, at temperature 1."""
    best_id: int
    """The id that greedy decoding would have chosen at this place."""


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """Says how each token is picked, and when decoding stops at the latest."""

    max_tokens: int
    """Most tokens to decode; of those that spell a forced text only the last may count."""
    stop_ids: frozenset[int]
    """Ids that end the stream (END and every other sentinel); the id that came is yielded last."""
    temperature: float = 0.0
    """Divides the logits; 0 is greedy, which every engine decodes identically in float32."""
    top_p: float = 1.0
    """Share of the probability that the tokens sampled from must reach, 0 to 1."""
    seed: int | None = None
    """Seed of the random draws; None draws differently each time."""


@dataclass(slots=True)
class RunCounts:
    """Counts what one request ran; the figures grow while its stream is read."""

    read: int = 0
    """Ids that ran before the first token behind the forced text."""
    abandoned: int = 0
    """Answers that were given up, on which a server went on meanwhile."""


class TokenStream(Iterator[GeneratedToken]):
    """Yields tokens as they are decoded; closing the stream stops the work.

    Use the stream as a context manager, so that no backend goes on when the loop is left early.
    """

    def __init__(
        self,
        tokens: Generator[GeneratedToken, None, None],
        *,
        cached_tokens: int,
        counts: RunCounts | None = None,
    ) -> None:
        self._tokens = tokens
        self.cached_tokens = cached_tokens
        """Leading ids of the prompt whose KV state was kept from an earlier request."""
        self.counts = counts or RunCounts()
        """Counts so far; they grow while the stream is read."""

    def __next__(self) -> GeneratedToken:
        return next(self._tokens)

    def __enter__(self) -> TokenStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stops decoding; returns when the engine is free again."""
        self._tokens.close()


class Engine(Protocol):
    """Continues token ids; the caller owns the order of requests.

    The engine owns its KV reuse: a prompt that shares a prefix with an earlier one costs less, and
    gives the same tokens as a fresh engine would.
    """

    name: str
    """Name as in the setting `engine`; "scripted" for the fake."""
    context_length: int
    """Most ids that prompt and answer may have together."""
    max_concurrency: int
    """Streams that may be open at once; an engine that runs in this process takes one."""

    def generate(
        self,
        prompt: Sequence[int],
        sampling: SamplingParams,
        cancel: threading.Event | None = None,
        forced: ForcedText | None = None,
    ) -> TokenStream:
        """Decodes up to `sampling.max_tokens` tokens after `prompt`.

        Args:
            prompt: at least one id.
            sampling: says how each token is picked, and when to stop at the latest.
            cancel: ends the stream within one token when it is set (an engine that can also
                interrupts the prefill).
            forced: text that the tokens must begin with; those that spell it are yielded too.  The
                stream is shorter where the context has no room for them.

        Raises:
            PromptTooLong: prompt and answer together exceed `context_length`.
            EngineError: the backend broke; open a new engine.
        """
        ...

    def close(self) -> None:
        """Frees the model's memory."""
        ...


@runtime_checkable
class Scorer(Protocol):
    """Says how likely a model finds a text; what evaluation needs beside an `Engine`."""

    context_length: int
    """Most ids of a text."""

    def logprobs(self, ids: Sequence[int]) -> list[ScoredToken]:
        """Scores a text in one pass: every id after the first, given all ids before it.

        Args:
            ids: the whole text; nothing is put before it.

        Returns:
            One entry for each of `ids[1:]`; natural logarithms.

        Raises:
            PromptTooLong: there are more than `context_length`, or fewer than one.
            EngineError: the backend broke; open a new engine.
        """
        ...


@runtime_checkable
class BatchDecoder(Protocol):
    """Continues many prompts at once, for work that nobody waits for token by token."""

    def generate_batch(
        self,
        prompts: Sequence[Sequence[int]],
        sampling: SamplingParams,
        seeds: Sequence[int | None] | None = None,
    ) -> list[list[GeneratedToken]]:
        """Decodes after each prompt what `Engine.generate` would, in float32 the same tokens.

        Prompts of like length decode fastest together; the caller sorts them and bounds their
        number, since all their states are in memory at the same time.  No state is kept.

        Args:
            prompts: each at least one id.
            sampling: applies to every prompt.
            seeds: one for each prompt, in place of the one in `sampling`.

        Returns:
            For each prompt its tokens, in the order given.

        Raises:
            PromptTooLong, EngineError: as `Engine.generate`.
        """
        ...


def generate_batch(
    engine: Engine,
    prompts: Sequence[Sequence[int]],
    sampling: SamplingParams,
    seeds: Sequence[int | None] | None = None,
) -> list[list[GeneratedToken]]:
    """Runs `BatchDecoder.generate_batch`, or `Engine.generate` for one prompt after the other.

    Raises:
        PromptTooLong, EngineError: as `Engine.generate`.
    """
    if isinstance(engine, BatchDecoder):
        return engine.generate_batch(prompts, sampling, seeds)
    answers = []
    for number, prompt in enumerate(prompts):
        own = sampling if seeds is None else replace(sampling, seed=seeds[number])
        with engine.generate(prompt, own) as stream:
            answers.append(list(stream))
    return answers
