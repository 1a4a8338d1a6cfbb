"""A bundle -> a CTranslate2 model folder, through CTranslate2's own specification.

The stock converter needs transformers, stumbles over its version 5 and drops the rotary base; this
one reads the bundle.  Int8 weights pass through as they are: CTranslate2 uses the same scheme with
the inverse scale.  Importing `ctranslate2.specs` imports torch where that is installed, so this
module is loaded only when there is something to write.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2.specs import common_spec, transformer_spec

from model_runtime.engines.qkv import rows_by_kind
from model_runtime.models.bundle import ModelBundle
from model_runtime.models.decoder import EMBEDDING, FINAL_NORM, HEAD, Architecture, layer_prefix
from model_runtime.models.weights import SCALE_SUFFIX, Array, WeightsFile, quantise_rows

KINDS = ("int8", "float32")

_ACTIVATIONS = {
    "gelu": common_spec.Activation.GELU,
    "gelu_pytorch_tanh": common_spec.Activation.GELUTanh,
    "relu": common_spec.Activation.RELU,
}


def write_ctranslate2_folder(bundle: ModelBundle, target: Path, kind: str) -> None:
    """Fill `target` with model.bin, config.json and vocabulary.json.

    Raises:
        BundleError: the weights are damaged.
    """
    architecture = bundle.manifest.architecture
    alibi = bundle.manifest.position_embedding == "alibi"
    spec = _empty_spec(architecture, alibi=alibi)
    _Filler(bundle.open_weights(), kind).fill(spec.decoder, architecture)
    # Engines speak ids: each token's string is its id in digits.
    spec.register_vocabulary([str(id_) for id_ in range(architecture.vocab)])
    end = str(bundle.manifest.prompt.end)
    spec.config.bos_token = spec.config.eos_token = spec.config.unk_token = end
    spec.config.layer_norm_epsilon = architecture.norm_epsilon
    spec.validate()
    spec.optimize()  # stores a tied matrix once
    spec.save(str(target))


def _empty_spec(architecture: Architecture, *, alibi: bool) -> Any:
    if alibi:
        # Either value of alibi_use_positive_positions is right: softmax ignores a row's shift.
        place: dict[str, object] = {"alibi": True, "alibi_use_positive_positions": True}
    elif architecture.rotary_dim:
        place = {
            "rotary_dim": architecture.rotary_dim,
            "rotary_interleave": False,  # NeoX rotates the halves against each other
            "rotary_base": architecture.rotary_base,
        }
    else:
        place = {}
    return transformer_spec.TransformerDecoderModelSpec.from_config(
        architecture.layers,
        architecture.heads,
        pre_norm=True,
        activation=_ACTIVATIONS[architecture.activation],
        parallel_residual=architecture.parallel_residual,
        shared_layer_norm=False,
        **place,
    )


class _Filler:
    """Copies tensors from a weights file into a specification."""

    def __init__(self, weights: WeightsFile, kind: str) -> None:
        self._weights = weights
        self._quantise = kind == "int8"

    def fill(self, decoder: Any, architecture: Architecture) -> None:
        decoder.scale_embeddings = False
        self._matrix(decoder.embeddings, EMBEDDING)
        self._matrix(decoder.projection, EMBEDDING if architecture.tied else HEAD)
        self._norm(decoder.layer_norm, FINAL_NORM)
        by_kind = rows_by_kind(architecture)
        for number, layer in enumerate(decoder.layer):
            prefix = layer_prefix(number)
            if architecture.parallel_residual:  # two norms of the layer, both over its input
                norms = layer.input_layer_norm, layer.post_attention_layer_norm
            else:  # each block has its own
                norms = layer.self_attention.layer_norm, layer.ffn.layer_norm
            self._norm(norms[0], prefix + "input_layernorm")
            self._norm(norms[1], prefix + "post_attention_layernorm")
            attention = layer.self_attention.linear
            self._linear(attention[0], prefix + "attention.query_key_value", by_kind)
            self._linear(attention[1], prefix + "attention.dense")
            self._linear(layer.ffn.linear_0, prefix + "mlp.dense_h_to_4h")
            self._linear(layer.ffn.linear_1, prefix + "mlp.dense_4h_to_h")

    def _norm(self, target: Any, name: str) -> None:
        target.gamma = self._weights.float32(f"{name}.weight")
        target.beta = self._weights.float32(f"{name}.bias")

    def _linear(self, target: Any, name: str, rows: Array | None = None) -> None:
        self._matrix(target, f"{name}.weight", rows)
        bias = self._weights.float32(f"{name}.bias")
        target.bias = bias if rows is None else bias[rows]

    def _matrix(self, target: Any, name: str, rows: Array | None = None) -> None:
        """Set weight and, where quantised, weight_scale; `rows` reorders them."""
        if not self._quantise:
            values = self._weights.float32(name)
            target.weight = values if rows is None else values[rows]
            return
        weight: Array
        if self._weights.layout[name].dtype == "I8":
            weight, scale = self._weights.raw(name), self._weights.float32(name + SCALE_SUFFIX)
        else:
            weight, scale = quantise_rows(self._weights.float32(name))
        if rows is not None:
            weight, scale = weight[rows], scale[rows]
        target.weight = np.ascontiguousarray(weight)
        target.weight_scale = (1 / scale).astype(np.float32)
