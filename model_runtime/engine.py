"""The seam between text and tensors: an engine continues token ids and knows nothing of text.

Implementations live in `model_runtime.engines`; one contract suite (`tests/contract`) holds for all
of them.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from model_runtime.errors import PromptTooLong


class GeneratedToken(NamedTuple):
    """One decoded token."""

    id: int
    logprob: float
    """Natural log of the probability that the model gave this token, at temperature 1."""


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How to pick each token, and when to stop at the latest."""

    max_tokens: int
    stop_ids: frozenset[int]
    """Ids that end the stream: END and every other sentinel.  The one that came is yielded last."""
    temperature: float = 0.0
    """0 is greedy, which every engine must decode identically in float32."""
    top_p: float = 1.0
    seed: int | None = None


class TokenStream(Iterator[GeneratedToken]):
    """Tokens as they are decoded.  Closing the stream stops the work; so does the cancel flag.

    Use it as a context manager, so that leaving the loop early cannot leave a backend decoding.
    """

    def __init__(
        self, tokens: Generator[GeneratedToken, None, None], *, cached_tokens: int
    ) -> None:
        self._tokens = tokens
        self.cached_tokens = cached_tokens
        """Leading ids of the prompt whose state was kept from an earlier request."""

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
        self, prompt: Sequence[int], sampling: SamplingParams, cancel: threading.Event | None = None
    ) -> TokenStream:
        """Decode up to `sampling.max_tokens` tokens after `prompt`.

        Setting `cancel` ends the stream within one token (an engine that can also interrupts the
        prefill).

        Raises:
            PromptTooLong: prompt and answer together exceed `context_length`.
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
