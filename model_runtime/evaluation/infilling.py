"""Lets a model fill the holes of a benchmark: tasks in, samples out, none of them scored yet.

The prompt is `encoder.prompt`, as the server sends it, without a path or snippets.  Nothing ends a
completion but the model itself or the token limit; rules that cut are applied to the stored ids
later (cutting.py), under their own label.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple, Protocol, TypeVar

from model_runtime.decoding.stop_rules import StopStrings
from model_runtime.engines.protocol import (
    Engine,
    GeneratedToken,
    SamplingParams,
    generate_batch,
)
from model_runtime.evaluation.errors import EvaluationError
from model_runtime.evaluation.records import JsonLines
from model_runtime.evaluation.tasks import Task
from model_runtime.prompt.encoder import Prompt, PromptBudget, PromptEncoder, PromptRequest
from model_runtime.prompt.format import HoleStart
from model_runtime.prompt.tokenizer import FimTokenizer

T = TypeVar("T")

_UNFINISHED = "\ufffd"
_MAX_SPREAD = 3
"""Most ids by which the prompts of a group may differ in length.  An engine that takes them at once
(CTranslate2) reads what is longer than the shortest one token by token, which soon costs more than
the group saves.
"""


class InfillingModel(Protocol):
    """The part of a bundle that filling holes needs."""

    @property
    def encoder(self) -> PromptEncoder:
        """Encoder of the prompts."""
        ...

    @property
    def stop_ids(self) -> frozenset[int]:
        """Ids of END and every other sentinel."""
        ...


@dataclass(frozen=True, slots=True)
class DrawSettings:
    """Settings by which samples are drawn.

    Raises:
        EvaluationError: a number is out of range, or greedy samples would all be the same.
    """

    samples: int = 1
    """Number of samples of each task."""
    temperature: float = 0.0
    """Temperature; 0 is greedy."""
    top_p: float = 1.0
    max_new_tokens: int = 64
    """Limit on the tokens of a sample, END included; one that gets here has not stopped by itself.
    """
    seed: int = 0
    """Seed of which each sample's own is made, with its task and its number."""

    def __post_init__(self) -> None:
        if self.samples < 1 or self.max_new_tokens < 1 or self.temperature < 0:
            raise EvaluationError(
                "samples and max-new-tokens must be at least 1, and temperature at least 0"
            )
        if not 0 < self.top_p <= 1:
            raise EvaluationError(f"top-p must be above 0 and at most 1, not {self.top_p}")
        if self.samples > 1 and self.temperature == 0:
            raise EvaluationError(
                "greedy decoding gives the same sample every time; "
                "for more than one set a temperature, such as --temperature 0.2"
            )


@dataclass(frozen=True, slots=True)
class Sample:
    """One answer of the model, and how it came about."""

    task: str
    number: int
    """Number of the sample among those of its task, from 0."""
    ids: tuple[int, ...]
    """Generated ids, without the sentinel that ended them; first those that spell the text before
    the cursor on its line, where the hole begins at the line's start.
    """
    text: str
    """Text behind the cursor, uncut.  Empty text is an answer."""
    has_stopped: bool
    """Whether the model ended it (by END or another sentinel), not the token limit."""
    logprob: float
    """Natural log-probability of all generated tokens, the ending one included."""
    prompt_tokens: int
    is_prompt_cut: bool
    """Whether the prompt did not fit into the context whole."""
    milliseconds: float
    """Time of the batch it was decoded in, divided by the samples in it."""


def draw_samples(
    model: InfillingModel,
    engine: Engine,
    tasks: Sequence[Task],
    settings: DrawSettings,
    store: JsonLines,
    batch: int = 16,
) -> Iterator[Sample]:
    """Yields every sample of every task, those in `store` first, the others by prompt length.

    New ones are stored batch by batch; `batch` prompts are decoded at once.

    Raises:
        EvaluationError: the context has no room for the new tokens and a prompt.
        EngineError: the engine broke; what was drawn is stored, so the same call goes on.
    """
    if batch < 1:
        raise EvaluationError("--batch must be at least 1")
    room = engine.context_length - settings.max_new_tokens
    if room < 16:
        raise EvaluationError(
            f"{settings.max_new_tokens} new tokens leave no room for a prompt in the context of "
            f"{engine.context_length}; lower --max-new-tokens"
        )
    wanted = {(task.id, number) for task in tasks for number in range(settings.samples)}
    for record in store.read():
        if "milliseconds" not in record:
            raise EvaluationError(
                f"{store.path} was written by an earlier version; choose another --out"
            )
        sample = Sample(**{**record, "ids": tuple(record["ids"])})
        if (sample.task, sample.number) in wanted:
            wanted.remove((sample.task, sample.number))
            yield sample
    budget = PromptBudget(room)
    for group in _groups(model, tasks, wanted, budget, batch):
        yield from _draw(model, engine, group, settings, store)


