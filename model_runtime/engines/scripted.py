"""An engine for tests: answers what it is told to, and behaves as a real engine otherwise."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace

from model_runtime.engines.abilities import Unread
from model_runtime.engines.checks import check_prompt, check_text
from model_runtime.engines.prefix import common_prefix
from model_runtime.engines.protocol import GeneratedToken, SamplingParams, ScoredToken, TokenStream
from model_runtime.errors import EngineError
from model_runtime.prompt.forced_text import ForcedText

Script = Callable[[Sequence[int]], Sequence[int]]
"""Maps a prompt's ids to the ids of the answer."""


class ScriptedEngine:
    """Answers from a script, and remembers what it was asked.

    >>> engine = ScriptedEngine([7, 8, 0])
    >>> sampling = SamplingParams(max_tokens=9, stop_ids=frozenset({0}))
    >>> [token.id for token in engine.generate([1, 2], sampling)]
    [7, 8, 0]
    >>> engine.prompts
    [[1, 2]]
    """

    name = "scripted"
    max_concurrency = 1

    def __init__(
        self,
        answer: Sequence[int] | Script,
        *,
        context_length: int = 2048,
        logprob: float = -0.001,
        prefill_seconds: float = 0.0,
        token_seconds: float = 0.0,
        id_seconds: float = 0.0,
        fail: Exception | None = None,
        fail_after: int = 0,
    ) -> None:
        """Answers every prompt with fixed ids, or with what a function makes of the prompt.

        The answer ends early at a stop id or at `max_tokens`, as a model's would.

        Args:
            answer: ids, or a function from the prompt to ids.
            context_length: most ids that prompt and answer may have together.
            logprob: natural log-probability of every token.
            prefill_seconds: pause before the first token; ends at once when cancelled.
            token_seconds: pause before each further token; ends at once when cancelled.
            id_seconds: time of an id of a prompt, as it tells who asks; nothing takes it.
            fail: raised in place of a token.
            fail_after: tokens that are decoded before that, over all requests.
        """
        self.context_length = context_length
        self.prompts: list[list[int]] = []
        """Every prompt that was asked to be continued, oldest first."""
        self.tokens_decoded = 0
        self.is_closed = False
        self._script: Script = answer if callable(answer) else lambda _: answer
        self._logprob = logprob
        self.prefill_seconds, self.token_seconds = prefill_seconds, token_seconds
        """Pauses in seconds; may be changed between two requests, also by the script."""
        self.id_seconds = id_seconds
        """Time of an id of a prompt, as it tells; may be changed between two requests."""
        self._fail, self._fail_after = fail, fail_after

    @classmethod
    def saying(
        cls, text: str, encode: Callable[[str], Sequence[int]], end: int, **options: float
    ) -> ScriptedEngine:
        """Returns an engine that answers with a text and END; `encode` is a tokenizer's."""
        return cls([*encode(text), end], **options)  # type: ignore[arg-type]

    def generate(
        self,
        prompt: Sequence[int],
        sampling: SamplingParams,
        cancel: threading.Event | None = None,
        forced: ForcedText | None = None,
    ) -> TokenStream:
        """Implements `Engine.generate`; spells a forced text as its tokenizer would."""
        if self.is_closed:
            raise EngineError("the engine is closed; open a new one")
        check_prompt(prompt, sampling, self.context_length)
        cached_tokens = len(prompt) - self.unread(prompt).ids
        self.prompts.append(list(prompt))
        spelling = forced.likely() if forced is not None else []
        tokens = self._tokens(list(prompt), spelling, sampling, cancel or threading.Event())
        return TokenStream(tokens, cached_tokens=cached_tokens)

    def unread(self, prompt: Sequence[int]) -> Unread:
        """Implements `ReadingClock.unread`; the last prompt is kept."""
        last = self.prompts[-1] if self.prompts else []
        # One id always has to be run, to have something to continue.
        ids = len(prompt) - min(common_prefix(last, prompt), len(prompt) - 1)
        return Unread(ids, ids * self.id_seconds)

    def generate_batch(
        self,
        prompts: Sequence[Sequence[int]],
        sampling: SamplingParams,
        seeds: Sequence[int | None] | None = None,
    ) -> list[list[GeneratedToken]]:
        """Implements `BatchDecoder.generate_batch`, one prompt after the other."""
        own = seeds or [sampling.seed] * len(prompts)
        return [
            list(self.generate(prompt, replace(sampling, seed=seed)))
            for prompt, seed in zip(prompts, own, strict=True)
        ]

    def logprobs(self, ids: Sequence[int]) -> list[ScoredToken]:
        """Implements `Scorer.logprobs`: whatever is given is what the engine would have said."""
        if self.is_closed:
            raise EngineError("the engine is closed; open a new one")
        check_text(ids, self.context_length)
        return [ScoredToken(self._logprob, id_) for id_ in ids[1:]]

    def close(self) -> None:
        """Implements `Engine.close`."""
        self.is_closed = True

    def _tokens(
        self,
        prompt: list[int],
        spelling: list[int],
        sampling: SamplingParams,
        cancel: threading.Event,
    ) -> Generator[GeneratedToken, None, None]:
        yield from (GeneratedToken(id_, 0.0) for id_ in spelling)
        answer = list(self._script(prompt))[: sampling.max_tokens]
        pause = self.prefill_seconds
        for id_ in answer:
            if self._fail is not None and self.tokens_decoded >= self._fail_after:
                raise self._fail
            if cancel.wait(pause) if pause else cancel.is_set():
                return
            self.tokens_decoded += 1
            yield GeneratedToken(id_, self._logprob)
            if id_ in sampling.stop_ids:
                return
            pause = self.token_seconds
