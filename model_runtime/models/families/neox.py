"""GPT-NeoX: layer norms, biases everywhere, q, k and v of each head stored together.

Hugging Face's GPT-NeoX knows no ALiBi: it would rotate the heads of such a model and say nothing.
So our exports of a model with ALiBi name a type that it refuses, and an entry of their own.
"""

from __future__ import annotations

from model_runtime.errors import ConversionError, shown
from model_runtime.models.decoder import (
    EMBEDDING,
    FINAL_NORM,
    HEAD,
    Biased,
    DecoderSpec,
    layer_prefix,
)
from model_runtime.models.families.family import Family, Recipe, as_it_is, rows_permuted
from model_runtime.models.families.settings import ELSEWHERE, Settings
from model_runtime.models.positions import Alibi

ALIBI_TYPE = "gpt_neox_alibi"
"""`model_type` of our exports of models with ALiBi."""


def _spec(settings: Settings) -> DecoderSpec:
    hidden, heads = settings.integer("hidden_size"), settings.integer("num_attention_heads")
    if heads >= 1 and hidden % heads:
        raise ConversionError(
            f"{settings.path}: hidden {shown(hidden)} is no multiple of heads {shown(heads)}"
        )
    head_dim = hidden // max(1, heads)
    usual = "alibi" if settings.get("model_type") == ALIBI_TYPE else "rotary"
    positions = settings.get("position_embedding_type", usual)
    if positions not in ("rotary", "alibi"):
        raise ConversionError(
            f"{settings.path}: position_embedding_type {shown(positions)} is not supported; "
            f"{ELSEWHERE}"
        )
    biases: set[Biased] = {"mlp", "norm"}
    if settings.boolean("attention_bias", True):
        biases |= {"qkv", "attention_out"}
    is_parallel = settings.boolean("use_parallel_residual", True)
    rope = settings.rope(head_dim, fraction=0.25)
    return DecoderSpec(
        layers=settings.integer("num_hidden_layers"),
        hidden=hidden,
        vocab=settings.integer("vocab_size"),
        intermediate=settings.integer("intermediate_size", 4 * hidden),
        heads=heads,
        kv_heads=heads,
        head_dim=head_dim,
        norm="layer",
        norm_epsilon=settings.number("layer_norm_eps", 1e-5),
        residual="parallel" if is_parallel else "sequential",
        mlp="plain",
        activation=settings.activation("hidden_act", "gelu"),
        biases=frozenset(biases),
        positions=Alibi() if positions == "alibi" else rope,
        tied=settings.boolean("tie_word_embeddings", False),
    )


def _tensors(spec: DecoderSpec) -> dict[str, Recipe]:
    rows = _rows_by_kind(spec)
    recipes = {
        EMBEDDING: as_it_is("gpt_neox.embed_in.weight"),
        HEAD: as_it_is("embed_out.weight"),
        f"{FINAL_NORM}.weight": as_it_is("gpt_neox.final_layer_norm.weight"),
        f"{FINAL_NORM}.bias": as_it_is("gpt_neox.final_layer_norm.bias"),
    }
    for number in range(spec.layers):
        ours, theirs = layer_prefix(number), f"gpt_neox.layers.{number}."
        for kind in ("weight", "bias"):
            is_optional = kind == "bias"  # zeros give the same result
            qkv = f"{theirs}attention.query_key_value.{kind}"
            out = f"{theirs}attention.dense.{kind}"
            recipes |= {
                f"{ours}attention.qkv.{kind}": rows_permuted(qkv, rows, is_optional=is_optional),
                f"{ours}attention.out.{kind}": as_it_is(out, is_optional=is_optional),
                f"{ours}attention_norm.{kind}": as_it_is(f"{theirs}input_layernorm.{kind}"),
                f"{ours}mlp_norm.{kind}": as_it_is(f"{theirs}post_attention_layernorm.{kind}"),
                f"{ours}mlp.up.{kind}": as_it_is(f"{theirs}mlp.dense_h_to_4h.{kind}"),
                f"{ours}mlp.down.{kind}": as_it_is(f"{theirs}mlp.dense_4h_to_h.{kind}"),
            }
    return recipes


def _rows_by_kind(spec: DecoderSpec) -> list[int]:
    """The row in [head, (q, k, v), head_dim] for each row in [(q, k, v), head, head_dim]."""
    return [
        (3 * head + kind) * spec.head_dim + place
        for kind in range(3)
        for head in range(spec.heads)
        for place in range(spec.head_dim)
    ]


NEOX = Family(
    name="gpt_neox",
    model_types=("gpt_neox", ALIBI_TYPE),
    gguf_architecture="gptneox",
    max_positions=2048,
    spec=_spec,
    tensors=_tensors,
    aliases={"lm_head.weight": "embed_out.weight"},
    buffers=r"\.(attention\.(bias|masked_bias)|rotary_emb\.(inv_freq|cos_cached|sin_cached))$",
)
