"""From documents to training sequences, through the prompt code that serving uses.

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
from typing import NamedTuple

from model_runtime.errors import PromptTooLong
from model_runtime.fim_format import FimTokens, Order
from model_runtime.prompt import CompletionRequest, Hole, PromptEncoder, Snippet
from model_runtime.tokenizer import FimTokenizer
from model_runtime.training import windows
from model_runtime.training.documents import Documents
from model_runtime.training.holes import Cut, draw_cut
from model_runtime.training.recipe import DataRecipe
from model_runtime.training.syntax import Span, Syntax

LARGEST_PARSED = 200_000
"""Characters; larger documents get no syntax holes."""
_WORD = re.compile(r"[^\W\d]\w{2,}")
_DOCSTRING = re.compile(r'^\s*[rR]?"""', re.MULTILINE)


class Sequence(NamedTuple):
    """Ids of one example."""

    ids: list[int]
    kind: str
    """Of the hole, or `ltr`."""
    text_bytes: int
    """UTF-8 bytes of the text in it, for bits per byte."""


@dataclass(frozen=True)
class Encoder:
    """Makes the sequences of a document."""

    documents: Documents
    tokenizer: FimTokenizer
    tokens: FimTokens
    data: DataRecipe
    context: int
    seed: int

    def sequences(self, number: int, epoch: int) -> Iterator[Sequence]:
        """Every sequence of one document in one epoch."""
        entry = self.documents.entries[number]
        rng = random.Random(f"{self.seed}/{epoch}/{entry.sha1}")
        text = self.documents.text(number)
        if not text or self._is_left_out(text, entry.is_test, rng):
            return
        encoders = {
            name: PromptEncoder(self.tokenizer, self.tokens, Order(name))
            for name in self.data.orders
        }
        syntax = Syntax(text if len(text) <= LARGEST_PARSED else "")
        for window in self._windows(text, syntax, rng):
            request = CompletionRequest(Hole("", ""))
            snippets: tuple[Snippet, ...] = ()
            if rng.random() < self.data.snippet_rate:
                snippets = self._snippets(number, text[slice(*window)], rng)
            if rng.random() >= self.data.fim_rate:
                yield self._left_to_right(text, window)
                continue
            cut = draw_cut(text, window, syntax, self.data.spans, self.data.no_suffix_rate, rng)
            request = CompletionRequest(Hole(cut.prefix, cut.suffix), entry.path, snippets)
            order = rng.choices(list(self.data.orders), list(self.data.orders.values()))[0]
            try:
                example = encoders[order].example(request, cut.middle, self.context)
            except PromptTooLong:
                continue  # a middle is never cut
            yield Sequence(example.ids, cut.kind, _text_bytes(cut, snippets))

    def _is_left_out(self, text: str, is_test: bool, rng: random.Random) -> bool:
        if is_test and rng.random() >= self.data.test_share:
            return True
        wanted = self.data.least_docstrings
        return wanted > 0 and len(_DOCSTRING.findall(text)) < wanted

    def _windows(self, text: str, syntax: Syntax, rng: random.Random) -> Iterator[Span]:
        data = self.data
        if data.windows_per_document == 0:
            return windows.whole(text, data.window_tokens, rng)
        return windows.some(
            text, syntax, data.windows_per_document, data.window_tokens, data.function_rate, rng
        )

    def _left_to_right(self, text: str, window: Span) -> Sequence:
        piece = text[slice(*window)]
        ids = [self.tokens.end, *self.tokenizer.encode(piece)]
        if window[1] == len(text):
            ids.append(self.tokens.end)
        return Sequence(ids[: self.context], "ltr", len(piece.encode()))

    def _snippets(self, number: int, window: str, rng: random.Random) -> tuple[Snippet, ...]:
        """Up to two pieces of other files of the package: of four drawn, the most alike."""
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


def _text_bytes(cut: Cut, snippets: tuple[Snippet, ...]) -> int:
    return sum(
        len(part.encode())
        for part in (cut.prefix, cut.middle, cut.suffix, *(snippet.text for snippet in snippets))
    )
