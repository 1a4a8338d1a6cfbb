r"""From the text around a cursor to the ids a model continues: one path for training, evaluation
and serving.

    SUF <suffix> PRE [FILE path \\n snippet \\n ... FILE own-path \\n] <prefix> MID           (order
    spm1)

The parts are cut as text and encoded apart, because three cursors in four stand inside a token.
When they do not fit, the suffix loses its end and the prefix its start.  The left edge of the
prefix moves in blocks, so that one more typed character changes only the last ids and an engine's
KV cache of the others stays valid.

Where the hole begins at the start of the cursor's line, what is typed on the line comes beside the
prompt, as the text that the answer must begin with.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from model_runtime.errors import PromptTooLong
from model_runtime.prompt.format import (
    NUM_SENTINELS,
    FimExample,
    FimTokens,
    HoleStart,
    Order,
    prompt_ids,
)
from model_runtime.prompt.tokenizer import FimTokenizer

_MAX_CHARACTERS_PER_TOKEN = 8
"""Text further away than budget x this is not even encoded; code has 3 to 4 characters a token."""

_SETTLED_CHARACTERS, _SLACK_TOKENS = 64, 24
"""The window's edge is chosen for the text up to a multiple of so many characters, with room for
the rest: the count of ids goes up and down while a word is being typed, and the edge must not."""

MAX_TYPED_TOKENS = 96
"""Ids that a prompt leaves free for what is typed on the line; a small one leaves a quarter."""
_TYPED_CHARACTERS_PER_TOKEN = 8 / 3
"""So many are taken of a long line, 256 for 96 ids; code has 65 to 85 ids in 256 characters.  Of a
longer line the hole begins inside, at a place that moves on in steps of half as many."""
_HEALED_TOKENS = 4
"""Last ids of the typed text that decoding spells anew.  The tokenizer ends them at the cursor; the
model has learned the ids of whole lines, which differ from them at the end alone.
"""


@dataclass(frozen=True, slots=True)
class Hole:
    """Text before and after the place to fill.  `prefix + middle + suffix` is the document."""

    prefix: str
    suffix: str


@dataclass(frozen=True, slots=True)
class Snippet:
    """Whole lines from elsewhere that may help, with where they come from."""

    path: str
    text: str
    line_comment: str = "#"
    """Marks the path for a model that has no FILE token."""


@dataclass(frozen=True, slots=True)
class PromptRequest:
    """All that a prompt is made of."""

    hole: Hole
    path: str = ""
    """Of the file itself, relative to the project; shown to the model only beside snippets."""
    snippets: tuple[Snippet, ...] = ()
    """Best first.  Those that do not fit whole are left out."""


@dataclass(frozen=True, slots=True)
class PromptBudget:
    """How many ids a prompt may have, and who gets them."""

    tokens: int
    """All ids of the prompt, sentinels included."""
    suffix_share: float = 0.25
    """The suffix keeps at least this share; it gets what the prefix leaves, too."""
    snippet_share: float = 0.25
    """Snippets get at most this share."""
    block_tokens: int = 64
    """The room for the suffix changes in steps of this many ids as the prefix grows."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """Ids to continue, and how many of them came from where (for the decision trail)."""

    ids: list[int]
    forced_text: str
    """What the answer must begin with: the end of what is typed on the line, or nothing."""
    typed_tokens: int
    """Ids at the end of `ids`, behind the last sentinel, that spell the rest of what is typed."""
    hole_start: HoleStart
    """Where the hole begins; at the cursor for every model where no ids spell what is typed."""
    prefix_tokens: int
    suffix_tokens: int
    snippet_tokens: int
    tokens_of_snippets: tuple[int, ...] = ()
    """Of each of the request's snippets; 0 for one that did not fit."""


