"""Checks of what an engine is asked for; every engine makes them before it begins."""

from __future__ import annotations

from collections.abc import Sequence

from model_runtime.engines.protocol import SamplingParams
from model_runtime.errors import EngineError, PromptTooLong


def check_prompt(
    prompt: Sequence[int], sampling: SamplingParams, context_length: int, vocab: int | None = None
) -> None:
    """Refuses a prompt that would run over the context, or that has unknown ids.

    Args:
        prompt: ids to be continued.
        sampling: gives the number of new tokens.
        context_length: most ids that prompt and answer may have together.
        vocab: number of known ids; None for an engine that knows all.

    Raises:
        PromptTooLong: prompt and answer exceed the context.
        EngineError: an id is outside of the vocabulary.
    """
    if not prompt:
        raise PromptTooLong("an empty prompt cannot be continued")
    wanted = len(prompt) + sampling.max_tokens
    if wanted > context_length:
        raise PromptTooLong(
            f"a prompt of {len(prompt)} tokens and {sampling.max_tokens} new ones exceed the "
            f"context of {context_length}; lower contextTokens or maxNewTokens"
        )
    if vocab is not None:
        check_ids(prompt, vocab)


def check_text(ids: Sequence[int], context_length: int, vocab: int | None = None) -> None:
    """Refuses a text that cannot be scored in one pass; arguments as in `check_prompt`.

    Raises:
        PromptTooLong: the text is empty, or longer than the context.
        EngineError: an id is outside of the vocabulary.
    """
    if not ids:
        raise PromptTooLong("an empty text has no probability")
    if len(ids) > context_length:
        raise PromptTooLong(
            f"a text of {len(ids)} tokens exceeds the context of {context_length}; shorten it"
        )
    if vocab is not None:
        check_ids(ids, vocab)


def check_ids(ids: Sequence[int], vocab: int) -> None:
    """Refuses ids that the model does not have; backends would read another token in their place.

    Raises:
        EngineError: an id is outside of the vocabulary.
    """
    if not 0 <= min(ids) <= max(ids) < vocab:
        raise EngineError(f"the prompt has an id outside of the vocabulary of {vocab}")
