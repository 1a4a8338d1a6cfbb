"""The canonical tensors of a bundle, read from its weights file one at a time.

A bundle of format 1 keeps the names and row orders of GPT-NeoX checkpoints.  Reordering rows
commutes with a scale for each row, so its int8 matrices are reordered as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from model_runtime.models.decoder import DecoderSpec
from model_runtime.models.families.family import Recipe, as_it_is
from model_runtime.models.weights import (
    SCALE_SUFFIX,
    Array,
    Float32,
    UnreadableWeights,
    WeightsFile,
    quantise_rows,
)


class Int8Matrix(NamedTuple):
    """A matrix of 8 bits: `stored[row, column] * scale[row]`."""

    stored: Array
    """int8 [rows, columns]"""
    scale: Float32
    """float32 [rows]"""


class BundleTensors:
    """Reads tensors by their canonical names (`decoder`)."""

    def __init__(
        self, file: WeightsFile, spec: DecoderSpec, recipes: Mapping[str, Recipe] | None = None
    ) -> None:
        """Checks that the file has every tensor of the decoder; nothing is read yet.

        Args:
            file: the weights.
            spec: the decoder.
            recipes: how its tensors are made of the file's; without them it has them as they are.

        Raises:
            UnreadableWeights: a tensor is missing or has another shape; the message names it.
        """
        self.shapes = spec.tensor_shapes()
        """Canonical name -> shape."""
        self._file = file
        self._recipes = {name: as_it_is(name) for name in self.shapes}
        if recipes is not None:
            self._recipes = {name: recipes[name] for name in self.shapes}
        for name, shape in self.shapes.items():
            self._check(self._recipes[name].sources[0], shape)

    def _check(self, source: str, shape: tuple[int, ...]) -> None:
        layout = self._file.layout
        wanted = {source: shape}
        if source in layout and layout[source].dtype == "I8":
            wanted[source + SCALE_SUFFIX] = shape[:1]
        for name, size in wanted.items():
            found = layout[name].shape if name in layout else None
            if found != size:
                raise UnreadableWeights(f"{name} has the shape {found} in place of {size}")

    def float32(self, name: str) -> Float32:
        """Returns a tensor as float32: widened, or multiplied by its scales.

        Raises:
            UnreadableWeights: it is stored as something else than the manifest may say.
        """
        return self._made(name, self._file.float32)

    def is_int8(self, name: str) -> bool:
        """Tells whether a matrix is stored in 8 bits."""
        return self._file.layout[self._recipes[name].sources[0]].dtype == "I8"

    def int8(self, name: str) -> Int8Matrix:
        """Returns a matrix in 8 bits: as it is stored, or rounded now."""
        if not self.is_int8(name):
            return Int8Matrix(*quantise_rows(self.float32(name)))
        scale = self._made(name, lambda source: self._file.float32(source + SCALE_SUFFIX))
        return Int8Matrix(self._made(name, self._file.raw), scale)

    def _made(self, name: str, read: Callable[[str], Array]) -> Array:
        recipe = self._recipes[name]
        return recipe.made([read(source) for source in recipe.sources])
