"""StarCoder2: a Llama with layer norms, a plain feed-forward part and biases."""

from __future__ import annotations

from dataclasses import replace

from model_runtime.models.decoder import Biased, DecoderSpec, layer_prefix
from model_runtime.models.families.family import Family, Recipe, as_it_is
from model_runtime.models.families.llama import BUFFERS, llama_like, llama_tensors
from model_runtime.models.families.settings import Settings


def _spec(settings: Settings) -> DecoderSpec:
    biased: set[Biased] = {"norm"}
    if settings.boolean("use_bias", True):
        biased |= {"qkv", "attention_out", "mlp"}
    spec = llama_like(settings)
    return replace(
        spec,
        norm="layer",
        norm_epsilon=settings.number("norm_epsilon", 1e-5),
        mlp="plain",
        activation=settings.activation("hidden_act", "gelu_pytorch_tanh"),
        biases=frozenset(biased),
        windows=settings.windows(spec.layers, None, lambda number: True),
        tied=settings.boolean("tie_word_embeddings", True),
    )


def _tensors(spec: DecoderSpec) -> dict[str, Recipe]:
    recipes = llama_tensors(spec)
    for number in range(spec.layers):
        ours, theirs = layer_prefix(number), f"model.layers.{number}."
        for kind in ("weight", "bias"):
            recipes |= {
                f"{ours}mlp.up.{kind}": as_it_is(f"{theirs}mlp.c_fc.{kind}"),
                f"{ours}mlp.down.{kind}": as_it_is(f"{theirs}mlp.c_proj.{kind}"),
                f"{ours}attention_norm.{kind}": as_it_is(f"{theirs}input_layernorm.{kind}"),
                f"{ours}mlp_norm.{kind}": as_it_is(f"{theirs}post_attention_layernorm.{kind}"),
            }
    return recipes


STARCODER2 = Family(
    name="starcoder2",
    model_types=("starcoder2",),
    gguf_architecture="starcoder2",
    max_positions=4096,
    spec=_spec,
    tensors=_tensors,
    aliases={},
    buffers=BUFFERS,
)
