"""Makes several suggestions for one place, for the user who asks: different ones, best first.

All continue one prompt, so an engine that keeps its state reads it once; each reports how many of
its tokens were known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from fim_lsp.completion.trace import CandidateFigures, CandidateOutcome
from fim_lsp.suggestion import Completion
from model_runtime.decoding.generate import Generation
from model_runtime.engines.protocol import SamplingParams

TEMPERATURE, TOP_P = 0.8, 0.95
_TRIES_PER_CANDIDATE = 2

Show = Callable[[Generation], "Completion | None"]
"""Returns what the filters leave of a generation."""


def gather(
    best: Generation,
    max_candidates: int,
    generate: Callable[[SamplingParams], Generation],
    show: Show,
    greedy: SamplingParams,
    is_over: Callable[[], bool],
) -> tuple[list[Completion], tuple[CandidateFigures, ...]]:
    """Returns up to `max_candidates` different suggestions, and figures of all that were tried.

    Sampling ends when there are enough, after two tries for each that was wanted, or when
    `is_over` says so.
    """
    kept: list[Completion] = []
    figures: list[CandidateFigures] = []
    for generation in _generations(best, max_candidates, generate, greedy):
        completion = show(generation)
        if completion is None:
            outcome = CandidateOutcome.FILTERED
        else:
            kept = distinct([*kept, completion])
            is_kept = completion in kept
            outcome = CandidateOutcome.KEPT if is_kept else CandidateOutcome.DUPLICATE
        mean = completion.mean_logprob if completion else None
        figures.append(CandidateFigures(generation.cached_tokens, generation.tokens, mean, outcome))
        if len(kept) >= max_candidates or is_over():
            break
    return kept, tuple(figures)


def _generations(
    best: Generation,
    max_candidates: int,
    generate: Callable[[SamplingParams], Generation],
    greedy: SamplingParams,
) -> Iterator[Generation]:
    yield best
    for seed in range((max_candidates - 1) * _TRIES_PER_CANDIDATE):
        yield generate(replace(greedy, temperature=TEMPERATURE, top_p=TOP_P, seed=seed))


def distinct(completions: Iterable[Completion]) -> list[Completion]:
    """Returns the most probable of those that are alike, by the mean of what is shown, best first.

    Texts are alike when they differ in white space alone, or when one begins with the other: typing
    through the longer one passes the shorter.
    """
    kept: list[Completion] = []
    for completion in sorted(completions, key=lambda one: -one.mean_logprob):
        if not any(_are_alike(completion.text, other.text) for other in kept):
            kept.append(completion)
    return kept


def _are_alike(one: str, other: str) -> bool:
    a, b = "".join(one.split()), "".join(other.split())
    return a.startswith(b) or b.startswith(a)


def mean_logprob_of(shown: str, generation: Generation) -> float:
    """Returns the mean natural log-probability of the tokens that `shown` is made of.

    Filters shorten a text and change its white space; so the visible characters are counted.

    Args:
        shown: what the filters left of `generation.text`.
    """
    tokens = _tokens_of(shown, generation.text, generation.ends)
    logprobs = generation.logprobs[:tokens] or generation.logprobs
    return sum(logprobs) / len(logprobs) if logprobs else 0.0


def _tokens_of(shown: str, text: str, ends: Sequence[int]) -> int:
    visible = sum(not character.isspace() for character in shown)
    length = 0
    while visible and length < len(text):
        visible -= not text[length].isspace()
        length += 1
    return next((number for number, end in enumerate(ends, 1) if end >= length), len(ends))
