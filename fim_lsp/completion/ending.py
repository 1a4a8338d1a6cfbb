"""Decides where a text that is being written ends: by its lines, what follows, or the time."""

from __future__ import annotations

from dataclasses import dataclass

from fim_lsp.completion.request import CompletionRequest
from model_runtime.decoding.generate import Finish, Generation
from model_runtime.decoding.joining import JOINED, cut_at_join
from model_runtime.decoding.stop_rules import (
    Cut,
    StopRules,
    is_closing_tail,
    nearby,
    rest_of_line,
)
from model_runtime.decoding.time_limit import TimeLimit
from model_runtime.prompt.encoder import Hole
from model_runtime.syntax.languages import Language


@dataclass(frozen=True, slots=True)
class Ending:
    """The rules for the texts of one request."""

    hole: Hole
    """The hole as the model sees it, as far as rules look."""
    rules: StopRules
    time_limit: TimeLimit
    spans_lines: bool
    """Whether there may be lines between the cursor and the rest of its line."""

    def cut(self, text: str) -> Cut | None:
        """Returns the place where the text so far ends; None to go on."""
        cuts = (
            cut_at_join(text, self.hole),
            None if self.spans_lines else self.rules.cut(text),
            self.time_limit.cut(text),
        )
        return min((cut for cut in cuts if cut is not None), default=None)

    def cut_unended(self, text: str) -> Cut | None:
        """Returns the place where a text ends that nothing has ended; None for all of it."""
        return self.rules.cut(text) if self.spans_lines else None

    def is_joined(self, generation: Generation) -> bool:
        """Tells whether a text leads to the rest of the line, so that nothing may be cut off it."""
        by_model = self.spans_lines and generation.finish is Finish.END and "\n" in generation.text
        return by_model or generation.rule == JOINED


def ending_of(
    request: CompletionRequest,
    prompted: Hole,
    single_line: bool,
    language: Language,
    time_limit: TimeLimit,
) -> Ending:
    """Returns the rules for a request.

    Who types gets no more than one line before text that stands on it; who asks gets all that is
    missing there.

    Args:
        request: who asks, and the settings.
        prompted: the hole as the model sees it.
        single_line: whether the text is to stay on the cursor's line otherwise.
        language: of the document.
        time_limit: of the request.
    """
    return Ending(
        nearby(prompted),
        StopRules(prompted, single_line, language),
        time_limit,
        spans_lines=not request.is_automatic
        and request.settings.multiline == "auto"
        and not is_closing_tail(rest_of_line(prompted)),
    )
