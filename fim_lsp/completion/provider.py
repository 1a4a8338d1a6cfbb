"""Completes for one editor: the path from a request to the suggestions that are shown.

    gate -> cache -> line n-grams -> join -> debounce -> generate

Each step returns suggestions, or None for the next one to try; the first that returns ends the
path, and its trace says why.  The model behind it is shared by all editors.  Nothing here fails
loudly: what cannot be completed is an empty list.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

from fim_lsp.completion import line_ngrams
from fim_lsp.completion.cache import CacheKey, TypeThroughCache, after_typing, typed_between
from fim_lsp.completion.debounce import AdaptiveDebounce
from fim_lsp.completion.generation import CompletionTask
from fim_lsp.completion.in_flight import InFlightGeneration, InFlightGenerations
from fim_lsp.completion.language_filters import is_inside_word
from fim_lsp.completion.own_prompts import OwnPrompts
from fim_lsp.completion.pending import PendingRequest, PendingRequests, Superseded
from fim_lsp.completion.prefetch import IdlePrefill, after_accepting
from fim_lsp.completion.project_lines import ProjectLines
from fim_lsp.completion.request import CompletionRequest, OtherDocuments
from fim_lsp.completion.trace import RequestLog, RequestTrace
from fim_lsp.context import NOWHERE, CrossFileContext, sources_of
from fim_lsp.document import DocumentSnapshot
from fim_lsp.exclusion.judge import is_excluded
from fim_lsp.feedback.threshold import ThresholdAdapter
from fim_lsp.model_host.host import ModelHost
from fim_lsp.settings import Settings
from fim_lsp.suggestion import Completion, Trigger
from fim_lsp.uris import is_on_disk
from model_runtime.errors import ModelRuntimeError
from model_runtime.prompt.format import HoleStart
from model_runtime.served_model import ServedModel

logger = logging.getLogger(__name__)

_MAX_SHOWN = 8
"""Suggestions that may still be accepted; each holds its document."""


class _Shown(NamedTuple):
    """A suggestion that was shown, and the request that it answers."""

    completion: Completion
    request: CompletionRequest


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One request on its way through the steps, and what they share."""

    request: CompletionRequest
    trace: RequestTrace
    pending: PendingRequest
    model: ServedModel
    context: CrossFileContext
    key: CacheKey


