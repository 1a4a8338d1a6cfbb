"""The weights of a GGUF file as canonical tensors in float32, through its family's map.

llama.cpp's converter changes some tensors when it writes a file; here that is undone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType

import numpy as np

from model_runtime.errors import GgufError, some
from model_runtime.importers.gguf_file import GgufFile
from model_runtime.models.decoder import DecoderSpec
from model_runtime.models.families.family import Family
from model_runtime.models.weights import ALL_ROWS, Float32, is_finite
from model_runtime.progress import advance

Restore = Callable[[Float32, str, DecoderSpec], Float32]


def _as_it_is(values: Float32, name: str, spec: DecoderSpec) -> Float32:
    return values


def _halves_apart(values: Float32, name: str, spec: DecoderSpec) -> Float32:
    """Reorders the rows of queries and keys, which llama.cpp turns neighbor against neighbor."""
    heads = {"q_proj": spec.heads, "k_proj": spec.kv_heads}.get(name.split(".")[-2])
    if heads is None:
        return values
    pairs = values.reshape(heads, spec.head_dim // 2, 2, *values.shape[1:])
    apart: Float32 = pairs.swapaxes(1, 2).reshape(values.shape)
    return apart


def _heads_together(values: Float32, name: str, spec: DecoderSpec) -> Float32:
    """Reorders the rows of a joined matrix: each head's queries, keys and values together."""
    if ".query_key_value." not in name:
        return values
    kinds = values.reshape(3, spec.heads, spec.head_dim, *values.shape[1:])
    together: Float32 = kinds.swapaxes(0, 1).reshape(values.shape)
    return together


def _less_one(values: Float32, name: str, spec: DecoderSpec) -> Float32:
    """Takes the one from a norm's weights that the converter has added."""
    return values - np.float32(1) if name.endswith("norm.weight") else values


ARCHITECTURES: Mapping[str, Restore] = {
    "gptneox": _heads_together,
    "llama": _halves_apart,
    "qwen2": _as_it_is,
    "qwen3": _as_it_is,
    "starcoder2": _as_it_is,
    "stablelm": _as_it_is,
    "granite": _halves_apart,
    "gemma": _less_one,
    "gemma2": _less_one,
}
"""Value of `general.architecture` -> how a tensor becomes the checkpoint's again."""


class GgufWeights:
    """The float tensors of a GGUF file, one at a time, by canonical names."""

    def __init__(self, file: GgufFile, spec: DecoderSpec, family: Family) -> None:
        """Checks that the file has every tensor of the decoder; nothing is read yet.

        Raises:
            GgufError: a tensor is missing or has another shape.
        """
        from gguf import MODEL_ARCH, MODEL_ARCH_NAMES, get_tensor_name_map

        architecture = family.gguf_architecture
        number = next(key for key, name in MODEL_ARCH_NAMES.items() if name == architecture)
        self._names = get_tensor_name_map(MODEL_ARCH(number), spec.layers)
        self._restore = ARCHITECTURES[architecture]
        self._file, self._spec = file, spec
        self._shapes = spec.tensor_shapes()
        recipes = family.tensors(spec)
        self._recipes = {name: recipes[name] for name in self._shapes}
        self.source_bytes = file.path.stat().st_size
        self._unread = set(self._shapes)
        for name, recipe in self._recipes.items():
            rows = recipe.sizes or self._shapes[name][:1]
            for source, count in zip(recipe.sources, rows, strict=True):
                found = file.shapes.get(self._name(source))
                if found is None and recipe.is_optional:
                    continue
                if found != (count, *self._shapes[name][1:]):
                    raise GgufError(
                        f"{file.path}: {self._name(source)} has the shape {found}, and its "
                        f"metadata calls for {(count, *self._shapes[name][1:])}; get another file"
                    )
        wanted = {self._name(one) for recipe in self._recipes.values() for one in recipe.sources}
        if unknown := sorted(set(file.shapes) - wanted):
            raise GgufError(
                f"{file.path} has tensors that no {architecture} model here has: {some(unknown)}; "
                "add the model from its Hugging Face folder, or serve it by llama-server or vLLM"
            )

    def float32(self, name: str) -> Float32:
        """Returns one tensor by its canonical name.

        Raises:
            GgufError: it holds NaN or infinity, or is quantized in a way that is not known.
        """
        self._unread.discard(name)
        advance(1 - self._size(self._unread) / self._size(self._shapes))
        recipe = self._recipes[name]
        if recipe.is_optional and self._name(recipe.sources[0]) not in self._file.shapes:
            return np.zeros(self._shapes[name], np.float32)
        return recipe.made([self._source(source) for source in recipe.sources])

    def _size(self, names: Iterable[str]) -> int:
        """Returns how many numbers some tensors have."""
        return sum(math.prod(self._shapes[name]) for name in names)

    def rows(self, name: str, rows: slice) -> Float32:
        """Returns some rows of a matrix that is one of the file's; raises as `float32`."""
        return self._source(self._recipes[name].sources[0], rows)

    def bits(self, name: str) -> int:
        """Returns the bits of each number of a tensor, as the file has it."""
        return self._file.bits(self._name(self._recipes[name].sources[0]))

    def _source(self, source: str, rows: slice = ALL_ROWS) -> Float32:
        values = self._file.float32(self._name(source), rows)
        if not is_finite(values):
            raise GgufError(f"{self._file.path}: {self._name(source)} holds NaN or infinity")
        return self._restore(values, source, self._spec)

    def _name(self, source: str) -> str:
        found = self._names.get_name(source, try_suffixes=(".weight", ".bias"))
        return source if found is None else str(found)

    def __enter__(self) -> GgufWeights:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """The file belongs to the caller."""
