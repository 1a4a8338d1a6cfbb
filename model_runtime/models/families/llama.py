"""Llama and its nearest relatives: RMS norms, a gated feed-forward part, grouped heads.

DeepSeek-Coder, CodeLlama, Granite Code (3B, 8B), Mellum and Seed-Coder are Llamas; Codestral is a
Mistral, which adds sliding windows.  Other families are described by what they do differently.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from model_runtime.models.decoder import (
    EMBEDDING,
    FINAL_NORM,
    HEAD,
    Biased,
    DecoderSpec,
    layer_prefix,
)
from model_runtime.models.families.family import Family, Recipe, as_it_is, rows_joined
from model_runtime.models.families.settings import Settings

BUFFERS = r"\.rotary_emb\.inv_freq$"
"""Tables of old checkpoints; they are computed anew."""


def llama_like(settings: Settings, *biased: Biased, head_dim: int | None = None) -> DecoderSpec:
    """Returns the decoder of a Llama with these settings.

    Args:
        settings: config.json.
        biased: parts of a layer that have biases.
        head_dim: width of a head where the settings do not say; None divides the hidden width.
    """
    hidden, heads = settings.integer("hidden_size"), settings.integer("num_attention_heads")
    width = settings.integer("head_dim", head_dim or hidden // max(1, heads))
    return DecoderSpec(
        layers=settings.integer("num_hidden_layers"),
        hidden=hidden,
        vocab=settings.integer("vocab_size"),
        intermediate=settings.integer("intermediate_size"),
        heads=heads,
        kv_heads=settings.integer("num_key_value_heads", heads),
        head_dim=width,
        norm="rms",
        norm_epsilon=settings.number("rms_norm_eps", 1e-6),
        mlp="gated",
        activation=settings.activation("hidden_act", "silu"),
        biases=frozenset(biased),
        positions=settings.rope(width),
        tied=settings.boolean("tie_word_embeddings", False),
    )


def llama_tensors(spec: DecoderSpec, norm: Callable[[str], Recipe] = as_it_is) -> dict[str, Recipe]:
    """Returns where a Llama's tensors are from; `norm` makes the recipe of a norm's weights."""
    recipes = {
        EMBEDDING: as_it_is("model.embed_tokens.weight"),
        HEAD: as_it_is("lm_head.weight"),
        f"{FINAL_NORM}.weight": norm("model.norm.weight"),
        f"{FINAL_NORM}.bias": as_it_is("model.norm.bias"),
    }
    for number in range(spec.layers):
        ours, theirs = layer_prefix(number), f"model.layers.{number}."
        recipes |= {
            f"{ours}attention_norm.weight": norm(f"{theirs}input_layernorm.weight"),
            f"{ours}mlp_norm.weight": norm(f"{theirs}post_attention_layernorm.weight"),
            f"{ours}attention.q_norm.weight": norm(f"{theirs}self_attn.q_norm.weight"),
            f"{ours}attention.k_norm.weight": norm(f"{theirs}self_attn.k_norm.weight"),
        }
        for kind in ("weight", "bias"):
            q, k, v, out = (f"{theirs}self_attn.{part}_proj.{kind}" for part in "qkvo")
            rows = {q: spec.q_rows, k: spec.kv_rows, v: spec.kv_rows}
            recipes[f"{ours}attention.qkv.{kind}"] = rows_joined(rows)
            recipes[f"{ours}attention.out.{kind}"] = as_it_is(out)
            for part in ("up", "gate", "down"):
                recipes[f"{ours}mlp.{part}.{kind}"] = as_it_is(f"{theirs}mlp.{part}_proj.{kind}")
    return recipes


def llama_biases(settings: Settings) -> tuple[Biased, ...]:
    """Returns the parts of a layer that have biases, as `attention_bias` and `mlp_bias` say."""
    attention: tuple[Biased, ...] = ("qkv", "attention_out")
    return (
        *(attention if settings.boolean("attention_bias", False) else ()),
        *(("mlp",) if settings.boolean("mlp_bias", False) else ()),
    )


def _llama(settings: Settings) -> DecoderSpec:
    return llama_like(settings, *llama_biases(settings))


def _mistral(settings: Settings) -> DecoderSpec:
    spec = llama_like(settings)
    return replace(spec, windows=settings.windows(spec.layers, 4096, lambda number: True))


LLAMA = Family(
    name="llama",
    model_types=("llama",),
    gguf_architecture="llama",
    max_positions=2048,
    spec=_llama,
    tensors=llama_tensors,
    aliases={},
    buffers=BUFFERS,
)
MISTRAL = Family(
    name="mistral",
    model_types=("mistral",),
    gguf_architecture="llama",  # in which the two are the same
    max_positions=131072,
    spec=_mistral,
    tensors=llama_tensors,
    aliases={},
    buffers=BUFFERS,
)