def text_of(tokenizer: FimTokenizer, ids: Sequence[int]) -> str:
    """Returns the text of ids, without a last character of which only some bytes are there."""
    return tokenizer.decode(ids).rstrip(_UNFINISHED)


class _Ask(NamedTuple):
    """One sample that is wanted, and its prompt."""

    task: Task
    number: int
    prompt: Prompt


def _groups(
    model: InfillingModel,
    tasks: Sequence[Task],
    wanted: Collection[tuple[str, int]],
    budget: PromptBudget,
    size: int,
) -> Iterator[list[_Ask]]:
    """Yields the samples that are decoded together."""
    asks = []
    for task in tasks:
        numbers = sorted(number for id_, number in wanted if id_ == task.id)
        if numbers:
            prompt = model.encoder.prompt(PromptRequest(task.hole), budget)
            asks += [_Ask(task, number, prompt) for number in numbers]
    return of_like_length(asks, lambda ask: len(ask.prompt.ids), size)


def of_like_length(items: Iterable[T], length: Callable[[T], int], size: int) -> Iterator[list[T]]:
    """Yields groups of up to `size` items whose lengths differ by a few ids, the shortest ones
    first.

    The order of items of one length is kept, so that samples of a task stay together.

    >>> list(of_like_length([9, 30, 11, 10, 10], int, 3))
    [[9, 10, 10], [11], [30]]
    """
    group: list[T] = []
    for item in sorted(items, key=length):
        if group and (len(group) == size or length(item) > length(group[0]) + _MAX_SPREAD):
            yield group
            group = []
        group.append(item)
    if group:
        yield group


def _draw(
    model: InfillingModel,
    engine: Engine,
    group: Sequence[_Ask],
    settings: DrawSettings,
    store: JsonLines,
) -> Iterator[Sample]:
    """Decodes a group and store it, all of it or nothing."""
    tokenizer = model.encoder.tokenizer
    sampling = SamplingParams(
        max_tokens=settings.max_new_tokens,
        stop_ids=model.stop_ids,
        temperature=settings.temperature,
        top_p=settings.top_p,
    )
    stops = StopStrings(model.encoder.format.stop_strings)
    seeds = [_seed(settings.seed, ask.task.id, ask.number) for ask in group]
    started = time.perf_counter()
    answers = _answers(engine, tokenizer, group, sampling, seeds)
    milliseconds = (time.perf_counter() - started) * 1e3 / len(group)
    for ask, tokens in zip(group, answers, strict=True):
        has_stopped = bool(tokens) and tokens[-1].id in model.stop_ids
        ids = tuple(token.id for token in tokens[: len(tokens) - has_stopped])
        typed = ask.prompt.forced_text
        hole = ask.task.hole
        start = len(hole.prefix)
        if ask.prompt.hole_start is HoleStart.LINE:  # what is typed there is part of the answer
            start = hole.prefix.rfind("\n") + 1
        parts = (hole.prefix[:start], hole.suffix)
        whole = sum(len(tokenizer.encode(part)) for part in parts)
        sample = Sample(
            task=ask.task.id,
            number=ask.number,
            ids=ids,
            text=stops.cut_off(text_of(tokenizer, ids)[len(typed) :]),
            has_stopped=has_stopped,
            logprob=round(sum(token.logprob for token in tokens), 4),
            prompt_tokens=len(ask.prompt.ids),
            is_prompt_cut=ask.prompt.prefix_tokens + ask.prompt.suffix_tokens < whole,
            milliseconds=round(milliseconds, 2),
        )
        store.append(asdict(sample))
        yield sample


def _answers(
    engine: Engine,
    tokenizer: FimTokenizer,
    group: Sequence[_Ask],
    sampling: SamplingParams,
    seeds: Sequence[int],
) -> list[list[GeneratedToken]]:
    """Returns the tokens of each sample: of all at once, or one by one where a text is forced."""
    if not any(ask.prompt.forced_text for ask in group):
        return generate_batch(engine, [ask.prompt.ids for ask in group], sampling, seeds)
    answers = []
    for ask, seed in zip(group, seeds, strict=True):
        text = ask.prompt.forced_text
        forced = tokenizer.forced(text) if text else None
        with engine.generate(ask.prompt.ids, replace(sampling, seed=seed), forced=forced) as stream:
            answers.append(list(stream))
    return answers


def _seed(seed: int, task: str, number: int) -> int:
    """Returns the seed of a sample, the same whatever else is drawn, and in whatever order."""
    digest = hashlib.sha256(f"{seed}/{task}/{number}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1
