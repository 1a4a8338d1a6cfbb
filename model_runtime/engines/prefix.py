"""Compares how prompts begin."""

from __future__ import annotations

from collections.abc import Sequence

_BLOCK = 64


def common_prefix(one: Sequence[int], other: Sequence[int]) -> int:
    """Returns how many leading ids two prompts share.

    >>> common_prefix([1, 2, 3], [1, 2, 4, 5])
    2
    """
    shorter = min(len(one), len(other))
    for start in range(0, shorter, _BLOCK):  # whole blocks compare faster than single ids
        end = min(start + _BLOCK, shorter)
        if list(one[start:end]) != list(other[start:end]):
            return next(place for place in range(start, end) if one[place] != other[place])
    return shorter
