"""Turns documents into training examples, through the prompt code that serving uses.

    with a hole      PromptEncoder.example: the serving prompt, the middle, END
    without          END text, and END where the document ends

Everything is drawn from (seed, epoch, document id) alone: neither workers nor order nor restarts
change it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from model_runtime.errors import PromptTooLong
from model_runtime.prompt.encoder import Hole, PromptEncoder, PromptRequest, Snippet
from model_runtime.prompt.format import HoleStart, PromptFormat
from model_runtime.prompt.orders import FimTokens, Order
from model_runtime.prompt.tokenizer import FimTokenizer
from model_runtime.training import windows
from model_runtime.training.documents import Documents, Entry
from model_runtime.training.holes import Holes
from model_runtime.training.keyed_random import KeyedRandom
from model_runtime.training.recipe import DataRecipe
from model_runtime.training.syntax import Span, Syntax

MAX_PARSED_CHARACTERS = 200_000
"""Longest document that is parsed, in characters; larger ones get no syntax holes."""
LEFT_TO_RIGHT, TOO_LONG = "ltr", "too long"
_WORD = re.compile(r"[^\W\d]\w{2,}")
_DOCSTRING = re.compile(r'^\s*[rR]?"""', re.MULTILINE)


class Example(NamedTuple):
    """The ids of one training example."""

    ids: list[int]
    kind: str
    """Kind of the hole, or `ltr`; `too long` for a middle that the context cannot hold.  A middle
    is never cut, so there are no ids then.
    """


@dataclass(frozen=True)
class Reading:
    """A document in one epoch, and all that is drawn for it."""

    number: int
    entry: Entry
    text: str
    syntax: Syntax
    rng: random.Random


