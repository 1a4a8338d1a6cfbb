"""Remembers the prompts that one editor has sent, so that it is told of no other editor's.

Engines keep their state of texts for whoever asks next, and say how many ids of a prompt it held.
An editor that knew the figure for a prompt of its choice could try out what others have written.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence

_MAX_PROMPTS = 32
"""Prompts, twice as many as an engine keeps."""


class OwnPrompts:
    """The last prompts of one editor that a model has read."""

    def __init__(self) -> None:
        self._prompts: deque[tuple[int, ...]] = deque(maxlen=_MAX_PROMPTS)

    def add(self, ids: Sequence[int]) -> None:
        """Remembers a prompt that was read to its end; one that was given up tells of others."""
        self._prompts.append(tuple(ids))

    def num_known(self, ids: Sequence[int]) -> int:
        """Returns how many of the first ids an earlier prompt began with.

        >>> own = OwnPrompts()
        >>> own.add([1, 2, 3]); own.add([1, 5])
        >>> own.num_known([1, 2, 4])
        2
        """
        prompt, best = tuple(ids), 0
        for earlier in tuple(self._prompts):  # another request of the editor may add one meanwhile
            # Slices are compared quickly; most prompts are not better than the best one so far.
            if earlier[: best + 1] == prompt[: best + 1]:
                best = _common(earlier, prompt)
        return best


def _common(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    """Returns the length of the beginning that both have."""
    shorter = min(len(one), len(other))
    return bisect_left(
        range(1, shorter + 1), True, key=lambda length: one[:length] != other[:length]
    )
