"""StableLM: a Llama with layer norms, of whose heads a quarter is rotated.

Stable Code 3B is one.  Where attention and the feed-forward part lie side by side, one norm serves
both, so its tensor is read twice.
"""

from __future__ import annotations

from dataclasses import replace

from model_runtime.errors import ConversionError
from model_runtime.models.decoder import Biased, DecoderSpec, layer_prefix
from model_runtime.models.families.family import Family, Recipe, as_it_is
from model_runtime.models.families.llama import BUFFERS, llama_like, llama_tensors
from model_runtime.models.families.settings import ELSEWHERE, Settings


def _spec(settings: Settings) -> DecoderSpec:
    if settings.boolean("qk_layernorm", False):
        raise ConversionError(
            f"{settings.path}: layer norms of each head (qk_layernorm) are not supported; "
            f"{ELSEWHERE}"
        )
    biased: set[Biased] = {"norm"}
    if settings.boolean("use_qkv_bias", False):
        biased.add("qkv")
    spec = llama_like(settings)
    is_parallel = settings.boolean("use_parallel_residual", False)
    return replace(
        spec,
        norm="layer",
        norm_epsilon=settings.number("layer_norm_eps", 1e-5),
        residual="parallel" if is_parallel else "sequential",
        biases=frozenset(biased),
        positions=settings.rope(spec.head_dim, fraction=0.25),
    )


def _tensors(spec: DecoderSpec) -> dict[str, Recipe]:
    recipes = llama_tensors(spec)
    for number in range(spec.layers):
        ours, theirs = layer_prefix(number), f"model.layers.{number}."
        of_mlp = "input" if spec.residual == "parallel" else "post_attention"
        for kind in ("weight", "bias"):
            recipes |= {
                f"{ours}attention_norm.{kind}": as_it_is(f"{theirs}input_layernorm.{kind}"),
                f"{ours}mlp_norm.{kind}": as_it_is(f"{theirs}{of_mlp}_layernorm.{kind}"),
            }
    return recipes


STABLELM = Family(
    name="stablelm",
    model_types=("stablelm",),
    gguf_architecture="stablelm",
    max_positions=4096,
    spec=_spec,
    tensors=_tensors,
    aliases={},
    buffers=BUFFERS,
)
