"""Records what came of each request, why, and where the time went.

A `RequestTrace` belongs to the event loop.  A `GenerationTrace` is written on the engine's thread
by a generation, which may outlive the request that began it, or serve a later one.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple
from urllib.parse import unquote

from fim_lsp.completion.reasons import ConfidenceFigures, RequestOutcome, Silence
from fim_lsp.context import Gathered, Source
from fim_lsp.suggestion import Completion, Trigger
from model_runtime.decoding.generate import Generation
from model_runtime.prompt.encoder import Prompt
from model_runtime.prompt.format import HoleStart

MAX_TRACES = 50
"""Requests of one editor that are kept."""

_MAX_HELD_BACK = 400
"""Characters that are kept of a text that was held back."""


class AnsweredBy(Enum):
    """The step that answered a request; the value is its name in JSON and in the logs."""

    CACHE = "cache"
    LINE_NGRAMS = "project memory"
    IN_FLIGHT = "running"
    """A generation that was under way."""
    MODEL = "model"


class Timings:
    """Milliseconds by the name of a step."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Adds the time that the `with` block takes to a step."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, (time.perf_counter() - begun) * 1e3)

    def add(self, name: str, milliseconds: float) -> None:
        """Adds milliseconds to a step."""
        self.ms[name] = self.ms.get(name, 0.0) + milliseconds

    def include(self, other: Timings) -> None:
        """Adds all steps of other timings."""
        for name, milliseconds in other.ms.items():
            self.add(name, milliseconds)


@dataclass(frozen=True, slots=True)
class DebounceFigures:
    """The adaptive wait for the next key, in milliseconds."""

    wait_ms: float
    key_gap_ms: int | None = None
    """Median time between two keys; None while too few are known."""
    answer_ms: int | None = None
    """Median time of an answer; None while too few are known."""


@dataclass(frozen=True, slots=True)
class LineNgramFigures:
    """The counts behind a line that was suggested without a model."""

    written_before: int
    """Lines of the project that started in the same way and continued as suggested."""
    of_times: int
    """Lines of the project that started in the same way."""
    under_same_line: bool
    """Whether only lines below the same line were counted."""
    confidence: ConfidenceFigures


@dataclass(frozen=True, slots=True)
class PromptFigures:
    """Size of a prompt in tokens, by the parts that it was made of."""

    prompt_tokens: int
    prefix_tokens: int
    suffix_tokens: int
    snippet_tokens: int
    typed_tokens: int
    """Tokens between the start of the hole and the cursor, which are forced."""
    hole_start: HoleStart
    single_line: bool
    """Whether the model was to stop at the end of the line."""
    snippet_tokens_by_source: Mapping[Source, int] | None = None

    @classmethod
    def of(cls, prompt: Prompt, gathered: Gathered, single_line: bool) -> PromptFigures:
        """Returns the figures of a prompt, and of what was gathered for it."""
        return cls(
            prompt_tokens=len(prompt.ids),
            prefix_tokens=prompt.prefix_tokens,
            suffix_tokens=prompt.suffix_tokens,
            snippet_tokens=prompt.snippet_tokens,
            typed_tokens=prompt.typed_tokens,
            hole_start=prompt.hole_start,
            single_line=single_line,
            snippet_tokens_by_source=gathered.tokens_by_source(prompt.tokens_of_snippets),
        )


@dataclass(frozen=True, slots=True)
class DecodingFigures:
    """Tokens that the engine read and wrote for the best suggestion."""

    cached_tokens: int
    """Prompt tokens that the engine still knew from an earlier request of this editor."""
    new_tokens: int
    read_tokens: int
    forced_tokens: int
    finish: str
    """Name of the stop rule, or why the engine stopped."""
    mean_logprob: float
    abandoned_answers: int | None = None
    """Answers that nobody waits for, on which the server went on meanwhile; None for none."""

    @classmethod
    def of(cls, generation: Generation) -> DecodingFigures:
        """Returns those of a generation."""
        return cls(
            cached_tokens=generation.cached_tokens,
            new_tokens=generation.tokens,
            read_tokens=generation.read_tokens,
            forced_tokens=generation.forced_tokens,
            finish=generation.rule or generation.finish.value,
            mean_logprob=generation.mean_logprob,
            abandoned_answers=generation.abandoned or None,
        )


