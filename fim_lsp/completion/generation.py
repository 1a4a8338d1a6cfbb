"""Generates completions for one request: the part of the path that runs on the engine's thread.

context -> prompt -> decoding (stop rules, confidence, time limit) -> filters -> completions
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import replace

from fim_lsp.completion import candidates, filters
from fim_lsp.completion.first_window import FirstWindow
from fim_lsp.completion.hole import behind_selected, hole_of, normal_line_ends, without_closers
from fim_lsp.completion.language_filters import is_too_short
from fim_lsp.completion.own_prompts import OwnPrompts
from fim_lsp.completion.reasons import ConfidenceFigures, Reason, Silence
from fim_lsp.completion.request import CompletionRequest
from fim_lsp.completion.sure_text import SureText
from fim_lsp.completion.trace import (
    DecodingFigures,
    GenerationResult,
    GenerationTrace,
    PromptFigures,
)
from fim_lsp.context import CrossFileContext, Gathered
from fim_lsp.model_host.hang_watch import Patience
from fim_lsp.suggestion import Completion
from model_runtime.decoding.confidence import UNSURE, ConfidenceCutoff
from model_runtime.decoding.ending import Ending, ending_of
from model_runtime.decoding.generate import Finish, Generation, StopRule, generate_text
from model_runtime.decoding.stop_rules import Cut, rest_of_line, wants_single_line
from model_runtime.decoding.time_limit import TimeLimit
from model_runtime.engines.protocol import SamplingParams
from model_runtime.prompt.encoder import (
    MAX_REREAD_TOKENS,
    Hole,
    Prompt,
    PromptBudget,
    PromptRequest,
)
from model_runtime.prompt.format import HoleStart
from model_runtime.served_model import ServedModel
from model_runtime.syntax.languages import language


class GenerationTask:
    """Completes one request with a model, or lets the model read its prompt ahead of time."""

    def __init__(
        self,
        request: CompletionRequest,
        context: CrossFileContext,
        own_prompts: OwnPrompts,
        first_window: FirstWindow,
        cancel: threading.Event,
        on_text: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Takes what is needed from the event loop; none of it changes afterwards.

        Args:
            request: what is asked for, with the eagerness that is in force for its user.
            context: what of the project the model may see beside the document.
            own_prompts: the prompts of this editor, of whose cached tokens it may be told; they
                are used on the engine's thread.
            first_window: shortens a prompt that takes too long to read; used there as well.
            cancel: ends the work within a token.
            on_text: called with the best suggestion's text so far, at each token.
        """
        self._request = request
        self._context = context
        self._own_prompts = own_prompts
        self._first_window = first_window
        self._cancel = cancel
        limit_ms = request.settings.time_limit_ms if request.is_automatic else 0
        self.patience = Patience(cancel, limit_ms / 1e3)
        """Says how long the result is waited for."""
        self._on_text = on_text
        self._language = language(request.snapshot.language_id)
        self._hole, self._place = hole_of(request)
        self._trace = GenerationTrace()

    def run(self, model: ServedModel) -> GenerationResult:
        """Returns completions, best first, and what was noted on the way."""
        if self._cancel.is_set():  # superseded while it waited for the engine
            return GenerationResult((), self._trace)
        begun = time.perf_counter()
        completions = tuple(self._complete(model))
        self._trace.worked_ms = (time.perf_counter() - begun) * 1e3
        return GenerationResult(completions, self._trace)

    def prefill(self, model: ServedModel) -> None:
        """Lets the engine read the prompt and write nothing, so that it has it in its cache.

        At the end of a line it reads that of the next line, too, if that does not depend on the
        indentation which the editor will put there.
        """
        holes = [self._hole]
        starts_at_line = model.encoder.hole_start is HoleStart.LINE
        if starts_at_line and not rest_of_line(self._hole).strip():
            holes.append(Hole(f"{self._hole.prefix}\n", self._hole.suffix))
        gathered = self._context.gather(self._request.snapshot)
        tokenizer = model.tokenizer
        for hole in holes:
            if self._cancel.is_set():
                return
            request = self._prompt_request(hole, gathered, self._is_single_line(hole))
            prompt = self._prompt(model, request)
            one = SamplingParams(1, model.stop_ids)
            forced = tokenizer.forced(prompt.forced_text) if prompt.forced_text else None
            with model.engine.generate(prompt.ids, one, self._cancel, forced) as stream:
                if list(stream):
                    self._own_prompts.add(prompt.ids)

    def _complete(self, model: ServedModel) -> list[Completion]:
        request, trace = self._request, self._trace
        time_limit = TimeLimit(self.patience.limit_seconds)
        with trace.timings.step("context"):
            gathered = self._context.gather(request.snapshot)
        with trace.timings.step("prompt"):
            single_line = self._is_single_line(self._hole)
            prompt_request = self._prompt_request(self._hole, gathered, single_line)
            prompt = self._prompt(model, prompt_request)
            if request.is_automatic:
                uri = request.snapshot.uri
                most = self._first_window.tokens(model.engine, prompt, uri)
                prompt = self._prompt(model, prompt_request, most) if most else prompt
        trace.prompt = PromptFigures.of(prompt, gathered, single_line)
        # Who types gets one line before text that stands on it, who asks all that is missing.
        by_hand = not request.is_automatic and request.settings.multiline == "auto"
        ending = ending_of(
            prompt_request.hole,
            single_line,
            self._language,
            may_span_lines=by_hand,
            has_closers=bool(rest_of_line(self._hole).strip()),
        )
        greedy = SamplingParams(self._new_tokens(model), model.stop_ids)
        calibration = model.calibration.for_language(request.snapshot.language_id)
        threshold = calibration.least_probability(request.settings.eagerness)
        sure = SureText(
            self._hole,
            lambda line: self._cleaned(line, prompt.hole_start, ending).text,
            self._stop_strings(model),
            request.on_sure_text,
        )

        def stop(text: str) -> Cut | None:
            self._on_text(text)
            cuts = (ending.cut(text), time_limit.cut(text))
            return min((cut for cut in cuts if cut is not None), default=None)

        def stop_best(text: str) -> Cut | None:
            if (cut := stop(text)) is None:
                sure.look_at(text)
            return cut

        # The user who asks wants to see what there is; typing shows only what is likely wanted.
        cutoff = ConfidenceCutoff(threshold) if request.is_automatic else None
        longest = greedy
        if not request.is_automatic:
            room = model.engine.context_length - len(prompt.ids)
            longest = replace(greedy, max_tokens=ending.most_tokens(greedy.max_tokens, room))
        best = self._generate(model, prompt, longest, ending, stop_best, cutoff)
        trace.decoding = DecodingFigures.of(best)
        trace.confidence = ConfidenceFigures(
            best.probability, threshold, request.settings.eagerness
        )
        shown = self._filtered(best, prompt.hole_start, ending, model.name)
        wanted = request.max_suggestions if request.is_automatic else request.settings.candidates
        completions = [shown] if shown else []
        if not request.is_automatic or (shown and wanted > 1):
            completions, trace.candidates = candidates.gather(
                best,
                wanted,
                lambda sampling: self._generate(model, prompt, sampling, ending, stop, None),
                lambda generation: (
                    shown
                    if generation is best
                    else self._filtered(generation, prompt.hole_start, ending, model.name)
                ),
                greedy,
                self._cancel.is_set,
            )
        if request.is_automatic and completions and is_too_short(completions[0].text):
            trace.hold_back(completions[0].text, Silence(Reason.TOO_SHORT))
            completions = []
        elif not completions and best.rule == UNSURE and not best.text.strip():
            enough = calibration.eagerness_for(best.probability)
            trace.confidence = replace(trace.confidence, eagerness_to_show=enough)
            silence = Silence(Reason.LOW_CONFIDENCE, confidence=trace.confidence)
            trace.hold_back(best.decoded, silence)
        elif not completions:
            trace.hold_back(best.text, Silence(Reason.FILTERED, rules=trace.rules))
        return behind_selected(completions, request.selected)

    def _is_single_line(self, hole: Hole) -> bool:
        return wants_single_line(hole, self._request.settings.multiline, self._language)

    def _prompt_request(self, hole: Hole, gathered: Gathered, single_line: bool) -> PromptRequest:
        # Without the closers right of the cursor the model may write past them.
        return PromptRequest(
            hole=normal_line_ends(hole if single_line else without_closers(hole)),
            path=self._request.snapshot.path,
            snippets=gathered.snippets,
            repository=self._request.snapshot.project,
        )

    def _stop_strings(self, model: ServedModel) -> tuple[str, ...]:
        return (*model.encoder.format.stop_strings, *self._request.stop_strings)

    def _new_tokens(self, model: ServedModel) -> int:
        return min(self._request.settings.max_new_tokens, model.engine.context_length // 4)

    def _prompt(self, model: ServedModel, request: PromptRequest, most: int = 0) -> Prompt:
        room = model.engine.context_length - self._new_tokens(model)
        budget = PromptBudget(
            tokens=min(most or self._request.settings.context_tokens, room),
            # Somebody who types waits at every key; somebody who asks gets the whole suffix read.
            reread_tokens=MAX_REREAD_TOKENS if self._request.is_automatic else None,
        )
        return model.encoder.prompt(request, budget)

    def _generate(
        self,
        model: ServedModel,
        prompt: Prompt,
        sampling: SamplingParams,
        ending: Ending,
        stop: StopRule,
        cutoff: ConfidenceCutoff | None,
    ) -> Generation:
        generation = generate_text(
            model.engine,
            model.tokenizer,
            prompt.ids,
            sampling,
            forced_text=prompt.forced_text,
            stop_strings=self._stop_strings(model),
            stop=stop,
            unless_ended=ending.cut_unended,
            sure=cutoff,
            cancel=self._cancel,
        )
        self._trace.timings.add("first token", generation.first_token_ms)
        self._trace.timings.add("decode", generation.total_ms - generation.first_token_ms)
        known = min(generation.cached_tokens, self._own_prompts.num_known(prompt.ids))
        if generation.tokens:
            self._own_prompts.add(prompt.ids)
        # What others have made the model read counts as if it had been read for this editor.
        read = generation.read_tokens + generation.cached_tokens - known
        return replace(generation, cached_tokens=known, read_tokens=read)

    def _cleaned(
        self,
        text: str,
        hole_start: HoleStart,
        ending: Ending,
        *,
        is_cut_off: bool = False,
        is_joined: bool = False,
    ) -> filters.Cleaned:
        return filters.clean(
            text,
            normal_line_ends(self._hole),
            self._language,
            self._request.snapshot.indentation,
            is_cut_off=is_cut_off,
            is_of_whole_line=hole_start is HoleStart.LINE,
            is_joined=is_joined,
            is_block=ending.is_block,
        )

    def _filtered(
        self, generation: Generation, hole_start: HoleStart, ending: Ending, model_name: str
    ) -> Completion | None:
        """Returns the completion made of a generation, if the model wrote anything of use."""
        if generation.finish is Finish.CANCELLED:
            return None
        with self._trace.timings.step("clean"):
            cleaned = self._cleaned(
                generation.text,
                hole_start,
                ending,
                is_cut_off=generation.finish is Finish.LENGTH,
                is_joined=ending.is_joined(generation),
            )
        self._trace.rules = cleaned.changed_by or self._trace.rules
        text = cleaned.text
        if not text.strip():
            return None
        mean = candidates.mean_logprob_of(text, generation)
        end = self._place + cleaned.replaced
        return Completion(uuid.uuid4().hex, text, self._place, end, mean, model_name)
