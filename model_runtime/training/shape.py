"""Turns a recipe into the shape of its network."""

from __future__ import annotations

from model_runtime.training.network import Shape
from model_runtime.training.recipe import Recipe


def shape_of(recipe: Recipe, vocabulary: int) -> Shape:
    """Returns the shape that a recipe asks for, with a tokenizer of `vocabulary` ids."""
    network = recipe.network
    return Shape(
        layers=network.layers,
        width=network.width,
        heads=network.heads,
        vocabulary=vocabulary,
        context=network.context,
        positions=network.positions,
        rotary_share=network.rotary_share,
        rotary_base=network.rotary_base,
        tied=network.tied,
        parallel_residual=network.parallel_residual,
    )
