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
from ctranslate2.specs import attention_spec, common_spec, transformer_spec

from model_runtime.engines.ctranslate2.support import supports
from model_runtime.errors import EngineUnavailable
from model_runtime.models.bundle import ModelBundle
from model_runtime.models.decoder import EMBEDDING, FINAL_NORM, HEAD, DecoderSpec, layer_prefix
from model_runtime.models.positions import Alibi, LinearScaling, Rope
from model_runtime.models.tensors import BundleTensors

KINDS = ("int8", "float32")

_ACTIVATIONS = {
    "gelu": common_spec.Activation.GELU,
    "gelu_tanh": common_spec.Activation.GELUTanh,
    "relu": common_spec.Activation.RELU,
    "silu": common_spec.Activation.SWISH,
}


def write_ctranslate2_folder(bundle: ModelBundle, target: Path, kind: str) -> None:
    """Fills `target` with model.bin, config.json and vocabulary.json.

    Raises:
        EngineUnavailable: CTranslate2 cannot compute this kind of decoder.
        BundleError: the weights are damaged.
    """
    decoder = bundle.manifest.decoder
    if reason := supports(decoder):
        raise EngineUnavailable(
            f"{reason}, which {bundle.manifest.name} needs; choose another engine"
        )
    spec = _empty_spec(decoder)
    _Filler(bundle.open_weights(), decoder, kind).fill(spec.decoder)
    # Engines speak ids: each token's string is its id in digits.
    spec.register_vocabulary([str(id_) for id_ in range(decoder.vocab)])
    end = str(bundle.manifest.prompt.end)
    spec.config.bos_token = spec.config.eos_token = spec.config.unk_token = end
    spec.config.layer_norm_epsilon = decoder.norm_epsilon
    spec.validate()
    spec.optimize()  # stores a tied matrix once
    spec.save(str(target))


def _empty_spec(decoder: DecoderSpec) -> Any:
    return transformer_spec.TransformerDecoderModelSpec.from_config(
        decoder.layers,
        decoder.heads,
        pre_norm=True,
        activation=_ACTIVATIONS[decoder.activation],
        ffn_glu=decoder.mlp == "gated",
        rms_norm=decoder.norm == "rms",
        parallel_residual=decoder.residual == "parallel",
        shared_layer_norm=False,
        pre_post_layer_norm=decoder.post_norms,
        num_heads_kv=None if decoder.kv_heads == decoder.heads else decoder.kv_heads,
        head_dim=None if decoder.q_rows == decoder.hidden else decoder.head_dim,
        qk_norm=decoder.qk_norm,
        **_positions(decoder),
    )


def _positions(decoder: DecoderSpec) -> dict[str, object]:
    if isinstance(decoder.positions, Alibi):
        # Either value of alibi_use_positive_positions is right: softmax ignores a row's shift.
        return {"alibi": True, "alibi_use_positive_positions": True}
    assert isinstance(decoder.positions, Rope)
    rope, scaling = decoder.positions, decoder.positions.scaling
    place: dict[str, object] = {
        "rotary_dim": rope.dim,
        "rotary_interleave": False,  # the halves are rotated against each other
        "rotary_base": rope.base,
    }
    if isinstance(scaling, LinearScaling):
        place["rotary_scaling_type"] = attention_spec.RotaryScalingType.Linear
        place["rotary_scaling_factor"] = scaling.factor
    return place


class _Filler:
    """Copies a bundle's tensors into a specification."""

    def __init__(self, tensors: BundleTensors, decoder: DecoderSpec, kind: str) -> None:
        self._tensors = tensors
        self._decoder = decoder
        self._quantise = kind == "int8"

    def fill(self, target: Any) -> None:
        """Sets every weight of the specification's decoder."""
        d = self._decoder
        target.scale_embeddings = False
        if d.embedding_scale != 1:
            target.scale_embeddings = np.float32(d.embedding_scale)
        if d.logit_softcap is not None:
            target.final_logit_softcapping = np.float32(d.logit_softcap)
        self._matrix(target.embeddings, EMBEDDING)
        self._matrix(target.projection, EMBEDDING if d.tied else HEAD)
        self._norm(target.layer_norm, FINAL_NORM, d.logit_scale)
        for number, layer in enumerate(target.layer):
            self._layer(layer, layer_prefix(number))

    def _layer(self, layer: Any, prefix: str) -> None:
        d, attention, added = self._decoder, layer.self_attention, self._decoder.residual_scale
        if d.post_norms:
            norms = layer.input_layer_norm, layer.pre_feedforward_layer_norm
            self._norm(layer.post_attention_layer_norm, f"{prefix}attention_post_norm", added)
            self._norm(layer.post_feedforward_layer_norm, f"{prefix}mlp_post_norm", added)
            added = 1.0
        elif d.residual == "parallel":  # two norms of the layer, both over its input
            norms = layer.input_layer_norm, layer.post_attention_layer_norm
        else:  # each block has its own
            norms = attention.layer_norm, layer.ffn.layer_norm
        self._norm(norms[0], f"{prefix}attention_norm")
        self._norm(norms[1], f"{prefix}mlp_norm")
        self._linear(attention.linear[0], f"{prefix}attention.qkv")
        self._linear(attention.linear[1], f"{prefix}attention.out", added)
        if d.qk_norm:
            attention.q_norm.gamma = self._tensors.float32(f"{prefix}attention.q_norm.weight")
            attention.k_norm.gamma = self._tensors.float32(f"{prefix}attention.k_norm.weight")
        if d.attention_scale is not None:
            attention.queries_scale = np.float32(d.attention_scale)
        if d.mlp == "gated":  # the activation is that of linear_0
            self._linear(layer.ffn.linear_0, f"{prefix}mlp.gate")
            self._linear(layer.ffn.linear_0_noact, f"{prefix}mlp.up")
        else:
            self._linear(layer.ffn.linear_0, f"{prefix}mlp.up")
        self._linear(layer.ffn.linear_1, f"{prefix}mlp.down", added)

    # CTranslate2 scales neither logits nor what is added to the residual stream, so the factors
    # are multiplied into the weights before them.

    def _norm(self, target: Any, name: str, factor: float = 1.0) -> None:
        target.gamma = self._vector(f"{name}.weight", factor)
        if self._decoder.norm == "layer":
            bias = f"{name}.bias"
            has_bias = bias in self._tensors.shapes
            target.beta = self._vector(bias, factor) if has_bias else np.zeros_like(target.gamma)

    def _linear(self, target: Any, name: str, factor: float = 1.0) -> None:
        self._matrix(target, f"{name}.weight", factor)
        if f"{name}.bias" in self._tensors.shapes:
            target.bias = self._vector(f"{name}.bias", factor)

    def _vector(self, name: str, factor: float) -> Any:
        values = self._tensors.float32(name)
        return values if factor == 1 else values * np.float32(factor)

    def _matrix(self, target: Any, name: str, factor: float = 1.0) -> None:
        """Sets weight and, where quantised, weight_scale."""
        if not self._quantise:
            target.weight = self._vector(name, factor)
            return
        weight, scale = self._tensors.int8(name)
        target.weight = np.ascontiguousarray(weight)
        target.weight_scale = (1 / (scale * factor)).astype(np.float32)
