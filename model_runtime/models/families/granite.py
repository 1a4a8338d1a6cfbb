"""Granite 3 and 4: Llamas whose embedding, attention, residual stream and logits are scaled.

The dense models of Granite 4 are written as hybrids without a single Mamba layer or expert; their
feed-forward part is the one that others share among experts.  Real hybrids are refused.
"""

from __future__ import annotations

from dataclasses import replace

from model_runtime.errors import ConversionError, shown
from model_runtime.models.decoder import DecoderSpec, layer_prefix
from model_runtime.models.families.family import Family, Recipe, as_it_is, rows_taken
from model_runtime.models.families.llama import BUFFERS, llama_biases, llama_like, llama_tensors
from model_runtime.models.families.settings import ELSEWHERE, Settings

_ATTENTION = ("attention", "full_attention")
"""Names of layers with attention, before version 5 of transformers and since."""


def _granite(settings: Settings) -> DecoderSpec:
    divisor = settings.number("logits_scaling", 1)
    if not divisor:
        raise ValueError("logits_scaling is 0")
    return replace(
        llama_like(settings, *llama_biases(settings)),
        embedding_scale=settings.number("embedding_multiplier", 1),
        attention_scale=settings.number("attention_multiplier", 1),
        residual_scale=settings.number("residual_multiplier", 1),
        logit_scale=1 / divisor,
    )


def _hybrid(settings: Settings) -> DecoderSpec:
    spec = _granite(settings)
    kinds = settings.get("layer_types", ["mamba"])
    if other := [kind for kind in kinds if kind not in _ATTENTION]:
        raise ConversionError(
            f"{settings.path}: layers of the type {shown(other[0])} are not supported, only those "
            f"with attention; {ELSEWHERE}"
        )
    if settings.integer("num_local_experts", 8):
        raise ConversionError(f"{settings.path}: experts are not supported; {ELSEWHERE}")
    is_rotary = settings.get("position_embedding_type") == "rope"
    return replace(
        spec,
        intermediate=settings.integer("shared_intermediate_size", 1024),
        positions=spec.positions if is_rotary else None,
    )


def _hybrid_tensors(spec: DecoderSpec) -> dict[str, Recipe]:
    recipes, inner = llama_tensors(spec), spec.intermediate
    for number in range(spec.layers):
        ours, theirs = layer_prefix(number), f"model.layers.{number}.shared_mlp."
        joined = f"{theirs}input_linear.weight"
        recipes |= {
            f"{ours}mlp.gate.weight": rows_taken(joined, range(inner), of=2 * inner),
            f"{ours}mlp.up.weight": rows_taken(joined, range(inner, 2 * inner), of=2 * inner),
            f"{ours}mlp.down.weight": as_it_is(f"{theirs}output_linear.weight"),
        }
    return recipes


GRANITE = Family(
    name="granite",
    model_types=("granite",),
    gguf_architecture="granite",
    max_positions=2048,
    spec=_granite,
    tensors=llama_tensors,
    aliases={},
    buffers=BUFFERS,
)
GRANITE_HYBRID = Family(
    name="granitemoehybrid",
    model_types=("granitemoehybrid",),
    gguf_architecture="",  # llama.cpp's converter writes those without Mamba as "granite"
    max_positions=2048,
    spec=_hybrid,
    tensors=_hybrid_tensors,
    aliases={},
    buffers=BUFFERS,
)
