"""Products of 8-bit numbers with one scale for a row: of the matrix, and of what it multiplies.

    y[place, row] = sum(round(x[place] / step[place]) * matrix[row]) * step[place] * scale[row]

Each row of the input is divided by its largest amount, so one step fits all of them and the sum is
one of whole numbers.  A row's step depends on that row alone: what comes out does not depend on how
a prompt was cut into passes.

An input's numbers are unsigned, for these are the kernels that all processors have.  A matrix's are
signed where the processor adds up such products exactly, else unsigned (`overflow`): those take a
third longer and never overflow.
"""

from __future__ import annotations

from functools import cache
from typing import Protocol

import numpy as np

from model_runtime.engines.onnx.file import CONTRIB, OnnxFile
from model_runtime.models.tensors import Int8Matrix
from model_runtime.models.weights import Array

_LARGEST = 127
_ZERO = 128
"""Stands for zero among unsigned numbers."""
_LEAST = 1e-30
"""Taken for the largest amount of a row of zeros."""


class Int8Tensors(Protocol):
    """Has the matrices; the weights of a bundle do."""

    def int8(self, name: str) -> Int8Matrix:
        """Returns a matrix in 8 bits, which is rounded where it has others."""


class RowProducts:
    """Writes such products; methods take and return names of tensors in the graph."""

    def __init__(self, tensors: Int8Tensors, file: OnnxFile, *, is_signed: bool) -> None:
        """Takes the weights, the graph, and whether the numbers of a matrix are signed."""
        self._tensors = tensors
        self._file = file
        self._is_signed = is_signed
        # Matrices with one input, as gate and up, share its rounding.
        self._rounded = cache(self._round)
        self._shared = cache(self._write_shared)

    def product(self, x: str, name: str, outputs: list[str]) -> str:
        """Multiplies by the transposed matrix `name`, which is rounded where it has no 8 bits."""
        node, constant = self._file.node, self._file.constant
        stored, scale = self._tensors.int8(name)
        step, zero, matrix_zero, _ = self._shared()
        rounded, largest = self._rounded(x)
        weights = constant(name, stored.T if self._is_signed else _unsigned(stored).T)
        scales = constant(f"{name}.scales", scale.astype(np.float32))
        inputs = [rounded, weights, step, scales, zero, matrix_zero]
        product = node("MatMulIntegerToFloat", inputs, domain=CONTRIB)
        return node("Mul", [product, largest], outputs)

    def _round(self, x: str) -> tuple[str, str]:
        """Returns an input in 8 bits, and the largest amount of each of its rows."""
        node = self._file.node
        step, zero, _, least = self._shared()
        largest = node("ReduceMax", [node("Abs", [x])], axes=(-1,), keepdims=1)
        largest = node("Max", [largest, least])
        return node("QuantizeLinear", [node("Div", [x, largest]), step, zero]), largest

    def _write_shared(self) -> tuple[str, str, str, str]:
        """Returns the constants of all products: step, zero, least amount."""
        constant, number = self._file.constant, self._file.number
        return (
            number("rounding.step", 1 / _LARGEST),
            constant("rounding.zero", np.array(_ZERO, np.uint8)),
            constant(
                "rounding.matrix_zero",
                np.array(0, np.int8) if self._is_signed else np.array(_ZERO, np.uint8),
            ),
            number("rounding.least", _LEAST),
        )


def _unsigned(stored: Array) -> Array:
    """Moves int8 to uint8, with 128 for zero; turns the highest bit, and needs no wider type."""
    turned: Array = stored.view(np.uint8) ^ np.uint8(_ZERO)
    return turned