class CandidateOutcome(Enum):
    """Whether one of several candidates is shown."""

    KEPT = "kept"
    FILTERED = "filtered"
    DUPLICATE = "like another"


@dataclass(frozen=True, slots=True)
class CandidateFigures:
    """One generation that was tried for a user who asked."""

    cached_tokens: int
    new_tokens: int
    mean_logprob: float | None
    """Mean over the tokens that are shown; None where nothing was left to show."""
    outcome: CandidateOutcome


@dataclass(slots=True)
class GenerationTrace:
    """All that one generation noted; the figures are None until they are known."""

    prompt: PromptFigures | None = None
    decoding: DecodingFigures | None = None
    confidence: ConfidenceFigures | None = None
    candidates: tuple[CandidateFigures, ...] = ()
    rules: tuple[str, ...] = ()
    """Filters that changed the text."""
    silence: Silence | None = None
    held_back: str = field(default="", repr=False)
    """Text of the model that nobody was shown: code, for the explanation to the user alone."""
    worked_ms: float = 0.0
    """Milliseconds on the engine's thread, from its first step to its last."""
    timings: Timings = field(default_factory=Timings)

    def hold_back(self, text: str, silence: Silence) -> None:
        """Records why a text is not shown, and the beginning of the text."""
        is_long = len(text) > _MAX_HELD_BACK
        self.held_back = f"{text[:_MAX_HELD_BACK]}..." if is_long else text
        self.silence = silence


class GenerationResult(NamedTuple):
    """The completions of one generation, best first, and its trace."""

    completions: tuple[Completion, ...]
    trace: GenerationTrace


@dataclass(slots=True)
class RequestTrace:
    """One request, from its arrival to its answer."""

    uri: str
    trigger: Trigger
    number: int = 0
    """Counts the requests of one editor from 1, so that a reader can tell new ones from old."""
    outcome: RequestOutcome | None = None
    """None until the request is answered."""
    silence: Silence | None = None
    """Reason why nothing was shown; None when something was."""
    answered_by: AnsweredBy | None = None
    debounce: DebounceFigures | None = None
    """None where a setting fixes the wait, or nothing waited."""
    line_ngrams: LineNgramFigures | None = None
    generation: GenerationTrace | None = None
    """The generation that answered, which an earlier request may have begun."""
    is_prefetched: bool = False
    """Whether the suggestion was made ahead when the one before it was accepted."""
    timings: Timings = field(default_factory=Timings)
    started: float = field(default_factory=time.perf_counter)

    def reject(self, silence: Silence) -> None:
        """Records that nothing will be shown."""
        self.outcome, self.silence = RequestOutcome.NOTHING, silence

    def finish(self) -> None:
        """Records the total time."""
        self.timings.ms["total"] = (time.perf_counter() - self.started) * 1e3

    @property
    def confidence(self) -> ConfidenceFigures | None:
        """The confidence in what was suggested or suppressed, where it was estimated."""
        if self.line_ngrams is not None:
            return self.line_ngrams.confidence
        return None if self.generation is None else self.generation.confidence


class Answer(NamedTuple):
    """The answer to a request, and its trace."""

    completions: list[Completion] | None
    """Suggestions, best first; empty for none; None when a newer request took over."""
    trace: RequestTrace


class RequestLog:
    """The last requests of one editor."""

    def __init__(self) -> None:
        self._traces: deque[RequestTrace] = deque(maxlen=MAX_TRACES)
        self._added = 0

    def add(self, trace: RequestTrace) -> None:
        """Keeps the trace of an answered request, and numbers it."""
        self._added += 1
        trace.number = self._added
        self._traces.append(trace)

    def forget_texts(self, uri: str) -> None:
        """Drops what was written for a document and not shown; the figures stay."""
        closed = unquote(uri)
        for trace in self._traces:
            if trace.generation is not None and unquote(trace.uri) == closed:
                trace.generation.held_back = ""

    def newest(self, uri: str = "", limit: int = MAX_TRACES) -> list[RequestTrace]:
        """Returns traces, newest first.

        Args:
            uri: keeps those of one document, with or without escapes; empty for all documents.
            limit: number of traces, at most.
        """
        wanted = unquote(uri)
        traces = (
            trace for trace in reversed(self._traces) if not uri or unquote(trace.uri) == wanted
        )
        return [trace for trace, _ in zip(traces, range(limit), strict=False)]
