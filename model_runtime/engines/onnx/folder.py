"""A bundle -> an ONNX graph for ONNX Runtime's CPU kernels, with a KV cache that is kept in place.

inputs    input_ids int64 [1, L]; position int64 [1], that of the first of them; seqlens_k int32
          [1], tokens in all less one; total int32 [], tokens in all; logits_kept int64 [1], how
          many of the last places get logits; past_k<i> and past_v<i> float32 [1, kv_heads,
          capacity, head_dim]
outputs   logits float32 [1, logits_kept, vocabulary]; present_k<i> and present_v<i>, to be bound
          to the buffers of past_*: the new rows are written there, and nothing is copied

Keys are rotated before they are stored, so a row belongs to its position and to all texts that
begin with the same ids.  Rows beyond `total` are never read: to forget a text's end is to count
less.
"""

from __future__ import annotations

from pathlib import Path

from model_runtime.engines.onnx.attention import AttentionWriter
from model_runtime.engines.onnx.file import CONTRIB, Dimension, OnnxFile
from model_runtime.engines.onnx.matrices import KINDS, MatrixWriter
from model_runtime.engines.onnx.support import supports
from model_runtime.errors import EngineUnavailable
from model_runtime.models.bundle import ModelBundle
from model_runtime.models.decoder import EMBEDDING, FINAL_NORM, HEAD, DecoderSpec, layer_prefix


def write_onnx_folder(bundle: ModelBundle, target: Path, kind: str) -> None:
    """Fills `target` with model.onnx and constants.bin.

    Raises:
        EngineUnavailable: the graph cannot compute this kind of decoder.
        BundleError: the weights are damaged.
    """
    spec, context = bundle.manifest.decoder, bundle.manifest.context_length
    if reason := supports(spec):
        raise EngineUnavailable(
            f"{reason}, which {bundle.manifest.name} needs; choose another engine"
        )
    with OnnxFile(target) as file:
        matrices = MatrixWriter(bundle.open_weights(), file, KINDS[kind])
        _GraphWriter(spec, file, matrices, AttentionWriter(spec, file, matrices, context)).write()


class _GraphWriter:
    """Writes a decoder; methods take and return names of tensors in the graph."""

    def __init__(
        self,
        spec: DecoderSpec,
        file: OnnxFile,
        matrices: MatrixWriter,
        attention: AttentionWriter,
    ) -> None:
        self._spec = spec
        self._file = file
        self._matrices = matrices
        self._attention = attention

    def write(self) -> None:
        """Writes the whole network."""
        node, number = self._file.node, self._file.number
        inputs: tuple[tuple[str, str, list[Dimension]], ...] = (
            ("input_ids", "int64", [1, "L"]),
            ("position", "int64", [1]),
            ("seqlens_k", "int32", [1]),
            ("total", "int32", []),
            ("logits_kept", "int64", [1]),
        )
        for name, dtype, shape in inputs:
            self._file.input(name, dtype, shape)
        self._attention.write_positions()
        x = self._matrices.rows(EMBEDDING, "input_ids")
        if self._spec.embedding_scale != 1:
            x = node("Mul", [x, number("embedding_scale", self._spec.embedding_scale)])
        for layer in range(self._spec.layers):
            x = self._layer(x, layer)
        # Before the head all but the last places are dropped: a prefill pays for one row of it.
        start = node("Neg", ["logits_kept"])
        end, rows = self._file.integers("end", [2**31 - 1]), self._file.integers("rows", [1])
        x = self._norm(node("Slice", [x, start, end, rows]), FINAL_NORM)
        if self._spec.logit_scale != 1:  # a product with a matrix commutes with a factor
            x = node("Mul", [x, number("logit_scale", self._spec.logit_scale)])
        head = EMBEDDING if self._spec.tied else HEAD
        if self._spec.logit_softcap is None:
            self._matrices.product(x, head, "logits")
        else:
            cap = number("logit_softcap", self._spec.logit_softcap)
            squashed = node("Tanh", [node("Div", [self._matrices.product(x, head), cap])])
            node("Mul", [squashed, cap], ["logits"])
        self._file.output("logits", "float32", [1, "kept", self._spec.vocab])

    def _layer(self, x: str, number: int) -> str:
        node, prefix = self._file.node, layer_prefix(number)
        attended = self._attention.write(self._norm(x, f"{prefix}attention_norm"), number)
        attended = self._added(attended, f"{prefix}attention_post_norm")
        if self._spec.residual == "parallel":
            fed = self._feed_forward(self._norm(x, f"{prefix}mlp_norm"), f"{prefix}mlp.")
            fed = self._added(fed, f"{prefix}mlp_post_norm")
            return node("Add", [node("Add", [attended, fed]), x])
        x = node("Add", [x, attended])
        fed = self._feed_forward(self._norm(x, f"{prefix}mlp_norm"), f"{prefix}mlp.")
        return node("Add", [x, self._added(fed, f"{prefix}mlp_post_norm")])

    def _feed_forward(self, x: str, prefix: str) -> str:
        if self._spec.mlp == "gated":
            gate = self._activated(x, f"{prefix}gate")
            x = self._file.node("Mul", [gate, self._matrices.linear(x, f"{prefix}up")])
        else:
            x = self._activated(x, f"{prefix}up")
        return self._matrices.linear(x, f"{prefix}down")

    def _activated(self, x: str, name: str) -> str:
        """An affine map and the activation, in one kernel with the bias where there is one."""
        node = self._file.node
        kind, bias = self._spec.activation, self._matrices.bias(name)
        if kind in ("gelu", "gelu_tanh"):
            product = self._matrices.product(x, f"{name}.weight")
            if kind == "gelu_tanh":
                return node("FastGelu", [product, bias] if bias else [product], domain=CONTRIB)
            fused = ("BiasGelu", [product, bias]) if bias else ("Gelu", [product])
            return node(*fused, domain=CONTRIB)
        x = self._matrices.linear(x, name)
        if kind == "relu":
            return node("Relu", [x])
        return node("QuickGelu", [x], domain=CONTRIB, alpha=1.0)  # with 1 it is SiLU

    def _added(self, x: str, post_norm: str) -> str:
        """Makes of a part's output what it adds to the residual stream."""
        spec, file = self._spec, self._file
        if spec.post_norms:
            x = self._norm(x, post_norm)
        if spec.residual_scale == 1:
            return x
        return file.node("Mul", [x, file.number("residual_scale", spec.residual_scale)])

    def _norm(self, x: str, name: str) -> str:
        epsilon, gamma = self._spec.norm_epsilon, self._matrices.vector(f"{name}.weight")
        if self._spec.norm == "rms":
            return self._file.node(
                "SimplifiedLayerNormalization", [x, gamma], axis=-1, epsilon=epsilon
            )
        beta = self._matrices.bias(name)
        inputs = [x, gamma, beta] if beta else [x, gamma]
        return self._file.node("LayerNormalization", inputs, axis=-1, epsilon=epsilon)
