"""Yields the tokens that spell a forced text, before an engine decodes on.

Which tokens those are is decided in `spelling`, which needs numpy; this module does not, so that an
engine without numpy starts without it.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable
from dataclasses import replace

from model_runtime.engines.protocol import GeneratedToken, SamplingParams
from model_runtime.prompt.forced_text import ForcedText


class SpellingCancelled(Exception):
    """A request was canceled while its forced text was being spelled."""


def yield_spelling(
    spelling: Iterable[GeneratedToken],
    forced: ForcedText,
    ids: list[int],
    sampling: SamplingParams,
    cancel: threading.Event,
    context_length: int,
) -> Generator[GeneratedToken, None, SamplingParams | None]:
    """Yields the tokens of a spelling and appends their ids to `ids`.

    Args:
        spelling: tokens that spell `forced`; the last one may go beyond it.
        forced: the text.
        ids: the prompt; grows with each token that is yielded.
        sampling: limits the tokens that follow the text.
        cancel: ends the stream when it is set.
        context_length: most ids that prompt and answer may have together.

    Returns:
        The sampling of what follows, or None where nothing may follow.
    """
    for token in spelling:
        if cancel.is_set():
            return None
        ids.append(token.id)
        forced = forced.after(token.id)
        yield token
    left = sampling.max_tokens - forced.is_beyond
    if cancel.is_set() or len(ids) >= context_length or left < 1:
        return None
    return replace(sampling, max_tokens=left)
