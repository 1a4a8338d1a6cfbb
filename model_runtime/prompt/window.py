"""The part of a prefix that fits into a prompt, chosen so that its ids stay while somebody types.

The left edge moves in blocks: one more typed character changes only the last ids, and an engine's
KV cache of the others stays valid.
"""

from __future__ import annotations

from functools import lru_cache

from model_runtime.prompt.tokenizer import FimTokenizer

MAX_CHARACTERS_PER_TOKEN = 8
"""Text further away than a limit x this is not even encoded; code has 3 to 4 characters a token."""

_SETTLED_CHARACTERS, _SLACK_TOKENS = 64, 24
"""The window's edge is chosen for the text up to a multiple of so many characters, with room for
the rest: the count of ids goes up and down while a word is being typed, and the edge must not."""


class PrefixWindow:
    """Cuts prefixes for one tokenizer."""

    def __init__(self, tokenizer: FimTokenizer) -> None:
        """Remembers where the edges of the last texts are."""
        self._tokenizer = tokenizer
        self._first_block = lru_cache(maxsize=32)(self._choose_first_block)
        # The lines above the hole are the same text at every key on a line.
        self._encode = lru_cache(maxsize=16)(tokenizer.encode)

    def cut(self, text: str, limit: int, lead: str = "") -> tuple[int, list[int]]:
        """Returns the offset at which the window begins, a block's edge, and its ids.

        The block is a quarter of the limit; where the text has so few characters per token that
        this would waste more than half of the limit, smaller blocks are tried.

        Args:
            text: the whole prefix.
            limit: most ids.
            lead: a text that is encoded together with the window.
        """
        if limit < 1:
            return len(text), []
        for divisor in (4, 16, 64):
            start, ids = self._at_blocks(text, limit, max(1, limit * 3 // divisor), lead)
            if start == 0 or len(ids) * 2 >= limit:
                return start, ids
        return self._at_blocks(text, limit, 1, lead)

    def _at_blocks(self, text: str, limit: int, block: int, lead: str) -> tuple[int, list[int]]:
        too_far = max(0, len(text) - limit * MAX_CHARACTERS_PER_TOKEN)
        base = round_up(too_far, block)  # edges stay where they are: at multiples from the start
        near = text[base:]
        settled = near[: len(near) - len(near) % _SETTLED_CHARACTERS]
        number = self._first_block(settled, limit - min(limit // 4, _SLACK_TOKENS), block)
        while len(ids := self._encode(lead + near[_edge(near, number, block) :])) > limit:
            if _edge(near, number, block) >= len(near):  # the lead alone is too much
                return len(text), []
            number += 1
        return base + _edge(near, number, block), ids

    def _choose_first_block(self, settled: str, limit: int, block: int) -> int:
        """Returns the number of the first block from which `settled` has at most `limit` ids."""
        ids, offsets = self._tokenizer.encode_with_offsets(settled)
        if len(ids) <= limit:
            return 0
        wanted = offsets[len(ids) - limit]
        number = max(0, wanted // block - 1)
        while _edge(settled, number, block) < wanted:
            number += 1
        return number


def _edge(text: str, number: int, block: int) -> int:
    """Returns where block `number` may begin: at the first line start inside it, else at once."""
    first = number * block
    if number == 0 or block == 1:
        return min(first, len(text))
    line_end = text.find("\n", first, first + block)
    return line_end + 1 if line_end >= 0 else min(first, len(text))


def round_up(number: int, step: int) -> int:
    """Returns the next multiple of `step`.

    >>> round_up(65, 64)
    128
    """
    return -(-number // step) * step