@dataclass(frozen=True)
class Encoder:
    """Makes the training examples of a document."""

    documents: Documents
    tokenizer: FimTokenizer
    tokens: FimTokens
    data: DataRecipe
    context: int
    seed: int

    def sequences(self, number: int, epoch: int) -> Iterator[Example]:
        """Yields every example of one document in one epoch, windows one after the other."""
        reading = self.read(number, epoch)
        if reading is None:
            return
        for window in self.windows(reading):
            yield from self.of_window(reading, window, self.context)

    def read(self, number: int, epoch: int) -> Reading | None:
        """Returns a document and its draws; None where the recipe leaves it out of this epoch."""
        entry = self.documents.entries[number]
        rng, text = KeyedRandom(self.seed, epoch, entry.sha1), self.documents.text(number)
        if not text or self._is_left_out(text, entry.is_test, rng):
            return None
        parsed = text if self._needs_syntax and len(text) <= MAX_PARSED_CHARACTERS else ""
        return Reading(number, entry, text, Syntax(parsed, entry.path), rng)

    def of_window(
        self, reading: Reading, window: Span, max_tokens: int, begins: bool = True
    ) -> Iterator[Example]:
        """Yields the example of a window; several where one without a hole is longer than so many
        ids.

        Args:
            reading: the document.
            window: offsets in the document.
            max_tokens: largest number of ids of an example.
            begins: whether END stands before text without a hole.
        """
        rng = reading.rng
        snippets: tuple[Snippet, ...] = ()
        if rng.random() < self.data.snippet_rate:
            snippets = self._snippets(reading.number, reading.text[slice(*window)], rng)
        if rng.random() >= self.data.fim_rate:
            ids = self.tokenizer.encode(reading.text[slice(*window)])
            ends = window[1] == len(reading.text)
            for piece in left_to_right(self.tokens, ids, max_tokens, begins, ends):
                yield Example(piece, LEFT_TO_RIGHT)
            return
        cut = self.holes.draw(reading.text, window, reading.syntax, rng)
        request = PromptRequest(Hole(cut.prefix, cut.suffix), reading.entry.path, snippets)
        order = rng.choices(list(self.data.orders), list(self.data.orders.values()))[0]
        try:
            yield Example(self._example_ids(order, request, cut.middle, max_tokens), cut.kind)
        except PromptTooLong:
            yield Example([], TOO_LONG)

    def _example_ids(
        self, order: str, request: PromptRequest, middle: str, max_tokens: int
    ) -> list[int]:
        """Returns all of the text if that fits, to the last id; else what serving would send of it.

        The shares of a prompt change in steps, so that ids stay stable while somebody types; a
        budget that is just large enough would lose some text to that.
        """
        whole = self.prompts[order].example(request, middle, 2 * max_tokens).ids
        if len(whole) <= max_tokens:
            return whole
        return self.prompts[order].example(request, middle, max_tokens).ids

    @cached_property
    def holes(self) -> Holes:
        """The mix of holes of the recipe."""
        return Holes(self.data.spans, self.data.no_suffix_rate, self._borders)

    @cached_property
    def prompts(self) -> dict[str, PromptEncoder]:
        """Order of the recipe -> the encoder of its prompts."""
        start = HoleStart(self.data.hole_start)
        return {
            name: PromptEncoder(
                self.tokenizer, PromptFormat.of_order(Order(name), self.tokens, start)
            )
            for name in self.data.orders
        }

    @cached_property
    def bytes_of_ids(self) -> npt.NDArray[np.int64]:
        """UTF-8 bytes of text that each id stands for."""
        return np.array(self.tokenizer.bytes_of_ids(), np.int64)

    @cached_property
    def _needs_syntax(self) -> bool:
        """Whether any draw looks at functions or nodes."""
        data = self.data
        starts_at_functions = data.windows_per_document > 0 and data.function_rate > 0
        return starts_at_functions or any(data.spans.get(kind) for kind in ("line", "syntax"))

    def _borders(self, text: str) -> list[int]:
        return sorted({0, len(text), *self.tokenizer.encode_with_offsets(text)[1]})

    def _is_left_out(self, text: str, is_test: bool, rng: random.Random) -> bool:
        if is_test and rng.random() >= self.data.test_share:
            return True
        wanted = self.data.min_docstrings
        return wanted > 0 and len(_DOCSTRING.findall(text)) < wanted

    def windows(self, reading: Reading) -> Iterator[Span]:
        """Returns the windows of a document, as offsets."""
        data = self.data
        text, rng = reading.text, reading.rng
        if data.windows_per_document == 0:
            return windows.whole(text, data.window_tokens, rng)
        return windows.some(
            text,
            reading.syntax,
            data.windows_per_document,
            data.window_tokens,
            data.function_rate,
            rng,
        )

    def _snippets(self, number: int, window: str, rng: random.Random) -> tuple[Snippet, ...]:
        """Returns up to two pieces of other files of the package: of four drawn, the most alike."""
        entries, words = self.documents.entries, set(_WORD.findall(window))
        others = self.documents.of_package[entries[number].package]
        drawn = {others[rng.randrange(len(others))] for _ in range(4)} - {number}
        found = []
        for other in sorted(drawn):
            text = self.documents.text(other)
            start = text.rfind("\n", 0, rng.randrange(len(text) + 1)) + 1
            lines = text[start : start + 1500].splitlines(keepends=True)[: rng.randint(3, 12)]
            snippet = "".join(lines).rstrip("\n")
            if snippet:
                shared = len(words & set(_WORD.findall(snippet)))
                found.append((shared, entries[other].path, snippet))
        best = sorted(found, reverse=True)[: rng.randint(1, 2)]
        return tuple(Snippet(path, snippet) for _, path, snippet in best)


def left_to_right(
    tokens: FimTokens, text: list[int], max_tokens: int, begins: bool, ends: bool
) -> Iterator[list[int]]:
    """Yields text without a hole, END in front of it, and END behind it if the document ends there.

    Text longer than `max_tokens`, which is 3 or more, comes in several pieces; the last one has the
    END behind it, and nothing is lost.

    >>> tokens = FimTokens(end=0, suffix=1, prefix=2, middle=3)
    >>> list(left_to_right(tokens, [7, 8, 9], 4, begins=True, ends=True))
    [[0, 7, 8], [0, 9, 0]]
    """
    front, at = [tokens.end] * begins, 0
    while len(front) + len(text) - at + ends > max_tokens:
        # END never stands alone: one id is left for the last piece.
        taken = min(max_tokens - len(front), len(text) - at - 1)
        yield [*front, *text[at : at + taken]]
        front, at = [tokens.end], at + taken
    yield [*front, *text[at:], *[tokens.end] * ends]
