"""Prompts that begin alike."""

from __future__ import annotations

from collections.abc import Sequence

_BLOCK = 64


def common_prefix(one: Sequence[int], other: Sequence[int]) -> int:
    """How many leading ids two prompts share.

    >>> common_prefix([1, 2, 3], [1, 2, 4, 5])
    2
    """
    most = min(len(one), len(other))
    for start in range(
        0, most, _BLOCK
    ):  # whole blocks are compared without a step of ours for each
        end = min(start + _BLOCK, most)
        if list(one[start:end]) != list(other[start:end]):
            return next(place for place in range(start, end) if one[place] != other[place])
    return most