class PromptEncoder:
    """Makes prompts and training examples for one tokenizer and one format."""

    def __init__(
        self,
        tokenizer: FimTokenizer,
        tokens: FimTokens,
        order: Order,
        hole_start: HoleStart = HoleStart.CURSOR,
    ) -> None:
        tokenizer.check_sentinels(tokens)
        self.tokenizer = tokenizer
        self.tokens = tokens
        self.order = order
        self.hole_start = hole_start
        # The suffix and the snippets are the same text at every key.
        self._encode_again = lru_cache(maxsize=32)(tokenizer.encode)
        self._first_block = lru_cache(maxsize=32)(self._choose_first_block)

    def prompt(self, request: PromptRequest, budget: PromptBudget) -> Prompt:
        """Ids for a request, at most `budget.tokens`.

        A pure function of its arguments; the same text with one more character typed before the
        cursor gives the same leading ids, but for the rare moment at which the window's edge moves
        on.
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
        settled, forced_text = self._settled(typed, reserved)
        return replace(
            prompt,
            ids=[*prompt.ids, *settled],
            forced_text=forced_text,
            typed_tokens=len(settled),
        )

    def _settled(self, typed: str, most: int) -> tuple[list[int], str]:
        """Returns the ids of typed text that more text will hardly change, and the text behind.

        There are at most `most` ids.
        """
        ids, as_bytes = self.tokenizer.encode(typed), self.tokenizer.forced(typed).text
        texts = self.tokenizer.token_texts.texts
        for count in range(min(len(ids) - _HEALED_TOKENS, most), 0, -1):
            size = sum(len(texts[id_]) for id_ in ids[:count])
            try:  # an id may end inside a character
                return ids[:count], as_bytes[size:].decode()
            except UnicodeError:
                continue
        return [], as_bytes.decode()

    def _split(self, prefix: str, typed_tokens: int) -> tuple[str, str, HoleStart]:
        """Returns the text before the hole, that between its start and the cursor, and the start.

        The hole begins at the cursor where no ids can spell what is typed.

        Args:
            prefix: text before the cursor.
            typed_tokens: ids that there is room for.
        """
        if self.hole_start is HoleStart.CURSOR:
            return prefix, "", HoleStart.CURSOR
        start = prefix.rfind("\n") + 1
        most = int(typed_tokens * _TYPED_CHARACTERS_PER_TOKEN)
        surplus = len(prefix) - start - most
        if surplus > 0:
            start += _round_up(surplus, max(1, most // 2))
        typed = prefix[start:]
        if not self.tokenizer.forced(typed).is_possible:
            return prefix, "", HoleStart.CURSOR
        return prefix[:start], typed, HoleStart.LINE

    def _prompt(self, request: PromptRequest, tokens: int, budget: PromptBudget) -> Prompt:
        """Writes the prompt of a request whose hole begins where its prefix ends.

        Args:
            request: its hole is filled as it is.
            tokens: most ids.
            budget: says who gets them.
        """
        room = tokens - NUM_SENTINELS
        if room < 1:
            raise PromptTooLong(f"a prompt of {tokens} tokens has no room for text")
        header, of_snippets = self._header(request, int(room * budget.snippet_share))
        room -= len(header)
        near = request.hole.suffix[: room * _MAX_CHARACTERS_PER_TOKEN]
        suffix = self._encode_again(near)[:room]
        guaranteed = min(len(suffix), int(room * budget.suffix_share))
        start, prefix = self._prefix_window(request.hole.prefix, room - guaranteed)
        # A prefix that is cut has its full share: its length then swings by a block, the suffix
        # must not.
        left_over = 0 if start else room - _round_up(len(prefix), budget.block_tokens)
        suffix = suffix[: max(guaranteed, left_over)]
        return Prompt(
            ids=prompt_ids(self.order, self.tokens, [*header, *prefix], suffix),
            forced_text="",
            typed_tokens=0,
            hole_start=HoleStart.CURSOR,
            prefix_tokens=len(prefix),
            suffix_tokens=len(suffix),
            snippet_tokens=len(header),
            tokens_of_snippets=of_snippets,
        )

    def example(self, request: PromptRequest, middle: str, most_tokens: int) -> FimExample:
        """A training sequence of at most `most_tokens` ids: the serving prompt, the middle, END.

        Raises:
            PromptTooLong: the middle alone does not fit; it and its END are never cut.
        """
        prefix, typed, _ = self._split(request.hole.prefix, MAX_TYPED_TOKENS)
        middle_ids = self.tokenizer.encode(typed + middle)
        tokens = most_tokens - len(middle_ids) - 1
        hole = Hole(prefix, request.hole.suffix)
        prompt = self._prompt(replace(request, hole=hole), tokens, PromptBudget(tokens))
        return FimExample(
            [*prompt.ids, *middle_ids, self.tokens.end], prompt_length=len(prompt.ids)
        )

    def _header(
        self, request: PromptRequest, most_tokens: int
    ) -> tuple[list[int], tuple[int, ...]]:
        """Ids of the snippets that fit whole, the best nearest to the prefix; the count of each."""
        own_path = self._path_line(request.path, "#")
        chosen: list[list[int]] = []
        used = len(own_path)
        counts = []
        for snippet in request.snippets:
            ids = self._snippet_ids(snippet)
            fits = used + len(ids) <= most_tokens
            counts.append(len(ids) if fits else 0)
            if fits:
                chosen.append(ids)
                used += len(ids)
        if not chosen:
            return [], tuple(counts)
        header = [id_ for ids in reversed(chosen) for id_ in ids] + own_path
        return header, tuple(counts)

    def _snippet_ids(self, snippet: Snippet) -> list[int]:
        text = snippet.text.rstrip("\n")
        if self.tokens.file is None:
            return self._encode_again(f"{snippet.line_comment} {snippet.path}\n{text}\n")
        return [self.tokens.file, *self._encode_again(f"{snippet.path}\n{text}\n")]

    def _path_line(self, path: str, line_comment: str) -> list[int]:
        if self.tokens.file is None:
            return self._encode_again(f"{line_comment} {path}\n")
        return [self.tokens.file, *self._encode_again(f"{path}\n")]

    def _prefix_window(self, text: str, limit: int) -> tuple[int, list[int]]:
        """Where the window begins, and its ids, at most `limit`; it begins at a block's edge.

        The block is a quarter of the limit; where the text has so few characters per token that
        this would waste more than half of the limit, smaller blocks are tried.
        """
        if limit < 1:
            return len(text), []
        for divisor in (4, 16, 64):
            start, ids = self._window_at_blocks(text, limit, max(1, limit * 3 // divisor))
            if start == 0 or len(ids) * 2 >= limit:
                return start, ids
        return self._window_at_blocks(text, limit, block=1)

    def _window_at_blocks(self, text: str, limit: int, block: int) -> tuple[int, list[int]]:
        too_far = max(0, len(text) - limit * _MAX_CHARACTERS_PER_TOKEN)
        base = _round_up(too_far, block)  # edges stay where they are: at multiples from the start
        near = text[base:]
        settled = near[: len(near) - len(near) % _SETTLED_CHARACTERS]
        number = self._first_block(settled, limit - min(limit // 4, _SLACK_TOKENS), block)
        while len(ids := self.tokenizer.encode(near[_edge(near, number, block) :])) > limit:
            number += 1
        return base + _edge(near, number, block), ids

    def _choose_first_block(self, settled: str, limit: int, block: int) -> int:
        """Number of the first block with which the rest of `settled` has at most `limit` ids."""
        ids, offsets = self.tokenizer.encode_with_offsets(settled)
        if len(ids) <= limit:
            return 0
        wanted = offsets[len(ids) - limit]
        number = max(0, wanted // block - 1)
        while _edge(settled, number, block) < wanted:
            number += 1
        return number


def _edge(text: str, number: int, block: int) -> int:
    """Where block `number` may begin: at the first line start inside it, else at its first
    character.
    """
    first = number * block
    if number == 0 or block == 1:
        return min(first, len(text))
    line_end = text.find("\n", first, first + block)
    return line_end + 1 if line_end >= 0 else min(first, len(text))


def _round_up(number: int, step: int) -> int:
    return -(-number // step) * step
