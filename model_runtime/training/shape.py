"""From a recipe to the shape of its network."""

from __future__ import annotations

from model_runtime.prompt.orders import FimTokens
from model_runtime.training.alibi import Sentinels
from model_runtime.training.network import Shape
from model_runtime.training.recipe import Recipe


def shape_of(recipe: Recipe, vocabulary: int, tokens: FimTokens | None = None) -> Shape:
    """For a tokenizer of so many ids; the sentinels matter to restarted ALiBi alone."""
    network, sentinels = recipe.network, None
    if network.alibi_restart and tokens is not None:
        sentinels = Sentinels(tokens.suffix, tokens.prefix, tokens.middle)
    return Shape(
        layers=network.layers,
        width=network.width,
        heads=network.heads,
        vocabulary=vocabulary,
        context=network.context,
        positions=network.positions,
        sentinels=sentinels,
        rotary_share=network.rotary_share,
        rotary_base=network.rotary_base,
        tied=network.tied,
        parallel_residual=network.parallel_residual,
    )
