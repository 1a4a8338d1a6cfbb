"""A bundle -> ONNX graphs for ONNX Runtime's CPU kernels, with a KV cache that is kept in place.

decoder.onnx, the network up to its output head:

inputs    input_ids int64 [1, L]; position int64 [1], that of the first of them; seqlens_k int32
          [1], tokens in all less one; total int32 [], tokens in all; rows_kept int64 [1], how
          many of the last places are asked for; past_k<i> and past_v<i> float32 [1, kv_heads,
          capacity, head_dim]
outputs   hidden float32 [1, rows_kept, hidden], normalized and scaled; present_k<i> and
          present_v<i>, to be bound to the buffers of past_*: the new rows are written there, and
          nothing is copied

Keys are rotated before they are stored, so a row belongs to its position and to all texts that
begin with the same ids.  Rows beyond `total` are never read: to forget a text's end is to count
less.

head.onnx, a matrix: what follows a place is asked of few of the places that are run, and decoders
of several forms may share it.  Where it is small, a run of its own would cost more than it saves:
then the decoder gives `logits` in place of `hidden`, and there is no such file.

inputs    hidden float32 [1, rows, hidden]
outputs   logits float32 [1, rows, vocabulary]
"""

from __future__ import annotations

from pathlib import Path

from model_runtime.engines.onnx.attention import AttentionWriter
from model_runtime.engines.onnx.file import CONTRIB, DECODER, OUTPUT_HEAD, Dimension, OnnxFile
from model_runtime.engines.onnx.matrices import MatrixWriter
from model_runtime.engines.onnx.support import supports
from model_runtime.errors import EngineUnavailable
from model_runtime.models.bundle import ModelBundle
from model_runtime.models.decoder import EMBEDDING, FINAL_NORM, HEAD, DecoderSpec, layer_prefix

MAX_JOINED = 2**24
"""Weights of the largest output head that stays within the decoder's graph.  To wake the threads
for a second run takes 30 microseconds, a tenth of a small model's id and nothing of a large one's.
"""


def write_onnx_folder(bundle: ModelBundle, target: Path, kind: str) -> None:
    """Fills `target` with the graphs and their constants.

    Raises:
        EngineUnavailable: the graph cannot compute this kind of decoder.
        BundleError: the weights are damaged.
    """
    spec, context = bundle.manifest.decoder, bundle.manifest.context_length
    if reason := supports(spec):
        raise EngineUnavailable(
            f"{reason}, which {bundle.manifest.name} needs; choose another engine"
        )
    tensors = bundle.open_weights()
    is_head_apart = spec.vocab * spec.hidden > MAX_JOINED
    with OnnxFile(target, DECODER) as file:
        matrices = MatrixWriter(tensors, file, kind)
        attention = AttentionWriter(spec, file, matrices, context)
        hidden = _GraphWriter(spec, file, matrices, attention).write()
        if is_head_apart:
            file.output(hidden, "float32", [1, "kept", spec.hidden])
        else:
            _write_head(hidden, spec, file, matrices)
    if is_head_apart:
        with OnnxFile(target, OUTPUT_HEAD) as file:
            hidden = file.input("hidden", "float32", [1, "rows", spec.hidden])
            _write_head(hidden, spec, file, MatrixWriter(tensors, file, kind))


def _write_head(hidden: str, spec: DecoderSpec, file: OnnxFile, matrices: MatrixWriter) -> None:
    name = EMBEDDING if spec.tied else HEAD
    if spec.logit_softcap is None:
        matrices.product(hidden, name, "logits")
    else:
        cap = file.number("logit_softcap", spec.logit_softcap)
        squashed = file.node("Tanh", [file.node("Div", [matrices.product(hidden, name), cap])])
        file.node("Mul", [squashed, cap], ["logits"])
    file.output("logits", "float32", [1, "rows", spec.vocab])


class _GraphWriter:
    """Writes a decoder without its head; methods take and return names of tensors in the graph."""

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

    def write(self) -> str:
        """Writes the network, up to what the head takes of the last places."""
        node, number = self._file.node, self._file.number
        inputs: tuple[tuple[str, str, list[Dimension]], ...] = (
            ("input_ids", "int64", [1, "L"]),
            ("position", "int64", [1]),
            ("seqlens_k", "int32", [1]),
            ("total", "int32", []),
            ("rows_kept", "int64", [1]),
        )
        for name, dtype, shape in inputs:
            self._file.input(name, dtype, shape)
        self._attention.write_positions()
        x = self._matrices.rows(EMBEDDING, "input_ids")
        if self._spec.embedding_scale != 1:
            x = node("Mul", [x, number("embedding_scale", self._spec.embedding_scale)])
        for layer in range(self._spec.layers):
            x = self._layer(x, layer)
        # Before the last norm all but the last places are dropped: a prefill needs one of them.
        start = node("Neg", ["rows_kept"])
        end, rows = self._file.integers("end", [2**31 - 1]), self._file.integers("rows", [1])
        last = node("Slice", [x, start, end, rows])
        if self._spec.logit_scale == 1:
            return self._norm(last, FINAL_NORM, "hidden")
        # A product with a matrix commutes with a factor.
        scale = number("logit_scale", self._spec.logit_scale)
        return node("Mul", [self._norm(last, FINAL_NORM), scale], ["hidden"])

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

    def _norm(self, x: str, name: str, output: str = "") -> str:
        outputs = [output] if output else []
        epsilon, gamma = self._spec.norm_epsilon, self._matrices.vector(f"{name}.weight")
        if self._spec.norm == "rms":
            return self._file.node(
                "SimplifiedLayerNormalization", [x, gamma], outputs, axis=-1, epsilon=epsilon
            )
        beta = self._matrices.bias(name)
        inputs = [x, gamma, beta] if beta else [x, gamma]
        return self._file.node("LayerNormalization", inputs, outputs, axis=-1, epsilon=epsilon)
