"""Matrices in 8 or 4 bits, one scale per block of a row: as ONNX Runtime's MatMulNBits reads them.

    matrix[row, column] = (stored[row, column] - 2 ** (bits - 1)) * scale[row, column // block]

Rows are padded to whole blocks; two 4-bit numbers share a byte, the first in its lower half.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from model_runtime.models.weights import Array, Float32


class Blocks(NamedTuple):
    """The way in which a matrix is stored."""

    bits: int
    """Bits of a number, 8 or 4."""
    size: int
    """Columns that share a scale; 16 or more, a power of two."""


class QuantisedMatrix(NamedTuple):
    """A matrix [rows, columns] in blocks."""

    stored: Array
    """Numbers, uint8 [rows, blocks, size * bits / 8]."""
    scales: Float32
    """Scales of the blocks, float32 [rows * blocks]."""


def quantise_blocks(matrix: Float32, blocks: Blocks) -> QuantisedMatrix:
    """Rounds each block to its own scale, so that its largest number is met exactly."""
    grouped = _grouped(matrix, blocks.size)
    at = np.abs(grouped).argmax(axis=-1, keepdims=True)
    largest = np.take_along_axis(grouped, at, axis=-1)
    half = 2 ** (blocks.bits - 1)
    # There is one number more below zero than above it; the largest goes there, whatever its sign.
    scale = np.where(largest == 0, 1, largest / -half).astype(np.float32)
    rounded = np.clip(np.rint(grouped / scale) + half, 0, 2 * half - 1).astype(np.uint8)
    return QuantisedMatrix(_packed(rounded, blocks.bits), scale.reshape(-1))


def blocks_of_int8(matrix: Array, scale: Float32, size: int) -> QuantisedMatrix:
    """Cuts an int8 matrix [rows, columns] into blocks, which share the scale of their row."""
    grouped = _grouped(matrix, size)
    stored = (grouped.astype(np.int16) + 128).astype(np.uint8)
    return QuantisedMatrix(stored, np.repeat(scale.astype(np.float32), grouped.shape[1]))


def _grouped(matrix: Array, size: int) -> Array:
    """Reshapes [rows, columns] to [rows, blocks, size], padded with zeros."""
    rows, columns = matrix.shape
    padded = np.pad(matrix, ((0, 0), (0, -columns % size)))
    return padded.reshape(rows, -1, size)


def _packed(numbers: Array, bits: int) -> Array:
    return numbers if bits == 8 else numbers[..., ::2] | numbers[..., 1::2] << 4
