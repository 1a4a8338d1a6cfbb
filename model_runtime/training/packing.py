"""Packs whole examples into rows of one length: best fit, longest first; none is ever split."""

from __future__ import annotations

import bisect
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class PackedRows:
    """R rows of T places, and where their examples end."""

    ids_RT: npt.NDArray[np.int32]
    """Ids of the rows; the padding id fills what stays free at the end of a row."""
    lengths: list[list[int]]
    """Lengths of the examples in each row; their sum is at most T."""

    def __len__(self) -> int:
        return len(self.lengths)

    def take(self, start: int, stop: int) -> PackedRows:
        """Returns some of the rows."""
        return PackedRows(self.ids_RT[start:stop], self.lengths[start:stop])

    def shard(self, rank: int, size: int) -> PackedRows:
        """Returns every `size`-th row, from the row `rank` on."""
        return PackedRows(self.ids_RT[rank::size], self.lengths[rank::size])


def join(pieces: Sequence[PackedRows]) -> PackedRows:
    """Returns the rows of several pieces, one after the other."""
    ids = np.concatenate([piece.ids_RT for piece in pieces])
    return PackedRows(ids, [lengths for piece in pieces for lengths in piece.lengths])


def pack(
    sequences: Sequence[Sequence[int]], length: int, pad: int, rng: random.Random
) -> PackedRows:
    """Returns rows in random order, the examples of a row in random order.

    Raises:
        ValueError: a sequence is empty or longer than a row.
    """
    if wrong := [len(ids) for ids in sequences if not 0 < len(ids) <= length]:
        raise ValueError(f"sequences of {wrong[:5]} ids do not fit into rows of {length}")
    shuffled = rng.sample(list(sequences), len(sequences))
    rows: list[list[Sequence[int]]] = []
    free: list[tuple[int, int]] = []  # (free places, row), sorted
    for ids in sorted(shuffled, key=len, reverse=True):
        at = bisect.bisect_left(free, (len(ids), -1))
        space, row = free.pop(at) if at < len(free) else (length, len(rows))
        if row == len(rows):
            rows.append([])
        rows[row].append(ids)
        bisect.insort(free, (space - len(ids), row))
    rng.shuffle(rows)
    for members in rows:
        rng.shuffle(members)
    return rows_from(rows, length, pad)


def rows_from(rows: Sequence[Sequence[Sequence[int]]], length: int, pad: int) -> PackedRows:
    """Returns a table of rows whose examples are known and in order."""
    table = np.full((len(rows), length), pad, np.int32)
    for line, members in zip(table, rows, strict=True):
        flat = [id_ for ids in members for id_ in ids]
        line[: len(flat)] = flat
    return PackedRows(table, [[len(ids) for ids in members] for members in rows])
