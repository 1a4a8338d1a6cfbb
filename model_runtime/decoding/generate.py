"""Turns an engine's tokens into text, and ends the stream as soon as a stop rule can tell."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from model_runtime.decoding.confidence import ConfidenceCutoff, line_probability
from model_runtime.decoding.stop_rules import Cut, StopStrings
from model_runtime.engines.protocol import Engine, SamplingParams
from model_runtime.prompt.tokenizer import FimTokenizer

StopRule = Callable[[str], "Cut | None"]
"""Looks at the text so far and says where it ends."""


class Finish(Enum):
    """Names what ended a generation."""

    END = "end"
    """The model said so (END or another sentinel)."""
    RULE = "rule"
    LENGTH = "length"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Generation:
    """Holds generated text and how it came about."""

    text: str
    logprobs: tuple[float, ...]
    """One per token that `text` is made of, and END's where the model stopped by itself."""
    finish: Finish
    rule: str
    """Name of the stop rule, empty if none ended it."""
    tokens: int
    """Tokens decoded behind the forced text, those after the cut included."""
    cached_tokens: int
    first_token_ms: float
    total_ms: float
    probability: float = 1.0
    """Probability of the first line that it wrote, as far as `text` shows it; 1 for none."""
    ends: tuple[int, ...] = ()
    """Length of the text after each token that was decoded, those after the cut included."""
    read_tokens: int = 0
    """Ids that the engine ran before the first token behind the forced text."""
    forced_tokens: int = 0
    """Tokens that spell the forced text, less the one that goes beyond it."""
    decoded: str = ""
    """`text`, and what the cut has taken."""
    abandoned: int = 0
    """Answers that were given up, on which the engine's server went on meanwhile."""

    @property
    def mean_logprob(self) -> float:
        """Mean natural log-probability of the tokens kept; 0.0 for none."""
        return sum(self.logprobs) / len(self.logprobs) if self.logprobs else 0.0


def generate_text(
    engine: Engine,
    tokenizer: FimTokenizer,
    prompt: Sequence[int],
    sampling: SamplingParams,
    *,
    forced_text: str = "",
    stop_strings: Sequence[str] = (),
    stop: StopRule | None = None,
    unless_ended: StopRule | None = None,
    sure: ConfidenceCutoff | None = None,
    cancel: threading.Event | None = None,
) -> Generation:
    """Continues `prompt` until the model, a rule, low confidence, the limit or `cancel` ends it.

    What is decoded begins with `forced_text`, which is no part of the text that comes back; the
    probability of the token that goes beyond it is its share among those that agree with it.

    Args:
        engine: decodes.
        tokenizer: of the model.
        prompt: ids.
        sampling: how each token is picked; its stop ids end the text.
        forced_text: what is typed already.
        stop_strings: texts of the prompt format that end an answer; they are no part of it.
        stop: a rule that reads the text at each token.
        unless_ended: a rule that reads a text which neither the model nor a rule has ended.
        sure: ends the decoding at the token that makes a line too improbable.
        cancel: ends the work within a token.

    Raises:
        PromptTooLong, EngineError: as `Engine.generate`.
    """
    started = time.perf_counter()
    first_token_ms = 0.0
    ids: list[int] = []
    logprobs: list[float] = []
    ends: list[int] = []  # length of the text after each token
    text, finish, cut = "", Finish.LENGTH, None
    forced = tokenizer.forced(forced_text) if forced_text else None
    stream_of_text, stops = tokenizer.text_stream(), StopStrings(tuple(stop_strings))
    whole = ""  # the forced text, too
    with engine.generate(prompt, sampling, cancel, forced) as stream:
        for token in stream:
            if forced is not None and not forced.is_spelled:
                forced = forced.after(token.id)
                if not forced.is_beyond:
                    ids.append(token.id)
                    whole += stream_of_text.add(token.id)
                    continue
            if not first_token_ms:
                first_token_ms = (time.perf_counter() - started) * 1e3
            logprobs.append(token.logprob)
            if token.id in sampling.stop_ids:
                finish = Finish.END
                break
            ids.append(token.id)
            whole += stream_of_text.add(token.id)
            text = whole[len(forced_text) :]
            ends.append(len(text))
            cut = _first(
                stops.cut(text),
                stop(text) if stop is not None else None,
                sure.cut(text, ends, logprobs) if sure is not None else None,
            )
            if cut is not None:
                finish = Finish.RULE
                break
    if finish is Finish.LENGTH:
        cut = stops.cut_at_end(text)
        if cancel is not None and cancel.is_set():
            finish = Finish.CANCELLED
        elif unless_ended is not None and (found := unless_ended(text)) is not None:
            cut, finish = _first(cut, found), Finish.RULE
    tokens, decoded = len(logprobs), text
    doubt = sum(logprobs)
    if cut is not None:
        text = text[: cut.offset]
        kept = sum(end <= cut.offset for end in ends)
        # The token that the cut goes through counts as well: its first characters are shown.
        logprobs = logprobs[: kept + (not ends or kept == 0 or ends[kept - 1] < cut.offset)]
    return Generation(
        text=text,
        logprobs=tuple(logprobs),
        finish=finish,
        rule=cut.rule if cut else "",
        tokens=tokens,
        cached_tokens=stream.cached_tokens,
        first_token_ms=first_token_ms,
        total_ms=(time.perf_counter() - started) * 1e3,
        # Where doubt left nothing, the doubt itself is of interest.
        probability=line_probability(text, ends, logprobs) if text else math.exp(doubt),
        ends=tuple(ends),
        read_tokens=stream.counts.read,
        forced_tokens=len(ids) - len(ends),
        decoded=decoded,
        abandoned=stream.counts.abandoned,
    )


def _first(*cuts: Cut | None) -> Cut | None:
    """Returns the cut that leaves least."""
    return min((cut for cut in cuts if cut is not None), default=None)
