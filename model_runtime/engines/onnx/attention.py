"""The attention of each layer in the ONNX graph, and what tells its positions apart."""

from __future__ import annotations

import numpy as np

from model_runtime.engines.onnx.file import CONTRIB, Attribute, Dimension, OnnxFile
from model_runtime.engines.onnx.matrices import MatrixWriter
from model_runtime.models.decoder import DecoderSpec, layer_prefix
from model_runtime.models.positions import Alibi, Rope, alibi_slopes


class AttentionWriter:
    """Writes attention over the cache; methods take and return names of tensors in the graph."""

    def __init__(
        self, spec: DecoderSpec, file: OnnxFile, matrices: MatrixWriter, context: int
    ) -> None:
        self._spec = spec
        self._file = file
        self._matrices = matrices
        self._context = context

    def write_positions(self) -> None:
        """Writes tables of angles, or what distance takes off a score; once for all layers."""
        if isinstance(self._spec.positions, Rope):
            self._write_angles(self._spec.positions)
        elif isinstance(self._spec.positions, Alibi):
            self._write_distances()

    def _write_angles(self, rope: Rope) -> None:
        angles = np.outer(np.arange(self._context), np.array(rope.frequencies()))
        for name, table in (("cosines", np.cos(angles)), ("sines", np.sin(angles))):
            self._file.constant(name, (table * rope.magnitude).astype(np.float32))

    def _write_distances(self) -> None:
        node, constant = self._file.node, self._file.constant
        slopes = np.array(alibi_slopes(self._spec.heads), np.float32)
        zero, one = constant("zero", np.array(0)), constant("one", np.array(1))
        total = node("Cast", ["total"], to=7)
        first = node("Squeeze", ["position"])
        keys = node("Range", [zero, total, one])
        queries = node("Unsqueeze", [node("Range", [first, total, one]), one])
        distances = node("Cast", [node("Sub", [keys, queries])], to=1)
        scaled = [distances, constant("slopes", slopes[None, :, None, None])]
        node("Mul", scaled, ["attention_bias"])

    def write(self, x: str, number: int) -> str:
        """Writes one layer's attention, from its normalized input to its output matrix."""
        spec, node, prefix = self._spec, self._file.node, f"{layer_prefix(number)}attention."
        joined = self._matrices.linear(x, f"{prefix}qkv")
        sizes = [spec.q_rows, spec.kv_rows, spec.kv_rows]
        query, key, value = (f"{part}{number}" for part in ("query", "key", "value"))
        rows = self._file.integers(f"sizes{number}", sizes)
        node("Split", [joined, rows], [query, key, value], axis=-1)
        query = self._placed(query, spec.heads, f"{prefix}q_norm")
        key = self._placed(key, spec.kv_heads, f"{prefix}k_norm")
        past, present = [], []
        for kind in "kv":
            shape: list[Dimension] = [1, spec.kv_heads, "capacity", spec.head_dim]
            past.append(self._file.input(f"past_{kind}{number}", "float32", shape))
            present.append(self._file.output(f"present_{kind}{number}", "float32", shape))
        inputs = [query, key, value, *past, "seqlens_k", "total"]
        if isinstance(spec.positions, Alibi):
            inputs += ["", "", "", "attention_bias"]
        mixed = node(
            "GroupQueryAttention",
            inputs,
            [f"mixed{number}", *present],
            domain=CONTRIB,
            num_heads=spec.heads,
            kv_num_heads=spec.kv_heads,
            **self._options(number),
        )
        return self._matrices.linear(mixed, f"{prefix}out")

    def _options(self, number: int) -> dict[str, Attribute]:
        """Attributes of a layer's attention that are not the usual ones."""
        spec, options = self._spec, dict[str, Attribute]()
        if spec.attention_scale is not None:
            options["scale"] = spec.attention_scale
        if spec.attention_softcap is not None:
            options["softcap"] = spec.attention_softcap
        if (window := spec.window(number)) is not None:
            options["local_window_size"] = window
        return options

    def _placed(self, part: str, heads: int, norm: str) -> str:
        """Queries or keys, normalized and rotated where the model does that."""
        spec, node = self._spec, self._file.node
        if spec.qk_norm:
            by_head = self._file.integers(f"{norm}.by_head", [1, -1, heads, spec.head_dim])
            joined = self._file.integers(f"{norm}.joined", [1, -1, heads * spec.head_dim])
            inputs = [node("Reshape", [part, by_head]), self._matrices.vector(f"{norm}.weight")]
            normalized = node(
                "SimplifiedLayerNormalization", inputs, axis=-1, epsilon=spec.norm_epsilon
            )
            part = node("Reshape", [normalized, joined])
        if not isinstance(spec.positions, Rope):
            return part
        return node(
            "RotaryEmbedding",
            [part, "position", "cosines", "sines"],
            domain=CONTRIB,
            interleaved=0,
            num_heads=heads,
            rotary_embedding_dim=spec.positions.dim,
        )
