"""The weights of a Hugging Face folder as canonical tensors in float32, through its family's map.

Reads safetensors, one file or several by index, and PyTorch's .bin files where there is nothing
else.  What differs between folders ends here: names, shards, half precision, missing attention
biases (zeros), and the mask buffers of old checkpoints.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
from platformdirs import user_cache_path

from model_runtime.errors import ConversionError, some
from model_runtime.files import working_folder
from model_runtime.importers import pickles
from model_runtime.importers.config import read_json
from model_runtime.model_files import source_file
from model_runtime.models.decoder import HEAD, DecoderSpec
from model_runtime.models.families.family import Family, Recipe
from model_runtime.models.weights import (
    ALL_ROWS,
    Float32,
    UnreadableWeights,
    WeightsFile,
    is_finite,
)
from model_runtime.progress import OnStep

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"


class Checkpoint:
    """The float tensors of a folder, one at a time, by canonical names."""

    def __init__(
        self,
        files: list[WeightsFile],
        spec: DecoderSpec,
        family: Family,
        folder: Path,
        source_bytes: int,
    ) -> None:
        self._shapes = spec.tensor_shapes()
        recipes = family.tensors(spec)
        self._recipes = {name: recipes[name] for name in self._shapes}
        self._folder = folder
        self.source_bytes = source_bytes
        self._file_of: dict[str, WeightsFile] = {}
        buffers = re.compile(family.buffers)
        for file in files:
            for name in file.layout:
                if not buffers.search(name):
                    self._file_of[name] = file
        self._name_in_file = {name: name for name in self._file_of}
        for alias, name in family.aliases.items():
            if alias in self._name_in_file and name not in self._name_in_file:
                self._name_in_file[name] = self._name_in_file.pop(alias)
        # Some tied models store the embedding a second time as output matrix.
        self._check(family.name, set(recipes[HEAD].sources) if spec.tied else set())

    @classmethod
    @contextmanager
    def open(
        cls, folder: Path, spec: DecoderSpec, family: Family, say: OnStep
    ) -> Iterator[Checkpoint]:
        """Yields the weights in `folder`, checked against `spec`; nothing is read yet.

        Raises:
            ConversionError: missing, unreadable, or of another shape.
        """
        paths = _paths(folder)
        size = sum(path.stat().st_size for path in paths)
        with ExitStack() as cleanup:
            if paths[0].suffix == ".bin":
                # In the cache: the system's temporary folder is often in memory, and small.
                cache = user_cache_path("fim-lsp", appauthor=False)
                work = cleanup.enter_context(working_folder(cache, "convert"))
                paths = [_rewritten(path, work, say) for path in paths]
            try:
                files = [WeightsFile(path) for path in paths]
            except UnreadableWeights as error:
                raise ConversionError(
                    f"the weights in {folder} cannot be read: {error}; fetch them again"
                ) from error
            yield cls(files, spec, family, folder, size)

    def float32(self, name: str) -> Float32:
        """Returns one tensor by its canonical name.

        Raises:
            ConversionError: it holds NaN or infinity, or has a type that is no float.
        """
        recipe = self._recipes[name]
        if recipe.sources[0] not in self._name_in_file:
            return np.zeros(self._shapes[name], np.float32)
        return recipe.made([self._source(source) for source in recipe.sources])

    def rows(self, name: str, rows: slice) -> Float32:
        """Returns some rows of a matrix that is one of the folder's; raises as `float32`."""
        return self._source(self._recipes[name].sources[0], rows)

    def bits(self, name: str) -> int:
        """Returns the bits of each number of a tensor, as the folder has it."""
        stored_name = self._name_in_file[self._recipes[name].sources[0]]
        return self._file_of[stored_name].bits(stored_name)

    def _source(self, name: str, rows: slice = ALL_ROWS) -> Float32:
        stored_name = self._name_in_file[name]
        try:
            values = self._file_of[stored_name].float32(stored_name, rows)
        except UnreadableWeights as error:
            raise ConversionError(
                f"{self._folder}: {error}; add a version of it in float32, float16 or bfloat16"
            ) from error
        if not is_finite(values):
            raise ConversionError(f"{self._folder}: {name} holds NaN or infinity")
        return values

    def _check(self, family: str, spare: set[str]) -> None:
        found = self._name_in_file
        wanted = {source for recipe in self._recipes.values() for source in recipe.sources}
        if unknown := sorted(set(found) - wanted - spare):
            raise ConversionError(
                f"{self._folder} has tensors that no {family} model with its settings has: "
                f"{some(unknown)}"
            )
        missing = [
            source
            for recipe in self._recipes.values()
            for source in recipe.sources
            if source not in found and not recipe.is_optional
        ]
        if missing:
            raise ConversionError(
                f"{self._folder} lacks tensors that config.json calls for: {some(missing)}"
            )
        for name, recipe in self._recipes.items():
            for source, shape in _source_shapes(recipe, self._shapes[name]):
                if source in found:
                    actual = self._file_of[found[source]].layout[found[source]].shape
                    if actual != shape:
                        raise ConversionError(
                            f"{self._folder}: {source} has the shape {actual}, config.json says "
                            f"{shape}"
                        )


def _source_shapes(recipe: Recipe, shape: tuple[int, ...]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yields name and shape of each source of a tensor of this shape."""
    for source, rows in zip(recipe.sources, recipe.sizes or shape[:1], strict=True):
        yield source, (rows, *shape[1:])


def _paths(folder: Path) -> list[Path]:
    """Returns the files with the weights, safetensors where there are any."""
    for single, index in ((SINGLE, INDEX), (pickles.SINGLE, pickles.INDEX)):
        if source_file(folder, index) is not None:
            return _indexed(folder, index)
        if (path := source_file(folder, single)) is not None:
            return [path]
    raise ConversionError(f"{folder} has no {SINGLE}, nor any other weights that can be read")


def _indexed(folder: Path, index: str) -> list[Path]:
    weight_map = read_json(folder, index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise ConversionError(f"{folder / index} has no weight_map")
    names = sorted({str(name) for name in weight_map.values()})
    for name in names:
        if Path(name).name != name:
            raise ConversionError(f"{folder / index} points outside of its folder: {name}")
        if source_file(folder, name) is None:
            raise ConversionError(f"{folder / name} is missing; fetch the folder again")
    return [folder / name for name in names]


def _rewritten(path: Path, work: Path, say: OnStep) -> Path:
    target = work / f"{path.stem}.safetensors"
    pickles.rewrite_as_safetensors(path, target, say)
    return target
