"""Completes for one editor: the path from a request to the suggestions that are shown.

    gate -> cache -> line n-grams -> join -> debounce -> generate

Each step returns suggestions, or None for the next one to try; the first that returns ends the
path, and its trace says why.  All editors share the model.  What cannot be completed is empty.
"""

from __future__ import annotations

import asyncio
import logging
import time

from fim_lsp.completion.attempt import Attempt
from fim_lsp.completion.cache import TypeThroughCache
from fim_lsp.completion.debounce import AdaptiveDebounce
from fim_lsp.completion.explanation import summary
from fim_lsp.completion.gate import silence_inside_word, silence_of, silence_of_language
from fim_lsp.completion.generator import Generator
from fim_lsp.completion.idle_work import IdleTimer, IdleWork, NextRequest
from fim_lsp.completion.in_flight import InFlightGenerations
from fim_lsp.completion.inputs import Inputs
from fim_lsp.completion.pending import PendingRequests, Superseded
from fim_lsp.completion.project_lines import ProjectLines
from fim_lsp.completion.read_ahead import ReadAhead
from fim_lsp.completion.reasons import Reason, RequestOutcome, Silence
from fim_lsp.completion.request import CompletionRequest
from fim_lsp.completion.shown import ShownSuggestions
from fim_lsp.completion.trace import Answer, AnsweredBy, RequestLog, RequestTrace
from fim_lsp.feedback.saved_keys import Day, SavedKeys
from fim_lsp.feedback.threshold import ThresholdAdapter
from fim_lsp.model_host.host import ModelHost
from fim_lsp.suggestion import Completion
from fim_lsp.uris import is_on_disk
from model_runtime.errors import ModelRuntimeError

logger = logging.getLogger(__name__)


