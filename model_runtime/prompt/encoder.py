"""Makes the ids that a model continues of the text around a cursor.

Training, evaluation and serving take this one path, so that a model is asked as it was taught.

The parts are cut as text and encoded apart, because three cursors in four stand inside a token.
When they do not fit, the suffix loses its end and the prefix its start (`window`).  The template of
a model's format says where they stand.

Where the hole begins at the start of the cursor's line, what is typed on the line comes beside the
prompt, as the text that the answer must begin with (`typed_line`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from model_runtime.errors import PromptTooLong
from model_runtime.prompt.context import ContextWriter
from model_runtime.prompt.format import HoleStart, PromptFormat
from model_runtime.prompt.template import Slot
from model_runtime.prompt.tokenizer import FimTokenizer
from model_runtime.prompt.typed_line import MAX_TYPED_TOKENS, settled, split_line
from model_runtime.prompt.window import MAX_CHARACTERS_PER_TOKEN, PrefixWindow, round_up

MAX_REREAD_TOKENS = 128
"""Ids of a suffix that serving lets a model read at every key: `PromptBudget.reread_tokens`."""


@dataclass(frozen=True, slots=True)
class Hole:
    """The text before and after the place to fill; `prefix + middle + suffix` is the document."""

    prefix: str
    suffix: str


@dataclass(frozen=True, slots=True)
class Snippet:
    """Whole lines from elsewhere that may help, with where they come from."""

    path: str
    text: str
    line_comment: str = "#"
    """The mark of a line comment in its language, for models that read paths in comments."""


@dataclass(frozen=True, slots=True)
class PromptRequest:
    """Holds all that a prompt is made of."""

    hole: Hole
    path: str = ""
    """Path of the file itself, relative to the project; where and when the model is told it is a
    matter of its format.
    """
    snippets: tuple[Snippet, ...] = ()
    """Best first.  Those that do not fit whole are left out."""
    repository: str = ""
    """Name of the project, for formats that state it; empty where it is not known."""


@dataclass(frozen=True, slots=True)
class PromptBudget:
    """States how many ids a prompt may have, and who gets them."""

    tokens: int
    """All ids of the prompt, sentinels included."""
    suffix_share: float = 0.25
    """The suffix keeps at least this share; it gets what the prefix leaves, too."""
    block_tokens: int = 64
    """The room for the suffix changes in steps of this many ids as the prefix grows."""
    reread_tokens: int | None = None
    """Most ids of a suffix that the model reads again at every key; None for no such limit.  Two
    cores read some 470 ids a second of a model of 0.5 B weights.
    """


@dataclass(frozen=True, slots=True)
class Prompt:
    """Holds the ids to continue, and how many of them came from where."""

    ids: list[int]
    forced_text: str
    """Beginning of the answer: the end of what is typed on the line, or nothing."""
    typed_tokens: int
    """Ids at the end of `ids`, behind the last sentinel, that spell the rest of what is typed."""
    hole_start: HoleStart
    """Beginning of the hole; the cursor for every model where no ids spell what is typed."""
    prefix_tokens: int
    suffix_tokens: int
    snippet_tokens: int
    tokens_of_snippets: tuple[int, ...] = ()
    """Tokens of each of the request's snippets; 0 for one that did not fit."""


@dataclass(frozen=True, slots=True)
class FimExample:
    """One training sequence: a serving prompt, then the answer and END."""

    ids: list[int]
    prompt_length: int
    """Leading ids that are prompt.  Training learns all ids; evaluation scores the rest."""


