"""The path of a completion, from a frozen document to the text to show.

    cache -> running generation -> pause -> context -> prompt -> generation -> clean -> completion

One `Completer` serves one editor; the model behind it is shared.  Nothing here fails loudly: what
cannot be completed is an empty list, and the decision trail says why.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import uuid
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from fim_lsp import candidates, postprocess, recall
from fim_lsp.adaptation import Learner
from fim_lsp.cache import Seen, TypeThroughCache
from fim_lsp.completion import Completion, SelectedSuggestion, Trigger
from fim_lsp.context import NOWHERE, Elsewhere, Gathered, sources_of
from fim_lsp.document import DocumentSnapshot
from fim_lsp.engine_host import EngineHost, LoadedModel
from fim_lsp.exclusions import is_excluded
from fim_lsp.flights import Flight, Flights
from fim_lsp.gitignore import is_rules_file
from fim_lsp.idle_work import IdleWork, after_accepting
from fim_lsp.language_rules import is_inside_word, is_too_short
from fim_lsp.own_prompts import OwnPrompts
from fim_lsp.pace import Pace
from fim_lsp.project_memory import MOST_LINES
from fim_lsp.scheduler import Scheduler, Superseded, Ticket
from fim_lsp.settings import Settings
from fim_lsp.trail import Decision, Trail
from fim_lsp.uris import is_on_disk
from fim_lsp.workspace.project import Project
from model_runtime.deadline import Deadline
from model_runtime.engine import SamplingParams
from model_runtime.errors import ModelRuntimeError
from model_runtime.generation import Finish, Generation, generate_text
from model_runtime.languages import language
from model_runtime.prompt import CompletionRequest, Hole, PromptBudget
from model_runtime.stopping import Cut, StopRules, is_closing_tail, rest_of_line, wants_single_line
from model_runtime.sureness import UNSURE, Sureness

logger = logging.getLogger(__name__)

_MOST_OFFERS = 8
"""Suggestions that may still be accepted; each holds its document."""


OtherDocuments = Callable[[], Sequence[DocumentSnapshot]]


class _Offer(NamedTuple):
    """A suggestion that was shown, and what it was made from."""

    completion: Completion
    snapshot: DocumentSnapshot
    settings: Settings
    other_documents: OtherDocuments


class Completer:
    """Completes for one editor."""

    def __init__(self, host: EngineHost) -> None:
        self._host = host
        self._scheduler = Scheduler()
        self._flights = Flights()
        self._cache = TypeThroughCache()
        self._pace = Pace()
        self._idle = IdleWork(host)
        self._offers: OrderedDict[str, _Offer] = OrderedDict()
        self._trail = Trail()
        self._recall = recall.Recall()
        self._project = Project()
        self._learner = Learner()
        self._own_prompts = OwnPrompts()

    async def complete(
        self,
        snapshot: DocumentSnapshot,
        trigger: Trigger,
        settings: Settings,
        selected: SelectedSuggestion | None = None,
        other_documents: OtherDocuments = tuple,
    ) -> list[Completion] | None:
        """Suggestions, best first; empty for none; None when a newer request took over.

        Raises:
            asyncio.CancelledError: the editor took the request back; decoding has been stopped.
        """
        decision = Decision(snapshot.uri, trigger.name.lower())
        self._learner.look(snapshot)
        try:
            completions = await self._decide(
                decision, snapshot, trigger, settings, selected, other_documents
            )
            if completions:
                decision.outcome = "shown"
                for completion in completions:
                    self._offers[completion.id] = _Offer(
                        completion, snapshot, settings, other_documents
                    )
                while len(self._offers) > _MOST_OFFERS:
                    self._offers.popitem(last=False)
                # Behind an entry of the popup it is the entry that a user takes or leaves.
                is_typing = trigger is Trigger.AUTOMATIC and selected is None
                if is_typing and settings.learn_from_use:
                    self._learner.show(snapshot, completions[0], settings.eagerness)
            return completions
        except Superseded:
            decision.outcome = "superseded"
            return None
        except asyncio.CancelledError:
            decision.outcome = "cancelled"
            raise
        except ModelRuntimeError as error:
            decision.outcome, decision.reason = "failed", f"engine error: {error}"
            logger.error("no completion: %s", error)
            return []
        except Exception:
            decision.outcome, decision.reason = "failed", "internal error: see the log"
            logger.exception("a completion failed")
            return []
        finally:
            decision.finish()
            self._trail.add(decision)
            logger.info("completion %s", decision.summary())

    def document_opened(self, snapshot: DocumentSnapshot, settings: Settings) -> None:
        """Another file of the project is there to learn from, or a secret, perhaps renamed."""
        if not snapshot.is_shared:
            self._forget(self._recall.forget_missing)
        elif settings.project_memory and settings.enabled:
            self._recall.learn(snapshot, settings)

    def project_opened(
        self, roots: Sequence[str], settings: Settings, when_done: Callable[[int], None]
    ) -> None:
        """The editor's folders, or its settings, are others: look through them if that is wanted.

        Args:
            roots: paths of the folders.
            settings: those in force.
            when_done: called with the number of files.
        """
        if not settings.enabled or not settings.workspace_index:
            self._project.stop()
            return
        lines = MOST_LINES if settings.project_memory else 0
        self._project.look_through(
            roots, settings.exclude, lines, self._recall.learn_file, when_done
        )

    def document_saved(self, snapshot: DocumentSnapshot, settings: Settings) -> None:
        """The file is another one than it was, and perhaps no longer one to learn from."""
        if is_rules_file(snapshot.uri):
            self._judge_again(settings)
        if snapshot.is_shared:
            self._project.saved(snapshot.uri, snapshot.text)
        else:
            self.file_gone(snapshot.uri)

    def file_gone(self, uri: str) -> None:
        """A file or a folder is no longer there under this name: forget what was learnt of it."""
        self._forget(partial(self._recall.forget, uri))

    def document_changed(self, uri: str) -> None:
        """The text that a pending request was made for is gone: answer it null."""
        self._pace.key(time.monotonic())
        self._idle.stop()
        self._scheduler.supersede(uri)

    def document_closed(self, uri: str) -> None:
        """Stop work for the document and forget what was cached of it."""
        self._idle.stop()
        self._scheduler.supersede(uri)
        self._flights.stop(uri)
        self._cache.forget(uri)
        self._learner.close_document(uri)
        if not is_on_disk(uri):
            self.file_gone(uri)

    def close(self) -> None:
        """The editor is gone: keep what was learned of its user."""
        self._project.stop()
        self._learner.close()

    def accepted(self, completion_id: str) -> None:
        """Count an accepted suggestion, on this machine only, and prepare the next one."""
        self._learner.accept(completion_id)
        offer = self._offers.pop(completion_id, None)
        if offer is not None and offer.settings.idle_work:
            self._prepare(offer)

    def rests(
        self,
        look: Callable[[], DocumentSnapshot | None],
        settings: Settings,
        other_documents: OtherDocuments,
    ) -> None:
        """The user may rest here: after a pause the model reads the text up to the cursor.

        The next key then costs its own tokens alone.  `look` is called after the pause.
        """

        def make(cancel: threading.Event) -> Callable[[LoadedModel], object] | None:
            snapshot = look()
            if snapshot is None or self._why_not(snapshot, settings):
                return None
            elsewhere = self._elsewhere(snapshot, settings, other_documents)
            task = _Task(
                snapshot,
                Trigger.AUTOMATIC,
                settings,
                None,
                elsewhere,
                self._own_prompts,
                cancel,
            )
            return task.read

        if settings.idle_work:
            self._idle.after_a_pause(make)

    def explain(self) -> list[dict[str, Any]]:
        """The last decisions, newest first."""
        return self._trail.as_json()

    async def _decide(
        self,
        decision: Decision,
        snapshot: DocumentSnapshot,
        trigger: Trigger,
        settings: Settings,
        selected: SelectedSuggestion | None,
        other_documents: OtherDocuments,
    ) -> list[Completion]:
        self._idle.stop()
        with self._scheduler.enter(snapshot.uri) as ticket:
            if reason := self._why_not(snapshot, settings):
                decision.nothing(reason)
                return []
            is_typing = trigger is Trigger.AUTOMATIC and selected is None
            if is_typing and is_inside_word(snapshot.hole):
                decision.nothing("inside a word")
                self.rests(lambda: snapshot, settings, other_documents)
                return []
            elsewhere = self._elsewhere(snapshot, settings, other_documents)
            seen = self._seen(snapshot, settings, selected, elsewhere)
            if is_typing and (written := self._written_before(decision, snapshot, settings, seen)):
                self.rests(lambda: snapshot, settings, other_documents)
                return written
            if trigger is Trigger.AUTOMATIC:
                known = self._cache.lookup(seen)
                if known is not None:
                    decision.source = "cache"
                elif flight := self._flights.join(seen):
                    known = await self._ride(decision, flight, seen, ticket)
                if known is not None:
                    decision.details |= {"prepared": True} if _is_prepared(known) else {}
                    if not known:
                        decision.nothing("the same place gave nothing before")
                    self.rests(lambda: snapshot, settings, other_documents)
                    return known[:1]  # who asked there before was given several
                with decision.step("debounce"):
                    await ticket.pause(self._wait_ms(decision, settings) / 1e3)
            decision.source = "model"
            flight = Flight(seen, is_joinable=trigger is Trigger.AUTOMATIC)
            chosen = self._adapted(settings)
            task = _Task(
                snapshot,
                trigger,
                chosen,
                selected,
                elsewhere,
                self._own_prompts,
                flight.cancel,
                flight.wrote,
            )
            self._flights.start(flight, lambda: self._fly(flight, task))
            completions, notes = await _until_over(flight, ticket)
            decision.absorb(notes)
            return completions

    def _forget(self, forget: Callable[[], bool]) -> None:
        """Forget lines of the project, and the suggestions that may have been made of them."""
        if forget():
            self._cache.clear()

    def _judge_again(self, settings: Settings) -> None:
        """Find in a thread which of the files that are known may be shared no longer."""
        loop = asyncio.get_running_loop()
        find = partial(recall.unshared, self._recall.memory.paths, settings.exclude)
        work = loop.run_in_executor(None, find)
        work.add_done_callback(
            lambda found: self._forget(partial(self._recall.forget_all, found.result()))
        )

    def _written_before(
        self, decision: Decision, snapshot: DocumentSnapshot, settings: Settings, seen: Seen
    ) -> list[Completion]:
        """The rest of the line as the project has it, where nothing is shown already."""
        if not settings.project_memory or self._cache.lookup(seen):
            return []
        with decision.step(recall.SOURCE):
            if snapshot.is_shared:
                self._recall.learn(snapshot, settings)
            recalled = self._recall.complete(snapshot, settings.eagerness)
        if recalled is None:
            return []
        decision.source = recall.SOURCE
        decision.details |= recalled.notes
        self._cache.store(seen, [recalled.completion])
        return [recalled.completion]

    async def _fly(self, flight: Flight, task: _Task) -> tuple[list[Completion], Decision]:
        """Run a task.  Its outcome is remembered though nobody may be waiting for it any more."""
        begun = time.monotonic()
        completions, notes = await self._host.run(task.run)
        milliseconds = (time.monotonic() - begun) * 1e3
        is_whole = not flight.cancel.is_set()
        if is_whole:
            self._cache.store(flight.seen, completions)
        if flight.is_joinable:  # who asks gets several suggestions, and their time is another one
            (self._pace.answered if is_whole else self._pace.gave_up)(milliseconds)
        return completions, notes

    async def _ride(
        self, decision: Decision, flight: Flight, seen: Seen, ticket: Ticket
    ) -> list[Completion] | None:
        """What a running generation has written, less what was typed of it; None if it parted."""
        decision.source = "running"
        with decision.step("running"):
            _, notes = await _until_over(flight, ticket)
        if (known := self._cache.lookup(seen)) is not None:
            decision.details |= notes.details
        return known

    def _prepare(self, offer: _Offer) -> None:
        """Make the suggestion that may follow an accepted one, while nobody waits for anything."""
        settings = offer.settings
        snapshot = after_accepting(offer.snapshot, offer.completion)
        if self._why_not(snapshot, settings) or is_inside_word(snapshot.hole):
            return
        elsewhere = self._elsewhere(snapshot, settings, offer.other_documents)
        seen = self._seen(snapshot, settings, None, elsewhere)
        if self._cache.lookup(seen) is not None:
            return
        flight = Flight(seen)
        task = _Task(
            snapshot,
            Trigger.AUTOMATIC,
            self._adapted(settings),
            None,
            elsewhere,
            self._own_prompts,
            flight.cancel,
            flight.wrote,
        )

        async def fly() -> tuple[list[Completion], Decision]:
            result = await self._host.run_idle(task.run, flight.cancel)
            if result is None:  # there was no room for it
                flight.cancel.set()
                return [], Decision(snapshot.uri, "idle")
            completions, notes = result
            if not flight.cancel.is_set():
                prepared = [replace(completion, is_prepared=True) for completion in completions]
                self._cache.store(seen, prepared)
            return completions, notes

        self._flights.start(flight, fly)

    def _wait_ms(self, decision: Decision, settings: Settings) -> float:
        """How long to wait for the next key; noted where it was not the user who said it."""
        if not isinstance(settings.debounce_ms, str):
            return settings.debounce_ms
        wait_ms = self._pace.wait_ms()
        decision.details["waitMs"] = wait_ms
        if self._pace.gap_ms is not None and self._pace.answer_ms is not None:
            decision.details["keyGapMs"] = round(self._pace.gap_ms)
            decision.details["answerMs"] = round(self._pace.answer_ms)
        return wait_ms

    def _why_not(self, snapshot: DocumentSnapshot, settings: Settings) -> str:
        """Reason for silence that needs no model; empty to go on."""
        if not settings.enabled:
            return "disabled"
        if not settings.is_language_enabled(snapshot.language_id):
            return f"language: {snapshot.language_id} is switched off"
        if excluded := is_excluded(snapshot.uri, settings.exclude):
            return f"excluded: {excluded}"
        if self._host.loaded is None:
            if self._host.state == "error":
                return f"engine error: {self._host.message}"
            how_far = self._host.message.removeprefix("loading ")
            return f"loading: {how_far}" if how_far else "loading"
        return ""

    def _adapted(self, settings: Settings) -> Settings:
        """With the dial where its user's acceptances have moved it."""
        model = self._host.loaded
        if model is None or not settings.learn_from_use:
            return settings
        moved = self._learner.eagerness(settings.eagerness, model.name, model.calibration)
        return replace(settings, eagerness=moved)

    def _elsewhere(
        self, snapshot: DocumentSnapshot, settings: Settings, other_documents: OtherDocuments
    ) -> Elsewhere:
        """What of the project the model may see beside the document."""
        wanted = settings.cross_file_context
        if wanted == "auto":
            assert self._host.loaded is not None
            wanted = self._host.loaded.context_sources
        sources = sources_of(wanted)
        if not sources:
            return NOWHERE
        files = partial(self._project.files, snapshot.uri)
        return Elsewhere(tuple(other_documents()), files, sources, self._project.index.version)

    def _seen(
        self,
        snapshot: DocumentSnapshot,
        settings: Settings,
        selected: SelectedSuggestion | None,
        elsewhere: Elsewhere,
    ) -> Seen:
        assert self._host.loaded is not None
        hole = snapshot.hole
        surroundings = (
            settings,
            self._host.loaded.identity,
            selected,
            elsewhere.key(snapshot),
        )
        return Seen(snapshot.uri, hole.prefix, hole.suffix, surroundings)