class CompletionProvider:
    """Completes for one editor."""

    def __init__(
        self,
        host: ModelHost,
        *,
        cache: TypeThroughCache | None = None,
        debounce: AdaptiveDebounce | None = None,
        idle_timer: IdleTimer | None = None,
        in_flight: InFlightGenerations | None = None,
        log: RequestLog | None = None,
        threshold: ThresholdAdapter | None = None,
        saved_keys: SavedKeys | None = None,
    ) -> None:
        """Takes the shared model, and makes what it is not given.

        Args:
            host: holds the model.
            cache: has the last answers.
            debounce: tells how long to wait for the next key.
            idle_timer: begins work for which nobody waits.
            in_flight: has the generations that are under way.
            log: keeps the traces of the last requests.
            threshold: learns from what its user takes; by default in this machine user's file.
            saved_keys: counts what its user accepts; by default in this machine user's file.
        """
        self.log = log or RequestLog()
        """Traces of the last requests."""
        threshold = threshold or ThresholdAdapter()
        self._host = host
        self._cache = cache or TypeThroughCache()
        self._debounce = debounce or AdaptiveDebounce()
        self._in_flight = InFlightGenerations() if in_flight is None else in_flight
        self._pending = PendingRequests()
        self._shown = ShownSuggestions(threshold, saved_keys or SavedKeys())
        self.lines = ProjectLines(when_forgotten=self._cache.clear)
        """Lines and files of the project; the session tells of changes."""
        self._generator = Generator(host, self._cache, self._debounce, self._in_flight, threshold)
        self.read_ahead = ReadAhead(host, self._generator, self.lines.project, self.log)
        """Lets the model read a prompt and write nothing."""
        self._idle = IdleWork(
            host, self._cache, self._generator, self.lines.project, idle_timer or IdleTimer()
        )

    async def complete(self, request: CompletionRequest) -> list[Completion] | None:
        """Returns suggestions, best first; empty for none; None when a newer request took over.

        Raises:
            asyncio.CancelledError: the editor took the request back; decoding has been stopped.
        """
        return (await self.answer(request)).completions

    async def answer(self, request: CompletionRequest) -> Answer:
        """Returns what `complete` does, and the trace of the request.

        Raises:
            asyncio.CancelledError: the editor took the request back; decoding has been stopped.
        """
        trace = RequestTrace(request.snapshot.uri, request.trigger)
        self._shown.observe(request.snapshot)
        try:
            completions = await self._suggest(request, trace)
            if completions:
                trace.outcome = RequestOutcome.SHOWN
                self._shown.show(request, completions)
            return Answer(completions, trace)
        except Superseded:
            trace.outcome = RequestOutcome.SUPERSEDED
            return Answer(None, trace)
        except asyncio.CancelledError:
            trace.outcome = RequestOutcome.CANCELLED
            raise
        except ModelRuntimeError as error:
            trace.outcome = RequestOutcome.FAILED
            trace.silence = Silence(Reason.ENGINE_ERROR, error=str(error))
            logger.error("no completion: %s", error)
            return Answer([], trace)
        except Exception:
            trace.outcome = RequestOutcome.FAILED
            trace.silence = Silence(Reason.INTERNAL_ERROR)
            logger.exception("a completion failed")
            return Answer([], trace)
        finally:
            trace.finish()
            self.log.add(trace)
            logger.info("completion %s", summary(trace))

    async def _suggest(self, request: CompletionRequest, trace: RequestTrace) -> list[Completion]:
        snapshot = request.snapshot
        with self._pending.begin(snapshot.uri) as pending:
            silence = silence_of(request, self._host)
            if silence is not None:
                trace.reject(silence)
                return []
            inputs = Inputs.of(request, self._host, self.lines.project)
            cached = self._cache.lookup(inputs.key) if request.is_automatic else None
            attempt = Attempt(inputs, trace, pending, cached)
            return await self._first_that_returns(attempt)

    async def _first_that_returns(self, attempt: Attempt) -> list[Completion]:
        if attempt.request.is_automatic:
            if (found := self._inside_word(attempt)) is not None:
                return found
            if (found := self._from_cache(attempt)) is not None:
                return found
            if (found := self._from_line_ngrams(attempt)) is not None:
                return found
            if (found := self._known_silence(attempt)) is not None:
                return found
            if (found := await self._join(attempt)) is not None:
                return found
            await self._wait_for_next_key(attempt)
        return await self._generate(attempt)

    # The steps

    def _inside_word(self, attempt: Attempt) -> list[Completion] | None:
        """Ends the path inside a word, unless the model writes the line from its start."""
        silence = silence_inside_word(attempt.request, attempt.inputs.model)
        return None if silence is None else attempt.reject(silence)

    def _from_cache(self, attempt: Attempt) -> list[Completion] | None:
        """Returns what is left of a suggestion that is typed through, or of an earlier answer."""
        if not attempt.cached:
            return None
        return attempt.known_before(AnsweredBy.CACHE, attempt.cached)

    def _from_line_ngrams(self, attempt: Attempt) -> list[Completion] | None:
        """Returns the rest of the line as the project has it."""
        request, suggester = attempt.request, self.lines.suggester
        settings, source = request.settings, AnsweredBy.LINE_NGRAMS
        if not request.is_typing or not settings.project_memory:
            return None
        with attempt.trace.timings.step(source.value):
            if request.snapshot.is_shared:
                suggester.learn(request.snapshot, settings)
            found = suggester.complete(request.snapshot, settings.eagerness)
        if found is None:
            return None
        attempt.trace.answered_by, attempt.trace.line_ngrams = source, found.figures
        self._cache.store(attempt.inputs.key, [found.completion])
        return [found.completion]

    def _known_silence(self, attempt: Attempt) -> list[Completion] | None:
        """Ends the path in a language in which the model is rarely right, or that gave nothing."""
        request = attempt.request
        if request.is_typing:
            language_id, model = request.snapshot.language_id, attempt.inputs.model
            silence = silence_of_language(language_id, request.settings, model)
            if silence is not None:
                return attempt.reject(silence)
        if attempt.cached is None:
            return None
        return attempt.known_before(AnsweredBy.CACHE, attempt.cached)

    async def _join(self, attempt: Attempt) -> list[Completion] | None:
        """Returns what a running generation writes, less what was typed of it meanwhile."""
        trace, key = attempt.trace, attempt.inputs.key
        generation = self._in_flight.join(key)
        if generation is None:
            return None
        trace.answered_by = AnsweredBy.IN_FLIGHT
        with trace.timings.step(AnsweredBy.IN_FLIGHT.value):
            result = await generation.result_for(key, attempt.pending)
        if result is None:
            return None
        trace.generation = result.trace
        if result.trace.silence is not None and not result.completions:
            return attempt.reject(result.trace.silence)
        return attempt.known_before(AnsweredBy.IN_FLIGHT, result.completions)

    async def _wait_for_next_key(self, attempt: Attempt) -> None:
        """Waits for the typing to pause; the next key supersedes the request."""
        setting = attempt.request.settings.debounce_ms
        if isinstance(setting, str):
            figures = attempt.trace.debounce = self._debounce.figures()
            wait_ms = figures.wait_ms
        else:
            wait_ms = setting
        with attempt.trace.timings.step("debounce"):
            await attempt.pending.pause(wait_ms / 1e3)

    async def _generate(self, attempt: Attempt) -> list[Completion]:
        """Returns what the model writes."""
        trace = attempt.trace
        trace.answered_by = AnsweredBy.MODEL
        self._idle.stop()  # the model reads this place now
        generation = self._generator.start(attempt.inputs)
        completions, trace.generation = await generation.result(attempt.pending)
        trace.timings.include(trace.generation.timings)
        if trace.generation.silence is not None:
            trace.reject(trace.generation.silence)
        return list(completions)

    # What the editor tells

    def accepted(self, completion_id: str) -> None:
        """Counts an accepted suggestion, on this machine only, and prefetches the next one."""
        shown = self._shown.accept(completion_id)
        if shown is not None:
            self._idle.prefetch_after(shown)

    def days(self) -> list[Day]:
        """Returns what was accepted on the last days, on this machine; reads a file."""
        return self._shown.days()

    def document_changed(self, uri: str, next_request: NextRequest = lambda: None) -> None:
        """Answers a pending request null, and lets the model read ahead after a pause.

        The next key then costs its own tokens alone.

        Args:
            uri: of the document, whose text is another one now.
            next_request: called when the pause is over, if nothing happened meanwhile.
        """
        self._debounce.key(time.monotonic())
        self._pending.supersede(uri)
        self._idle.prefill_after_pause(next_request)

    def cancel(self, uri: str) -> None:
        """Answers a pending request for a document null; its generation ends in a moment."""
        self._pending.supersede(uri)

    def document_closed(self, uri: str) -> None:
        """Stops work for the document and forgets what was cached of it."""
        self._idle.stop()
        self._pending.supersede(uri)
        self._in_flight.stop(uri)
        self._cache.forget(uri)
        self.log.forget_texts(uri)
        self._shown.close_document(uri)
        if not is_on_disk(uri):
            self.lines.file_gone(uri)

    def close(self) -> None:
        """Keeps what was learned of the user whose editor is gone."""
        self.lines.close()
        self._shown.close()