class PromptEncoder:
    """Makes prompts and training examples for one tokenizer and one format."""

    def __init__(self, tokenizer: FimTokenizer, prompt_format: PromptFormat) -> None:
        """Checks that the special ids of the format are special tokens of the tokenizer.

        Raises:
            BundleError: one of them is not.
        """
        tokenizer.check_special_ids(prompt_format.special_ids)
        self.tokenizer = tokenizer
        self.format = prompt_format
        self.fixed_tokens = len(prompt_format.ids({}, tokenizer.encode))
        """Ids of a prompt that are no text of the user."""
        # The suffix is the same text at every key.
        self._encode_again = lru_cache(maxsize=32)(tokenizer.encode)
        self._window = PrefixWindow(tokenizer)
        self._context = ContextWriter(tokenizer, prompt_format)

    @property
    def hole_start(self) -> HoleStart:
        """The place where holes begin, as the format states it."""
        return self.format.hole_start

    def prompt(self, request: PromptRequest, budget: PromptBudget) -> Prompt:
        """Returns the prompt of a request, at most `budget.tokens` ids.

        A pure function of its arguments; the same text with one more character typed before the
        cursor gives the same leading ids, but for the rare moment at which the window's edge moves
        on.

        Raises:
            PromptTooLong: there is no room for any text.
        """
        # The same at every key, or the window would move with what is typed.
        reserved = min(MAX_TYPED_TOKENS, budget.tokens // 4)
        prefix, typed, hole_start = self._split(request.hole.prefix, reserved)
        hole = Hole(prefix, request.hole.suffix)
        room = budget.tokens - (reserved if self.hole_start is HoleStart.LINE else 0)
        prompt = self._prompt(replace(request, hole=hole), room, budget)
        prompt = replace(prompt, hole_start=hole_start)
        if not typed:
            return prompt
        ids, forced_text = settled(self.tokenizer, typed, reserved)
        return replace(
            prompt, ids=[*prompt.ids, *ids], forced_text=forced_text, typed_tokens=len(ids)
        )

    def example(self, request: PromptRequest, middle: str, most_tokens: int) -> FimExample:
        """Returns a training sequence: the serving prompt, the middle, END.

        Args:
            request: all that the prompt is made of.
            middle: what stands in the hole.
            most_tokens: of the whole sequence.

        Raises:
            PromptTooLong: the middle alone does not fit; it and its END are never cut.
        """
        prefix, typed, _ = self._split(request.hole.prefix, MAX_TYPED_TOKENS)
        middle_ids = self.tokenizer.encode(typed + middle)
        tokens = most_tokens - len(middle_ids) - 1
        hole = Hole(prefix, request.hole.suffix)
        prompt = self._prompt(replace(request, hole=hole), tokens, PromptBudget(tokens))
        return FimExample(
            [*prompt.ids, *middle_ids, self.format.end], prompt_length=len(prompt.ids)
        )

    def _split(self, prefix: str, typed_tokens: int) -> tuple[str, str, HoleStart]:
        """Returns the text before the hole, that between its start and the cursor, and the start.

        The hole begins at the cursor where no ids can spell what is typed.
        """
        if self.hole_start is HoleStart.LINE:
            before, typed = split_line(prefix, typed_tokens)
            if self.tokenizer.forced(typed).is_possible:
                return before, typed, HoleStart.LINE
        return prefix, "", HoleStart.CURSOR

    def _prompt(self, request: PromptRequest, tokens: int, budget: PromptBudget) -> Prompt:
        """Writes the prompt of a request whose hole begins where its prefix ends.

        Args:
            request: its hole is filled as it is.
            tokens: most ids.
            budget: says who gets them.
        """
        room = tokens - self.fixed_tokens
        if room < 1:
            raise PromptTooLong(f"a prompt of {tokens} tokens has no room for text")
        share = int(room * self.format.context.share)
        context = self._context.write(request.snippets, request.path, request.repository, share)
        full = [slot for slot, ids in context.parts.items() if ids]
        room -= context.tokens
        near = request.hole.suffix[: room * MAX_CHARACTERS_PER_TOKEN]
        most = room
        if self.format.rereads_suffix and budget.reread_tokens is not None:
            most = min(room, budget.reread_tokens)
        suffix = self._encode_again(self.format.lead_of(Slot.SUFFIX, full) + near)[:most]
        guaranteed = min(len(suffix), int(room * budget.suffix_share))
        lead = self.format.lead_of(Slot.PREFIX, full)
        start, prefix = self._window.cut(request.hole.prefix, room - guaranteed, lead)
        # A prefix that is cut has its full share: its length then swings by a block, the suffix
        # must not.
        left_over = 0 if start else room - round_up(len(prefix), budget.block_tokens)
        suffix = suffix[: max(guaranteed, left_over)]
        parts = {**context.parts, Slot.PREFIX: prefix, Slot.SUFFIX: suffix}
        return Prompt(
            ids=self.format.ids(parts, self.tokenizer.encode),
            forced_text="",
            typed_tokens=0,
            hole_start=HoleStart.CURSOR,
            prefix_tokens=len(prefix),
            suffix_tokens=len(suffix),
            snippet_tokens=context.tokens,
            tokens_of_snippets=context.tokens_of_files,
        )
