"""Finds the output matrix that is the embedding again, so that a bundle keeps the two once.

Many files have both though the model was tied: two quantizations of one matrix in a GGUF file, or
two copies in a checkpoint.  The numbers say whether it is so; of another matrix they are far away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from model_runtime.models.decoder import EMBEDDING, HEAD

if TYPE_CHECKING:
    from model_runtime.models.weights import Float32

_COMPARED_ROWS = 4096
"""Rows that are compared at a time."""
_FLOAT_BITS = 16
_ROUNDED_FLOATS = 2**-8
"""Largest difference of two floats of which one was rounded, as a share: that of bfloat16."""
_STEPS = 3.2
"""Allowed root mean square of rounding to blocks, times 2^bits; the usual one is 1.3."""
_MAX_DIFFERENCE = 0.5
"""Difference that is never rounding alone; two matrices that have nothing in common have 1.4."""


class Matrices(Protocol):
    """Embedding and output matrix of a source, by canonical names."""

    def bits(self, name: str) -> int:
        """Returns the bits of each number, as it is stored."""
        ...

    def rows(self, name: str, rows: slice) -> Float32:
        """Returns some rows as float32."""
        ...


@dataclass(frozen=True, slots=True)
class Twins:
    """Says that embedding and output matrix are one, and which of the two is the finer."""

    finer: str
    """Canonical name of the matrix to keep."""
    difference: float
    """Norm of the difference as a share of the matrix's norm."""

    @property
    def note(self) -> str:
        """Sentence for people."""
        kept = "output matrix" if self.finer == HEAD else "embedding"
        return (
            "embedding and output matrix are the same up to rounding "
            f"({self.difference:.1%} apart); the {kept} is kept for both"
        )

    def reading(self, read: Callable[[str], Float32]) -> Callable[[str], Float32]:
        """Returns `read` with the finer matrix in the embedding's place."""
        return lambda name: read(self.finer if name == EMBEDDING else name)


def twins(matrices: Matrices) -> Twins | None:
    """Compares embedding and output matrix; None where they differ by more than rounding.

    Every row must agree, since ids that were added to a model late are few.
    """
    bits = {name: matrices.bits(name) for name in (EMBEDDING, HEAD)}
    tolerance = _tolerance(min(bits.values()))
    squares = np.zeros(2)
    start = 0
    while len(head := matrices.rows(HEAD, slice(start, start + _COMPARED_ROWS))):
        other = matrices.rows(EMBEDDING, slice(start, start + _COMPARED_ROWS))
        norms = np.stack([np.linalg.norm(other - head, axis=1), np.linalg.norm(head, axis=1)])
        if (norms[0] > 2 * tolerance * norms[1]).any():
            return None
        squares += (norms.astype(np.float64) ** 2).sum(axis=1)
        start += _COMPARED_ROWS
    difference = float(np.sqrt(squares[0] / squares[1])) if squares[1] else 0.0
    if difference > tolerance:
        return None
    return Twins(HEAD if bits[HEAD] > bits[EMBEDDING] else EMBEDDING, difference)


def _tolerance(bits: int) -> float:
    """Returns the most by which rounding to so many bits changes a matrix, as a share."""
    return _ROUNDED_FLOATS if bits >= _FLOAT_BITS else min(_MAX_DIFFERENCE, _STEPS / 2**bits)
