"""Starts generations on the engine's thread, and keeps what they give."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from fim_lsp.completion.cache import TypeThroughCache
from fim_lsp.completion.debounce import AdaptiveDebounce
from fim_lsp.completion.first_window import FirstWindow
from fim_lsp.completion.generation import GenerationTask
from fim_lsp.completion.in_flight import InFlightGeneration, InFlightGenerations
from fim_lsp.completion.inputs import Inputs
from fim_lsp.completion.own_prompts import OwnPrompts
from fim_lsp.completion.speed_watch import SpeedWatch
from fim_lsp.completion.trace import GenerationResult, GenerationTrace
from fim_lsp.feedback.threshold import ThresholdAdapter
from fim_lsp.model_host.host import ModelHost
from model_runtime.served_model import ServedModel

logger = logging.getLogger(__name__)


class Generator:
    """Generates for one editor."""

    def __init__(
        self,
        host: ModelHost,
        cache: TypeThroughCache,
        debounce: AdaptiveDebounce,
        in_flight: InFlightGenerations,
        threshold: ThresholdAdapter,
    ) -> None:
        """Takes what generations are run on, and what is told of their results.

        Args:
            host: runs them.
            cache: gets each result, also where nobody waits for it any more.
            debounce: is told how long the answers to typing take.
            in_flight: has those that are under way.
            threshold: moves the eagerness by what its user takes.
        """
        self._host = host
        self._cache = cache
        self._debounce = debounce
        self._in_flight = in_flight
        self._threshold = threshold
        self._own_prompts = OwnPrompts()
        self._first_window = FirstWindow()
        self._speed = SpeedWatch()

    def start(self, inputs: Inputs) -> InFlightGeneration:
        """Begins a generation that a request waits for; an older one of its document ends."""
        is_joinable = inputs.request.is_automatic  # who asks gets several, which take longer

        async def run(generation: InFlightGeneration) -> GenerationResult:
            task = self._task(inputs, generation.cancel, generation.on_text)
            begun = time.perf_counter()
            result = await self._host.run(task.run, task.patience)
            milliseconds = (time.perf_counter() - begun) * 1e3
            # The way to the engine's thread and back, and the wait for what it does before.
            result.trace.timings.add("hand-over", milliseconds - result.trace.worked_ms)
            is_whole = not generation.cancel.is_set()
            if is_whole:
                self._cache.store(inputs.key, result.completions)
            self._watch_speed(inputs.model, result.trace)
            if is_joinable:
                (self._debounce.answered if is_whole else self._debounce.gave_up)(milliseconds)
            return result

        return self._in_flight.start(inputs.key, run, is_joinable=is_joinable)

    def prefetch(self, inputs: Inputs) -> None:
        """Begins a generation that nobody waits for yet, where the idle budget allows it."""

        async def run(generation: InFlightGeneration) -> GenerationResult:
            task = self._task(inputs, generation.cancel, generation.on_text)
            result = await self._host.run_idle(task.run, generation.cancel)
            if result is None:  # there was no room for it
                generation.cancel.set()
                return GenerationResult((), GenerationTrace())
            completions = tuple(replace(one, is_prefetched=True) for one in result.completions)
            if not generation.cancel.is_set():
                self._cache.store(inputs.key, completions)
            return GenerationResult(completions, result.trace)

        self._in_flight.start(inputs.key, run)

    def prefill(self, inputs: Inputs, cancel: threading.Event) -> Callable[[ServedModel], None]:
        """Returns work that lets the engine read the prompt ahead of the next request."""
        return self._task(inputs, cancel).prefill

    def _watch_speed(self, model: ServedModel, trace: GenerationTrace) -> None:
        """Lets engine and forms be chosen anew, at the next opening, where they became slow."""
        if trace.decoding is None:
            return
        decoded_ms, behind = trace.timings.ms.get("decode", 0.0), trace.decoding.new_tokens - 1
        if self._speed.has_halved(model.identity, decoded_ms, behind):
            logger.info("%s writes at half its speed; its engine is chosen anew", model.name)
            model.choose_anew()

    def _task(
        self,
        inputs: Inputs,
        cancel: threading.Event,
        on_text: Callable[[str], None] = lambda text: None,
    ) -> GenerationTask:
        request, model, settings = inputs.request, inputs.model, inputs.request.settings
        if settings.learn_from_use:
            moved = self._threshold.eagerness(settings.eagerness, model.name, model.calibration)
            request = replace(request, settings=replace(settings, eagerness=moved))
        return GenerationTask(
            request, inputs.context, self._own_prompts, self._first_window, cancel, on_text
        )
