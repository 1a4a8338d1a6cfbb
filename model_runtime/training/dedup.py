"""Near-duplicates, by the share of a file's three-line runs that no earlier file had."""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt

from model_runtime.training.filters import lines_that_say_something

TABLE_BITS = 32
"""Of the run table's index: 512 MiB, about 0.5 % false hits at 20 million runs."""


def line_runs(data: bytes) -> npt.NDArray[np.uint32]:
    """A hash for each run of three lines; lines of two bytes or less do not count."""
    lines = lines_that_say_something(data)
    if len(lines) < 3:
        return np.empty(0, np.uint32)
    hashes = np.fromiter(map(zlib.crc32, lines), np.uint64, len(lines))
    mixed = hashes[:-2] * np.uint64(0x9E3779B97F4A7C15) + hashes[1:-1] * np.uint64(
        0xC2B2AE3D27D4EB4F
    )
    mixed = (mixed + hashes[2:]) * np.uint64(0xD6E8FEB86659FD93)
    runs: npt.NDArray[np.uint32] = (mixed >> np.uint64(32)).astype(np.uint32)
    return runs


class NearDuplicates:
    """A bit table of all runs seen so far.

    The verdict depends on the order, so the newest version of each package has to come first.
    """

    def __init__(self, least_new: float, table_bits: int = TABLE_BITS) -> None:
        self._shift = np.uint32(32 - table_bits)
        self._table = np.zeros(2 ** (table_bits - 3), np.uint8)
        self._least_new = least_new

    def is_new(self, runs: npt.NDArray[np.uint32]) -> bool:
        """Whether enough of the runs are new; remembers them all either way."""
        if not len(runs):
            return True
        places = runs >> self._shift
        byte, bit = places >> np.uint32(3), np.uint8(1) << (places & np.uint32(7)).astype(np.uint8)
        unseen = (self._table[byte] & bit) == 0
        np.bitwise_or.at(self._table, byte[unseen], bit[unseen])
        return bool(unseen.mean() >= self._least_new)
