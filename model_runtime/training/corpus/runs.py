"""Hashes runs of words, by which near-duplicates and benchmark overlaps are found."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.uint64]
_WORD = re.compile(r"\w+|[^\w\s]")


def words_of(text: str) -> list[str]:
    """Returns names, numbers and single signs; white space does not count.

    >>> words_of("x[1] += total_2  # sum")
    ['x', '[', '1', ']', '+', '=', 'total_2', '#', 'sum']
    """
    return _WORD.findall(text)


def run_hashes(numbers: Numbers, length: int) -> Numbers:
    """Returns a hash for each run of so many numbers: a sum of weighted numbers modulo 2**64."""
    size = len(numbers) - length + 1
    if size <= 0:
        return np.empty(0, np.uint64)
    mixed = numbers * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    keys = np.zeros(size, np.uint64)
    for i in range(length):
        keys += mixed[i : i + size] * np.uint64(pow(0x100000001B3, i, 2**64))
    return keys
