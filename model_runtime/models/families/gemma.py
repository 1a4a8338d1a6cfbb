"""Gemma and Gemma 2: a scaled embedding, wide heads, and norms stored less one.

CodeGemma is a Gemma.  Gemma 2 adds norms behind the blocks, soft-caps, and a sliding window in
every other layer.
"""

from __future__ import annotations

from dataclasses import replace

from model_runtime.models.decoder import Biased, DecoderSpec, layer_prefix
from model_runtime.models.families.family import Family, Recipe, plus_one
from model_runtime.models.families.llama import BUFFERS, llama_like, llama_tensors
from model_runtime.models.families.settings import Settings


def _gemma(settings: Settings) -> DecoderSpec:
    biased: tuple[Biased, ...] = ()
    if settings.boolean("attention_bias", False):
        biased = ("qkv", "attention_out")
    spec = llama_like(settings, *biased, head_dim=256)
    # In the first releases `hidden_act` said "gelu" and meant the tanh approximation.
    stated = settings.get("hidden_act", "gelu")
    usual = "gelu_pytorch_tanh" if stated == "gelu" else stated
    return replace(
        spec,
        activation=settings.activation("hidden_activation", usual),
        embedding_scale=float(spec.hidden) ** 0.5,
        tied=settings.boolean("tie_word_embeddings", True),
    )


def _gemma2(settings: Settings) -> DecoderSpec:
    spec = _gemma(settings)
    return replace(
        spec,
        post_norms=True,
        attention_scale=settings.number("query_pre_attn_scalar", 256) ** -0.5,
        attention_softcap=settings.nullable("attn_logit_softcapping", 50.0),
        logit_softcap=settings.nullable("final_logit_softcapping", 30.0),
        windows=settings.windows(spec.layers, 4096, lambda number: number % 2 == 0),
    )


def _gemma_tensors(spec: DecoderSpec) -> dict[str, Recipe]:
    return llama_tensors(spec, norm=plus_one)


def _gemma2_tensors(spec: DecoderSpec) -> dict[str, Recipe]:
    recipes = _gemma_tensors(spec)
    for number in range(spec.layers):
        ours, theirs = layer_prefix(number), f"model.layers.{number}."
        for part, name in (
            ("attention_post_norm", "post_attention_layernorm"),
            ("mlp_norm", "pre_feedforward_layernorm"),
            ("mlp_post_norm", "post_feedforward_layernorm"),
        ):
            recipes[f"{ours}{part}.weight"] = plus_one(f"{theirs}{name}.weight")
    return recipes


GEMMA = Family(
    name="gemma",
    model_types=("gemma",),
    gguf_architecture="gemma",
    max_positions=8192,
    spec=_gemma,
    tensors=_gemma_tensors,
    aliases={},
    buffers=BUFFERS,
)
GEMMA2 = Family(
    name="gemma2",
    model_types=("gemma2",),
    gguf_architecture="gemma2",
    max_positions=8192,
    spec=_gemma2,
    tensors=_gemma2_tensors,
    aliases={},
    buffers=BUFFERS,
)
