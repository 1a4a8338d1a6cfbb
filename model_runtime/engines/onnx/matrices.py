"""Weights of a bundle as constants of the ONNX graph, and the products with them."""

from __future__ import annotations

from model_runtime.engines.onnx.block_quantization import (
    Blocks,
    QuantisedMatrix,
    blocks_of_int8,
    quantise_blocks,
)
from model_runtime.engines.onnx.file import CONTRIB, OnnxFile
from model_runtime.engines.onnx.row_products import RowProducts
from model_runtime.models.tensors import BundleTensors

SIGNED_ROWS, UNSIGNED_ROWS = "int8-rows", "uint8-rows"
"""Number types with one scale for a row of a matrix, and one for a row of its input."""
KINDS: dict[str, Blocks | None] = {
    "float32": None,
    SIGNED_ROWS: None,
    UNSIGNED_ROWS: None,
    "int8-32": Blocks(8, 32),
    "int8-128": Blocks(8, 128),
    "int4-32": Blocks(4, 32),
    "int4-128": Blocks(4, 128),
}
"""Number types of the matrices, by name; of those in blocks, bits and columns per block."""

ACCURACY_LEVEL = 4
"""Accuracy level of MatMulNBits: inputs are rounded to int8 as well, block by block and row by row,
so that what comes out does not depend on how a prompt was cut into passes."""


def columns_of_a_step(kind: str, width: int) -> int:
    """Returns how many columns of an input share a step when they are rounded to 8 bits.

    Args:
        kind: one of `KINDS`.
        width: columns of the input.

    Returns:
        0 for matrices that do not have 8 bits.
    """
    if kind in (SIGNED_ROWS, UNSIGNED_ROWS):
        return width
    blocks = KINDS[kind]
    return blocks.size if blocks is not None and blocks.bits == 8 else 0


class MatrixWriter:
    """Writes constants and products; methods take and return names of tensors in the graph."""

    def __init__(self, tensors: BundleTensors, file: OnnxFile, kind: str) -> None:
        """Takes the weights, the graph, and one of `KINDS`."""
        self._tensors = tensors
        self._file = file
        self._is_float = kind == "float32"
        self._blocks = KINDS[kind]
        self._by_rows = RowProducts(tensors, file, is_signed=kind == SIGNED_ROWS)

    def vector(self, name: str) -> str:
        """Stores a vector, as it is."""
        return self._file.constant(name, self._tensors.float32(name))

    def bias(self, name: str) -> str:
        """Stores the bias of a linear map or norm; "" where it has none."""
        bias = f"{name}.bias"
        return self.vector(bias) if bias in self._tensors.shapes else ""

    def rows(self, name: str, ids: str) -> str:
        """Picks rows of a matrix; those of an 8-bit one are widened after they are picked."""
        node, constant = self._file.node, self._file.constant
        if self._is_float:
            return node("Gather", [constant("embedding", self._tensors.float32(name)), ids])
        stored, scale = self._tensors.int8(name)
        rows = node("Gather", [constant("embedding", stored), ids])
        scales = node("Gather", [constant("embedding.scale", scale[:, None]), ids])
        return node("Mul", [node("Cast", [rows], to=1), scales])

    def linear(self, x: str, name: str) -> str:
        """Multiplies by a matrix and adds its bias, where it has one."""
        product, bias = self.product(x, f"{name}.weight"), self.bias(name)
        return self._file.node("Add", [product, bias]) if bias else product

    def product(self, x: str, name: str, output: str = "") -> str:
        """Multiplies by the transposed matrix `name`."""
        node, constant = self._file.node, self._file.constant
        outputs = [output] if output else []
        if self._is_float:
            matrix = self._tensors.float32(name)
            return node("MatMul", [x, constant(f"{name}.transposed", matrix.T)], outputs)
        if self._blocks is None:
            return self._by_rows.product(x, name, outputs)
        quantised = self._quantised(name, self._blocks)
        return node(
            "MatMulNBits",
            [x, constant(name, quantised.stored), constant(f"{name}.scales", quantised.scales)],
            outputs,
            domain=CONTRIB,
            N=quantised.stored.shape[0],
            K=self._tensors.shapes[name][1],
            bits=self._blocks.bits,
            block_size=self._blocks.size,
            accuracy_level=ACCURACY_LEVEL,
        )

    def _quantised(self, name: str, blocks: Blocks) -> QuantisedMatrix:
        """A matrix in blocks; 8 bits of a bundle are taken as they are."""
        if blocks.bits == 8 and self._tensors.is_int8(name):
            return blocks_of_int8(*self._tensors.int8(name), blocks.size)
        return quantise_blocks(self._tensors.float32(name), blocks)
