r"""Decoding that must begin with text which is given: the part of the line that is typed already.

A cursor stands inside a token three times in four.  Where the model writes the line from its start
instead, each id must agree with what is typed: its text begins with the rest of the typed text, or
is a beginning of that rest.  The first id that goes beyond it gives the first characters of the
suggestion.  Texts are compared as UTF-8 bytes, since a token may end inside a character.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace


class TokenTexts:
    """The text of every id of a vocabulary, sorted, so that ids are found by how they begin."""

    def __init__(self, texts: Sequence[bytes]) -> None:
        """Sorts the texts.

        Args:
            texts: by id; empty for ids that stand for no text, such as sentinels.
        """
        self.texts = texts
        pairs = sorted((text, id_) for id_, text in enumerate(texts) if text)
        self._sorted = [text for text, _ in pairs]
        self._ids = [id_ for _, id_ in pairs]
        self._longest = max(map(len, self._sorted), default=0)
        self._has_every_byte = len({text for text in self._sorted if len(text) == 1}) == 256

    def beginning_with(self, text: bytes) -> list[int]:
        """Returns the ids whose text begins with `text`.

        >>> TokenTexts([b"", b"na", b"name", b"n"]).beginning_with(b"na")
        [1, 2]
        """
        size = len(text)
        low = bisect_left(self._sorted, text)
        return self._ids[low : bisect_right(self._sorted, text, low, key=lambda one: one[:size])]

    def beginnings_of(self, text: bytes) -> Iterator[tuple[int, list[int]]]:
        """Yields lengths, each with the ids whose text is the beginning of `text` of that length.

        The whole of `text` is not among its beginnings.

        >>> dict(TokenTexts([b"na", b"n"]).beginnings_of(b"na"))
        {1: [1]}
        """
        for size in range(1, min(len(text), self._longest + 1)):
            low = bisect_left(self._sorted, text[:size])
            ids = self._ids[low : bisect_right(self._sorted, text[:size], low)]
            if ids:
                yield size, ids

    def spellable(self, text: bytes) -> Sequence[bool]:
        """Tells for each offset of `text` whether an id can go on from there, to its end or beyond.

        The last entry, for the end, is True.

        >>> TokenTexts([b"a", b"bc"]).spellable(b"cab")
        [False, True, True, True]
        """
        if self._has_every_byte:
            return [True] * (len(text) + 1)
        can = [False] * len(text) + [True]
        for start in reversed(range(len(text))):
            rest = text[start:]
            can[start] = bool(self.beginning_with(rest)) or any(
                can[start + size] for size, _ in self.beginnings_of(rest)
            )
        return can


@dataclass(frozen=True, slots=True)
class ForcedText:
    """Text with which the decoded ids must begin, and how much of it they have spelled so far."""

    token_texts: TokenTexts
    text: bytes
    encode: Callable[[str], Sequence[int]]
    """The tokenizer's own way to spell a text, which models mostly follow."""
    can_go_on: Sequence[bool]
    """Ids by offset in `text`; see `TokenTexts.spellable`."""
    spelled: int = 0
    """Bytes of `text` that are spelled; more than it has where the last id went beyond it."""

    @classmethod
    def of(
        cls, token_texts: TokenTexts, text: str, encode: Callable[[str], Sequence[int]]
    ) -> ForcedText:
        """Returns the constraint for a text of which nothing is spelled yet."""
        as_bytes = text.encode()
        return cls(token_texts, as_bytes, encode, token_texts.spellable(as_bytes))

    @property
    def is_possible(self) -> bool:
        """Tells whether ids can spell the text."""
        return self.can_go_on[0]

    @property
    def is_spelled(self) -> bool:
        """Tells whether nothing is left to agree with, so that any id may come next."""
        return self.spelled >= len(self.text)

    @property
    def is_beyond(self) -> bool:
        """Tells whether the last id went beyond the text, and so is more than its spelling."""
        return self.spelled > len(self.text)

    def finishing(self) -> list[int]:
        """Returns the ids that spell all that is left, and perhaps more."""
        return self.token_texts.beginning_with(self.text[self.spelled :])

    def continuing(self) -> list[int]:
        """Returns the ids that spell a part of what is left.

        An id that leaves a rest which no ids can spell is not among them.
        """
        return [
            id_
            for size, ids in self.token_texts.beginnings_of(self.text[self.spelled :])
            if self.can_go_on[self.spelled + size]
            for id_ in ids
        ]

    def after(self, id_: int) -> ForcedText:
        """Returns what is left to agree with once one of these ids has come."""
        return replace(self, spelled=self.spelled + len(self.token_texts.texts[id_]))

    def likely(self) -> list[int]:
        """Returns the ids by which the tokenizer would spell the rest, as a guess."""
        return list(self.encode(self.text[self.spelled :].decode(errors="ignore")))