class CompletionProvider:
    """Completes for one editor."""

    def __init__(self, host: ModelHost, threshold: ThresholdAdapter | None = None) -> None:
        """Takes the shared model.

        Args:
            host: holds the model.
            threshold: counts what its user takes; by default in the file of this machine's user.
        """
        self._host = host
        self._pending = PendingRequests()
        self._in_flight = InFlightGenerations()
        self._cache = TypeThroughCache()
        self._debounce = AdaptiveDebounce()
        self._idle = IdlePrefill(host)
        self._shown: OrderedDict[str, _Shown] = OrderedDict()
        self._log = RequestLog()
        self._threshold = threshold or ThresholdAdapter()
        self._own_prompts = OwnPrompts()
        self.lines = ProjectLines(when_forgotten=self._cache.clear)
        """What the project has written; the session tells it of files."""

    async def complete(self, request: CompletionRequest) -> list[Completion] | None:
        """Returns suggestions, best first; empty for none; None when a newer request took over.

        Raises:
            asyncio.CancelledError: the editor took the request back; decoding has been stopped.
        """
        trace = RequestTrace(request.snapshot.uri, request.trigger.name.lower())
        self._threshold.observe(request.snapshot)
        self._idle.stop()
        try:
            completions = await self._suggest(request, trace)
            if completions:
                trace.outcome = "shown"
                self._note_shown(request, completions)
            return completions
        except Superseded:
            trace.outcome = "superseded"
            return None
        except asyncio.CancelledError:
            trace.outcome = "cancelled"
            raise
        except ModelRuntimeError as error:
            trace.outcome, trace.reason = "failed", f"engine error: {error}"
            logger.error("no completion: %s", error)
            return []
        except Exception:
            trace.outcome, trace.reason = "failed", "internal error: see the log"
            logger.exception("a completion failed")
            return []
        finally:
            trace.finish()
            self._log.add(trace)
            logger.info("completion %s", trace.summary())

    def explain(self) -> list[dict[str, Any]]:
        """Returns the traces of the last requests, newest first."""
        return self._log.as_json()

    def accepted(self, completion_id: str) -> None:
        """Counts an accepted suggestion, on this machine only, and prefetches the next one."""
        self._threshold.accept(completion_id)
        shown = self._shown.pop(completion_id, None)
        if shown is not None and shown.request.settings.idle_work:
            self._prefetch_next(shown)

    def document_changed(self, uri: str) -> None:
        """Answers a pending request null: the text that it was made for is gone."""
        self._debounce.key(time.monotonic())
        self._idle.stop()
        self._pending.supersede(uri)

    def document_closed(self, uri: str) -> None:
        """Stops work for the document and forgets what was cached of it."""
        self._idle.stop()
        self._pending.supersede(uri)
        self._in_flight.stop(uri)
        self._cache.forget(uri)
        self._threshold.close_document(uri)
        if not is_on_disk(uri):
            self.lines.file_gone(uri)

    def close(self) -> None:
        """Keeps what was learned of the user whose editor is gone."""
        self.lines.close()
        self._threshold.close()

    def schedule_idle_prefill(
        self,
        look: Callable[[], DocumentSnapshot | None],
        settings: Settings,
        other_documents: OtherDocuments,
    ) -> None:
        """Lets the model read the text up to the cursor after a pause, in which nothing happens.

        The next key then costs its own tokens alone.

        Args:
            look: returns the document as it is after the pause, with its cursor.
            settings: those in force.
            other_documents: as in a request.
        """

        def make(cancel: threading.Event) -> Callable[[ServedModel], object] | None:
            snapshot = look()
            if snapshot is None:
                return None
            request = CompletionRequest(
                snapshot, Trigger.AUTOMATIC, settings, other_documents=other_documents
            )
            if self._reason_for_silence(request) or self._is_silent_language(request):
                return None
            context = self._cross_file_context(request, self._loaded())
            return CompletionTask(request, context, self._own_prompts, cancel).prefill

        if settings.idle_work:
            self._idle.after_a_pause(make)

    async def _suggest(self, request: CompletionRequest, trace: RequestTrace) -> list[Completion]:
        with self._pending.begin(request.snapshot.uri) as pending:
            if reason := self._reason_for_silence(request):
                trace.nothing(reason)
                return []
            model = self._loaded()
            context = self._cross_file_context(request, model)
            key = self._cache_key(request, model, context)
            attempt = _Attempt(request, trace, pending, model, context, key)
            completions = await self._first_that_returns(attempt)
        if request.is_automatic and trace.source != "model":
            snapshot = request.snapshot
            self.schedule_idle_prefill(lambda: snapshot, request.settings, request.other_documents)
        return completions

    async def _first_that_returns(self, attempt: _Attempt) -> list[Completion]:
        if attempt.request.is_automatic:
            if (found := self._silent_inside_word(attempt)) is not None:
                return found
            if (found := self._from_line_ngrams(attempt)) is not None:
                return found
            if (found := self._silent_in_language(attempt)) is not None:
                return found
            if (found := self._from_cache(attempt)) is not None:
                return found
            if (found := await self._from_in_flight(attempt)) is not None:
                return found
            with attempt.trace.step("debounce"):
                await attempt.pending.pause(self._wait_ms(attempt) / 1e3)
        return await self._generate(attempt)

    # The steps

    def _silent_inside_word(self, attempt: _Attempt) -> list[Completion] | None:
        """Ends the path inside a word, unless the model writes the line from its start."""
        completes_words = attempt.model.encoder.hole_start is HoleStart.LINE
        if not attempt.request.is_typing or completes_words:
            return None
        if not is_inside_word(attempt.request.snapshot.hole):
            return None
        attempt.trace.nothing("inside a word")
        return []

    def _from_line_ngrams(self, attempt: _Attempt) -> list[Completion] | None:
        """Returns the rest of the line as the project has it, where nothing is shown already."""
        request, suggester = attempt.request, self.lines.suggester
        settings = request.settings
        if not request.is_typing or not settings.project_memory or self._cache.lookup(attempt.key):
            return None
        with attempt.trace.step(line_ngrams.SOURCE):
            if request.snapshot.is_shared:
                suggester.learn(request.snapshot, settings)
            found = suggester.complete(request.snapshot, settings.eagerness)
        if found is None:
            return None
        attempt.trace.source = line_ngrams.SOURCE
        attempt.trace.details |= found.notes
        self._cache.store(attempt.key, [found.completion])
        return [found.completion]

    def _silent_in_language(self, attempt: _Attempt) -> list[Completion] | None:
        """Ends the path in a language in which the model is rarely right."""
        if not attempt.request.is_typing or not self._is_silent_language(attempt.request):
            return None
        name = attempt.request.snapshot.language_id
        attempt.trace.nothing(f"not learned: {attempt.model.name} is rarely right in {name}")
        return []

    def _from_cache(self, attempt: _Attempt) -> list[Completion] | None:
        """Returns what is left of a suggestion that is typed through, or of an earlier answer."""
        known = self._cache.lookup(attempt.key)
        if known is None:
            return None
        attempt.trace.source = "cache"
        return _known_before(attempt, known)

    async def _from_in_flight(self, attempt: _Attempt) -> list[Completion] | None:
        """Returns what a running generation writes, less what was typed of it meanwhile."""
        generation = self._in_flight.join(attempt.key)
        if generation is None:
            return None
        attempt.trace.source = "running"
        with attempt.trace.step("running"):
            completions, notes = await _result(generation, attempt.pending)
        typed = typed_between(generation.key, attempt.key)
        if typed is None or generation.cancel.is_set():
            return None
        rest = after_typing(completions, generation.key, typed)
        if typed and not rest:
            return None
        attempt.trace.details |= notes.details
        return _known_before(attempt, rest)

    async def _generate(self, attempt: _Attempt) -> list[Completion]:
        """Returns what the model writes."""
        request, trace = attempt.request, attempt.trace
        trace.source = "model"
        generation = InFlightGeneration(attempt.key, is_joinable=request.is_automatic)
        task = self._task(request, attempt.model, attempt.context, generation)
        self._in_flight.start(generation, lambda: self._run(generation, task))
        completions, notes = await _result(generation, attempt.pending)
        trace.absorb(notes)
        return completions

    # What the steps need

    def _reason_for_silence(self, request: CompletionRequest) -> str:
        """Returns the reason for silence that needs no model; empty to go on."""
        settings, snapshot = request.settings, request.snapshot
        if not settings.enabled:
            return "disabled"
        if not settings.is_language_enabled(snapshot.language_id):
            return f"language: {snapshot.language_id} is switched off"
        if excluded := is_excluded(snapshot.uri, settings.exclude):
            return f"excluded: {excluded}"
        if self._host.loaded is None:
            status = self._host.status
            if status.state == "error":
                return f"engine error: {status.message}"
            return f"loading: {status.progress.detail}" if status.progress else "loading"
        return ""

    def _is_silent_language(self, request: CompletionRequest) -> bool:
        """Tells whether the model is rarely right in a language that the user did not switch on."""
        name, chosen = request.snapshot.language_id, dict(request.settings.languages)
        is_wanted = chosen.get(name, chosen.get("*", False))
        return not is_wanted and not self._loaded().suggests_in(name)

    def _loaded(self) -> ServedModel:
        assert self._host.loaded is not None  # else there was a reason for silence
        return self._host.loaded

    def _cross_file_context(
        self, request: CompletionRequest, model: ServedModel
    ) -> CrossFileContext:
        """Returns what of the project the model may see beside the document."""
        wanted = request.settings.cross_file_context
        sources = sources_of(model.context_sources if wanted == "auto" else wanted)
        if not sources:
            return NOWHERE
        project = self.lines.project
        files = partial(project.files, request.snapshot.uri)
        return CrossFileContext(
            tuple(request.other_documents()), files, sources, project.index.version
        )

    def _cache_key(
        self, request: CompletionRequest, model: ServedModel, context: CrossFileContext
    ) -> CacheKey:
        hole = request.snapshot.hole
        context_key = (
            request.settings,
            model.identity,
            request.selected,
            context.key(request.snapshot),
        )
        return CacheKey(request.snapshot.uri, hole.prefix, hole.suffix, context_key)

    def _task(
        self,
        request: CompletionRequest,
        model: ServedModel,
        context: CrossFileContext,
        generation: InFlightGeneration,
    ) -> CompletionTask:
        settings = request.settings
        if settings.learn_from_use:
            moved = self._threshold.eagerness(settings.eagerness, model.name, model.calibration)
            request = replace(request, settings=replace(settings, eagerness=moved))
        return CompletionTask(
            request, context, self._own_prompts, generation.cancel, generation.wrote
        )

    async def _run(
        self, generation: InFlightGeneration, task: CompletionTask
    ) -> tuple[list[Completion], RequestTrace]:
        """Runs a task; its result is cached though nobody may be waiting for it any more."""
        begun = time.monotonic()
        completions, notes = await self._host.run(task.run)
        milliseconds = (time.monotonic() - begun) * 1e3
        is_whole = not generation.cancel.is_set()
        if is_whole:
            self._cache.store(generation.key, completions)
        if generation.is_joinable:  # who asks gets several suggestions, and their time is another
            (self._debounce.answered if is_whole else self._debounce.gave_up)(milliseconds)
        return completions, notes

    def _wait_ms(self, attempt: _Attempt) -> float:
        """Returns how long to wait for the next key, and notes it where no setting says it."""
        settings, debounce = attempt.request.settings, self._debounce
        if not isinstance(settings.debounce_ms, str):
            return settings.debounce_ms
        wait_ms = debounce.wait_ms()
        attempt.trace.details["waitMs"] = wait_ms
        if debounce.gap_ms is not None and debounce.answer_ms is not None:
            attempt.trace.details["keyGapMs"] = round(debounce.gap_ms)
            attempt.trace.details["answerMs"] = round(debounce.answer_ms)
        return wait_ms

    def _note_shown(self, request: CompletionRequest, completions: Sequence[Completion]) -> None:
        for completion in completions:
            self._shown[completion.id] = _Shown(completion, request)
        while len(self._shown) > _MAX_SHOWN:
            self._shown.popitem(last=False)
        # Behind an entry of the popup it is the entry that a user takes or leaves.
        if request.is_typing and request.settings.learn_from_use:
            self._threshold.show(request.snapshot, completions[0], request.settings.eagerness)

    def _prefetch_next(self, shown: _Shown) -> None:
        """Makes the suggestion that may follow an accepted one, while nobody waits for anything."""
        snapshot = after_accepting(shown.request.snapshot, shown.completion)
        request = replace(
            shown.request, snapshot=snapshot, trigger=Trigger.AUTOMATIC, selected=None
        )
        if self._reason_for_silence(request) or is_inside_word(snapshot.hole):
            return
        model = self._loaded()
        context = self._cross_file_context(request, model)
        key = self._cache_key(request, model, context)
        if self._cache.lookup(key) is not None:
            return
        generation = InFlightGeneration(key)
        task = self._task(request, model, context, generation)

        async def run() -> tuple[list[Completion], RequestTrace]:
            result = await self._host.run_idle(task.run, generation.cancel)
            if result is None:  # there was no room for it
                generation.cancel.set()
                return [], RequestTrace(snapshot.uri, "idle")
            completions, notes = result
            prepared = [replace(completion, is_prepared=True) for completion in completions]
            if not generation.cancel.is_set():
                self._cache.store(key, prepared)
            return prepared, notes

        self._in_flight.start(generation, run)


def _known_before(attempt: _Attempt, known: Sequence[Completion]) -> list[Completion]:
    """Returns the one suggestion that typing gets of those that were made for this place before."""
    if not known:
        attempt.trace.nothing("the same place gave nothing before")
    elif known[0].is_prepared:
        attempt.trace.details["prepared"] = True
    return list(known[:1])  # who asked there before was given several


async def _result(
    generation: InFlightGeneration, pending: PendingRequest
) -> tuple[list[Completion], RequestTrace]:
    """Returns what a generation gives; on the way out, for whatever reason, it is left."""
    generation.enter()
    try:
        result: tuple[list[Completion], RequestTrace] = await pending.until_superseded(
            generation.work
        )
        return result
    finally:
        generation.leave()
