"""Decides where a text that is being written ends: by its lines, or by what follows the cursor."""

from __future__ import annotations

from dataclasses import dataclass

from model_runtime.decoding.block import BlockRules, wants_block
from model_runtime.decoding.generate import Finish, Generation
from model_runtime.decoding.joining import JOINED, cut_at_join
from model_runtime.decoding.stop_rules import (
    Cut,
    StopRules,
    is_closing_tail,
    nearby,
    rest_of_line,
)
from model_runtime.prompt.encoder import Hole
from model_runtime.syntax.languages import UNKNOWN, Language

_TIMES_OF_BLOCK = 2


@dataclass(frozen=True, slots=True)
class Ending:
    """The rules for the texts of one hole.  `cut` and `cut_unended` are pure."""

    hole: Hole
    """The hole as the model sees it, as far as rules look."""
    rules: StopRules | BlockRules
    spans_lines: bool
    """Whether there may be lines between the cursor and the rest of its line."""

    @property
    def is_block(self) -> bool:
        """Whether a whole block is wanted."""
        return isinstance(self.rules, BlockRules)

    def cut(self, text: str) -> Cut | None:
        """Returns the place where the text so far ends; None to go on."""
        cuts = (cut_at_join(text, self.hole), None if self.spans_lines else self.rules.cut(text))
        return min((cut for cut in cuts if cut is not None), default=None)

    def cut_unended(self, text: str) -> Cut | None:
        """Returns the place where a text ends that nothing has ended; None for all of it."""
        return self.rules.cut(text) if self.spans_lines else None

    def most_tokens(self, usual: int, room: int) -> int:
        """Returns the tokens that a text may have for who asks: a block may have twice as many.

        Args:
            usual: tokens of any other text.
            room: tokens that the model's context has left.
        """
        return max(usual, min(_TIMES_OF_BLOCK * usual, room)) if self.is_block else usual

    def is_joined(self, generation: Generation) -> bool:
        """Tells whether a text leads to the rest of the line, so that nothing may be cut off it."""
        by_model = self.spans_lines and generation.finish is Finish.END and "\n" in generation.text
        return by_model or generation.rule == JOINED


def ending_of(
    hole: Hole,
    single_line: bool,
    language: Language = UNKNOWN,
    *,
    may_span_lines: bool,
    has_closers: bool = False,
) -> Ending:
    """Returns the rules for a hole.

    Args:
        hole: as the model sees it.
        single_line: whether the text is to stay on the cursor's line.
        language: of the document.
        may_span_lines: whether there may be more than one line nevertheless, where the text leads
            to the rest of the line.
        has_closers: whether there are closers right of the cursor, which the model does not see and
            the text may replace.
    """
    near = nearby(hole)  # what is remembered of it is no whole document
    is_block = not (single_line or has_closers) and wants_block(near, language)
    return Ending(
        near,
        BlockRules(near, language) if is_block else StopRules(near, single_line, language),
        spans_lines=may_span_lines and not is_closing_tail(rest_of_line(hole)),
    )