class _Task:
    """The part of the path that runs on the engine's thread: from the frozen document to
    completions.
    """

    def __init__(
        self,
        snapshot: DocumentSnapshot,
        trigger: Trigger,
        settings: Settings,
        selected: SelectedSuggestion | None,
        elsewhere: Elsewhere,
        own_prompts: OwnPrompts,
        cancel: threading.Event,
        on_text: Callable[[str], None] = lambda text: None,
    ) -> None:
        """`on_text` is called with the best suggestion's text so far, at each token."""
        self._snapshot = snapshot
        self._trigger = trigger
        self._settings = settings
        self._selected = selected
        self._elsewhere = elsewhere
        self._own_prompts = own_prompts
        self._cancel = cancel
        self._on_text = on_text
        self._only_reads = False
        self._language = language(snapshot.language_id)
        # Notes of its own: a superseded task goes on for a token after its request was answered.
        self._decision = Decision(snapshot.uri, trigger.name.lower())

    def run(self, model: LoadedModel) -> tuple[list[Completion], Decision]:
        """Completions, best first, and what was noted on the way."""
        return self._complete(model), self._decision

    def read(self, model: LoadedModel) -> None:
        """Let the engine read the prompt and write nothing, so that it has it in its cache."""
        self._only_reads = True
        self._complete(model)

    def _complete(self, model: LoadedModel) -> list[Completion]:
        if self._cancel.is_set():  # superseded while it waited for the engine
            return []
        settings, decision = self._settings, self._decision
        self._model_name = model.name
        hole, place = self._hole()
        limit = settings.time_limit_ms / 1e3 if self._trigger is Trigger.AUTOMATIC else 0
        self._deadline = Deadline(limit)
        with decision.step("context"):
            gathered = self._elsewhere.gather(self._snapshot)
        with decision.step("prompt"):
            single_line = wants_single_line(hole, settings.multiline, self._language)
            request = CompletionRequest(
                hole=_normal_line_ends(self._hole_for_model(hole, single_line)),
                path=self._snapshot.path,
                snippets=gathered.snippets,
            )
            new_tokens = min(settings.max_new_tokens, model.engine.context_length // 4)
            most = min(settings.context_tokens, model.engine.context_length - new_tokens)
            prompt = model.bundle.encoder.prompt(request, PromptBudget(tokens=most))
        decision.details |= {
            "promptTokens": len(prompt.ids),
            "prefixTokens": prompt.prefix_tokens,
            "suffixTokens": prompt.suffix_tokens,
            "snippetTokens": prompt.snippet_tokens,
            "singleLine": single_line,
        }
        if by_source := _tokens_by_source(gathered, prompt.tokens_of_snippets):
            decision.details["snippetTokensBySource"] = by_source
        rules = StopRules(request.hole, single_line, self._language)
        greedy = SamplingParams(max_tokens=new_tokens, stop_ids=model.bundle.stop_ids)
        if self._only_reads:
            with model.engine.generate(
                prompt.ids, replace(greedy, max_tokens=1), self._cancel
            ) as stream:
                if next(stream, None) is not None:
                    self._own_prompts.add(prompt.ids)
            return []
        least = model.calibration.least_probability(settings.eagerness)
        # The user who asks wants to see what there is; typing shows only what is likely wanted.
        is_typing = self._trigger is Trigger.AUTOMATIC
        best = self._generate(
            model, prompt.ids, greedy, rules, Sureness(least) if is_typing else None
        )
        decision.details |= {
            "cachedTokens": best.cached_tokens,
            "newTokens": best.tokens,
            "finish": best.rule or best.finish.value,
            "meanLogprob": round(best.mean_logprob, 3),
            "probability": round(best.probability, 3),
            "leastProbability": round(least, 3),
            "eagerness": round(settings.eagerness, 3),
        }
        if is_typing:
            shown = self._show(best, hole, place)
            completions = [shown] if shown else []
        else:
            completions, decision.details["candidates"] = candidates.gather(
                best,
                settings.candidates,
                lambda sampling: self._generate(model, prompt.ids, sampling, rules),
                lambda generation: self._show(generation, hole, place),
                greedy,
                self._cancel.is_set,
            )
        if is_typing and completions and is_too_short(completions[0].text):
            completions = []
            decision.nothing("too short")
        elif not completions and best.rule == UNSURE:
            decision.nothing(f"too unsure: {best.probability:.2f}, below {least:.2f}")
            if (enough := model.calibration.eagerness_for(best.probability)) is not None:
                decision.details["eagernessToShow"] = enough
        if not completions and not decision.reason:
            changed = ", ".join(decision.details.get("rules", [])) or "the model wrote nothing"
            decision.nothing(f"filtered: {changed}")
        if (entry := self._selected) is not None:
            return [
                replace(completion, text=entry.text + completion.text, start=entry.start)
                for completion in completions
            ]
        return completions

    def _hole(self) -> tuple[Hole, int]:
        """The hole to fill, and the offset in the document that the model's text goes to.

        With an entry of the suggest popup selected, that is the end of what the entry replaces, and
        the model sees the document with the entry in it.
        """
        text, selected = self._snapshot.text, self._selected
        if selected is None:
            return self._snapshot.hole, self._snapshot.offset
        return Hole(text[: selected.start] + selected.text, text[selected.end :]), selected.end

    @staticmethod
    def _hole_for_model(hole: Hole, single_line: bool) -> Hole:
        """Without the closers right of the cursor, so that the model may write past them."""
        rest = rest_of_line(hole)
        if single_line or not rest.strip() or not is_closing_tail(rest):
            return hole
        return Hole(hole.prefix, hole.suffix[len(rest) :])

    def _generate(
        self,
        model: LoadedModel,
        ids: list[int],
        sampling: SamplingParams,
        rules: StopRules,
        sure: Sureness | None = None,
    ) -> Generation:
        generation = generate_text(
            model.engine,
            model.bundle.tokenizer,
            ids,
            sampling,
            stop=lambda text: self._cut(rules, text),
            sure=sure,
            cancel=self._cancel,
        )
        self._decision.add_ms("first token", generation.first_token_ms)
        self._decision.add_ms("decode", generation.total_ms - generation.first_token_ms)
        known = min(generation.cached_tokens, self._own_prompts.num_known(ids))
        if generation.tokens:
            self._own_prompts.add(ids)
        return replace(generation, cached_tokens=known)

    def _cut(self, rules: StopRules, text: str) -> Cut | None:
        self._on_text(text)
        cuts = (rules.cut(text), self._deadline.cut(text))
        return min((cut for cut in cuts if cut is not None), default=None)

    def _show(self, generation: Generation, hole: Hole, place: int) -> Completion | None:
        """The completion made of a generation, if the model wrote anything worth showing."""
        if generation.finish is Finish.CANCELLED:
            return None
        with self._decision.step("clean"):
            cleaned = postprocess.clean(
                generation.text,
                _normal_line_ends(hole),
                self._language,
                self._snapshot.indentation,
                is_cut_off=generation.finish is Finish.LENGTH,
            )
        if cleaned.changed_by:
            self._decision.details["rules"] = list(cleaned.changed_by)
        text = cleaned.text
        if not text.strip():
            return None
        mean = candidates.mean_logprob_of(text, generation)
        end = place + cleaned.replaced
        return Completion(uuid.uuid4().hex, text, place, end, mean, self._model_name)


async def _until_over(flight: Flight, ticket: Ticket) -> tuple[list[Completion], Decision]:
    """What a generation gives; on the way out, for whatever reason, it is left."""
    flight.enter()
    try:
        result: tuple[list[Completion], Decision] = await ticket.until_superseded(flight.work)
        return result
    finally:
        flight.leave()


def _is_prepared(completions: Sequence[Completion]) -> bool:
    return bool(completions) and completions[0].is_prepared


def _tokens_by_source(gathered: Gathered, tokens: Sequence[int]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for source, number in zip(gathered.sources, tokens, strict=True):
        if number:
            counts[source.value] += number
    return dict(counts)


def _normal_line_ends(hole: Hole) -> Hole:
    r"""Models know \\n only; editors turn it back into the document's own line ends."""
    if "\r" not in hole.prefix and "\r" not in hole.suffix:
        return hole
    return Hole(_without_returns(hole.prefix), _without_returns(hole.suffix))


def _without_returns(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
