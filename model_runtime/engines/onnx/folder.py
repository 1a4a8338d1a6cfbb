"""A bundle -> an ONNX graph for ONNX Runtime's CPU kernels, with a KV cache that is kept in place.

inputs    input_ids int64 [1, L]; position int64 [1], that of the first of them; seqlens_k int32
          [1], tokens in all less one; total int32 [], tokens in all; logits_kept int64 [1], how
          many of the last places get logits; past_k<i> and past_v<i> float32 [1, heads, capacity,
          head_dim]
outputs   logits float32 [1, logits_kept, vocabulary]; present_k<i> and present_v<i>, to be bound
          to the buffers of past_*: the new rows are written there, and nothing is copied

Keys are rotated before they are stored, so a row belongs to its position and to all texts that
begin with the same ids.  Rows beyond `total` are never read: to forget a text's end is to count
less.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from model_runtime.engines.onnx.block_quantization import (
    Blocks,
    QuantisedMatrix,
    blocks_of_int8,
    quantise_blocks,
)
from model_runtime.engines.onnx.file import CONTRIB, Dimension, OnnxFile
from model_runtime.engines.qkv import rows_by_kind
from model_runtime.models.bundle import ModelBundle
from model_runtime.models.decoder import (
    EMBEDDING,
    FINAL_NORM,
    HEAD,
    Architecture,
    alibi_slopes,
    layer_prefix,
)
from model_runtime.models.weights import SCALE_SUFFIX, Array, WeightsFile, quantise_rows

KINDS: dict[str, Blocks | None] = {
    "float32": None,
    "int8-32": Blocks(8, 32),
    "int8-128": Blocks(8, 128),
    "int4-32": Blocks(4, 32),
    "int4-128": Blocks(4, 128),
}
"""Number types of the matrices, by name: bits, and columns per block."""

_ACCURACY_LEVEL = 4
"""Of MatMulNBits: inputs are rounded to int8 as well, block by block and row by row, so that what
comes out does not depend on how a prompt was cut into passes."""


def write_onnx_folder(bundle: ModelBundle, target: Path, kind: str) -> None:
    """Fill `target` with model.onnx and constants.bin.

    Raises:
        BundleError: the weights are damaged.
    """
    with OnnxFile(target) as file:
        _GraphWriter(bundle, file, KINDS[kind]).write()


class _GraphWriter:
    """Writes GPT-NeoX; methods take and return names of tensors in the graph."""

    def __init__(self, bundle: ModelBundle, file: OnnxFile, blocks: Blocks | None) -> None:
        self._a: Architecture = bundle.manifest.architecture
        self._alibi = bundle.manifest.position_embedding == "alibi"
        self._context = bundle.manifest.context_length
        self._weights: WeightsFile = bundle.open_weights()
        self._file = file
        self._blocks = blocks

    def write(self) -> None:
        """The whole network."""
        node, constant = self._file.node, self._file.constant
        inputs: tuple[tuple[str, str, list[Dimension]], ...] = (
            ("input_ids", "int64", [1, "L"]),
            ("position", "int64", [1]),
            ("seqlens_k", "int32", [1]),
            ("total", "int32", []),
            ("logits_kept", "int64", [1]),
        )
        for name, dtype, shape in inputs:
            self._file.input(name, dtype, shape)
        self._write_positions()
        x = self._embedded()
        for number in range(self._a.layers):
            x = self._layer(x, number)
        # Before the head all but the last places are dropped: a prefill pays for one row of it.
        start = node("Neg", ["logits_kept"])
        end, rows = constant("end", np.array([2**31 - 1])), constant("rows", np.array([1]))
        x = self._norm(node("Slice", [x, start, end, rows]), FINAL_NORM)
        head = EMBEDDING if self._a.tied else HEAD
        self._product(x, head, "logits")
        self._file.output("logits", "float32", [1, "kept", self._a.vocab])

    def _write_positions(self) -> None:
        """What tells positions apart: tables of angles, or what distance takes off a score."""
        node, constant = self._file.node, self._file.constant
        if self._a.rotary_dim:
            pairs = np.arange(0, self._a.rotary_dim, 2) / self._a.rotary_dim
            angles = np.outer(np.arange(self._context), self._a.rotary_base**-pairs)
            constant("cosines", np.cos(angles).astype(np.float32))
            constant("sines", np.sin(angles).astype(np.float32))
        elif self._alibi:
            slopes = np.array(alibi_slopes(self._a.heads), np.float32)
            zero, one = constant("zero", np.array(0)), constant("one", np.array(1))
            total = node("Cast", ["total"], to=7)
            first = node("Squeeze", ["position"])
            keys = node("Range", [zero, total, one])
            queries = node("Unsqueeze", [node("Range", [first, total, one]), one])
            distances = node("Cast", [node("Sub", [keys, queries])], to=1)
            scaled = [distances, constant("slopes", slopes[None, :, None, None])]
            node("Mul", scaled, ["attention_bias"])

    def _embedded(self) -> str:
        """Rows of the embedding; an int8 one is widened after they are picked."""
        node, constant = self._file.node, self._file.constant
        if self._blocks is None:
            matrix = constant("embedding", self._weights.float32(EMBEDDING))
            return node("Gather", [matrix, "input_ids"])
        stored, scale = self._rows_of_int8(EMBEDDING)
        rows = node("Gather", [constant("embedding", stored), "input_ids"])
        scales = node("Gather", [constant("embedding.scale", scale[:, None]), "input_ids"])
        return node("Mul", [node("Cast", [rows], to=1), scales])

    def _layer(self, x: str, number: int) -> str:
        node, prefix = self._file.node, layer_prefix(number)
        attended = self._attention(self._norm(x, prefix + "input_layernorm"), number)
        if self._a.parallel_residual:
            fed = self._feed_forward(self._norm(x, prefix + "post_attention_layernorm"), prefix)
            return node("Add", [node("Add", [attended, fed]), x])
        x = node("Add", [x, attended])
        fed = self._feed_forward(self._norm(x, prefix + "post_attention_layernorm"), prefix)
        return node("Add", [x, fed])

    def _attention(self, x: str, number: int) -> str:
        a, node, prefix = self._a, self._file.node, layer_prefix(number) + "attention."
        rows = rows_by_kind(a)
        joined = self._linear(x, prefix + "query_key_value", rows)
        sizes = self._file.constant(f"sizes{number}", np.array([a.hidden] * 3))
        parts = [f"query{number}", f"key{number}", f"value{number}"]
        node("Split", [joined, sizes], parts, axis=-1)
        query, key, value = parts
        if a.rotary_dim:
            query, key = (
                node(
                    "RotaryEmbedding",
                    [part, "position", "cosines", "sines"],
                    domain=CONTRIB,
                    interleaved=0,
                    num_heads=a.heads,
                    rotary_embedding_dim=a.rotary_dim,
                )
                for part in (query, key)
            )
        past, present = [], []
        for kind in "kv":
            shape: list[Dimension] = [1, a.heads, "capacity", a.head_dim]
            past.append(self._file.input(f"past_{kind}{number}", "float32", shape))
            present.append(self._file.output(f"present_{kind}{number}", "float32", shape))
        inputs = [query, key, value, *past, "seqlens_k", "total"]
        if self._alibi:
            inputs += ["", "", "", "attention_bias"]
        mixed = node(
            "GroupQueryAttention",
            inputs,
            [f"mixed{number}", *present],
            domain=CONTRIB,
            num_heads=a.heads,
            kv_num_heads=a.heads,
        )
        return self._linear(mixed, prefix + "dense")

    def _feed_forward(self, x: str, prefix: str) -> str:
        node, name = self._file.node, prefix + "mlp.dense_h_to_4h"
        if self._a.activation == "relu":
            x = node("Relu", [self._linear(x, name)])
        else:
            fused = "BiasGelu" if self._a.activation == "gelu" else "FastGelu"
            x = node(fused, [self._product(x, name + ".weight"), self._bias(name)], domain=CONTRIB)
        return self._linear(x, prefix + "mlp.dense_4h_to_h")

    def _norm(self, x: str, name: str) -> str:
        gamma, beta = (
            self._file.constant(tensor, self._weights.float32(tensor))
            for tensor in (f"{name}.weight", f"{name}.bias")
        )
        inputs = [x, gamma, beta]
        return self._file.node("LayerNormalization", inputs, axis=-1, epsilon=self._a.norm_epsilon)

    def _linear(self, x: str, name: str, rows: Array | None = None) -> str:
        product = self._product(x, f"{name}.weight", rows=rows)
        return self._file.node("Add", [product, self._bias(name, rows)])

    def _bias(self, name: str, rows: Array | None = None) -> str:
        bias = self._weights.float32(f"{name}.bias")
        return self._file.constant(f"{name}.bias", bias if rows is None else bias[rows])

    def _product(self, x: str, name: str, output: str = "", rows: Array | None = None) -> str:
        """`x` times the transposed matrix `name`, whose rows may be given in another order."""
        node, constant = self._file.node, self._file.constant
        outputs = [output] if output else []
        if self._blocks is None:
            matrix = self._weights.float32(name)
            matrix = matrix if rows is None else matrix[rows]
            return node("MatMul", [x, constant(f"{name}.transposed", matrix.T)], outputs)
        quantised, width = self._quantised(name, self._blocks, rows)
        return node(
            "MatMulNBits",
            [x, constant(name, quantised.stored), constant(f"{name}.scales", quantised.scales)],
            outputs,
            domain=CONTRIB,
            N=quantised.stored.shape[0],
            K=width,
            bits=self._blocks.bits,
            block_size=self._blocks.size,
            accuracy_level=_ACCURACY_LEVEL,
        )

    def _quantised(
        self, name: str, blocks: Blocks, rows: Array | None
    ) -> tuple[QuantisedMatrix, int]:
        """A matrix in blocks, and its columns; 8 bits of a bundle are taken as they are."""
        width = self._weights.layout[name].shape[1]
        if blocks.bits == 8 and self._weights.layout[name].dtype == "I8":
            stored, scale = self._rows_of_int8(name)
            if rows is not None:
                stored, scale = stored[rows], scale[rows]
            return blocks_of_int8(stored, scale, blocks.size), width
        matrix = self._weights.float32(name)
        return quantise_blocks(matrix if rows is None else matrix[rows], blocks), width

    def _rows_of_int8(self, name: str) -> tuple[Array, Array]:
        """int8 [rows, columns] and float32 [rows]."""
        if self._weights.layout[name].dtype == "I8":
            return self._weights.raw(name), self._weights.float32(name + SCALE_SUFFIX)
        return quantise_rows(self._weights.float32(name))
