"""Prompts that begin alike."""

from __future__ import annotations

from collections.abc import Sequence


def common_prefix(one: Sequence[int], other: Sequence[int]) -> int:
    """How many leading ids two prompts share.

    >>> common_prefix([1, 2, 3], [1, 2, 4, 5])
    2
    """
    for place, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return place
    return min(len(one), len(other))
