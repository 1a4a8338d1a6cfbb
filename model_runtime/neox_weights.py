"""The weights of a Hugging Face GPT-NeoX folder, under one set of names, as float32.

Reads safetensors, one file or several by index, and PyTorch's .bin files where there is nothing
else.  What differs between folders ends here: the output matrix's two names, shards, half
precision, missing attention biases (zeros), and the mask buffers of old checkpoints.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
from platformdirs import user_cache_path

from model_runtime import pickled_weights
from model_runtime.errors import ConversionError
from model_runtime.files import working_folder
from model_runtime.model_files import source_file
from model_runtime.neox import HEAD, Architecture, read_json
from model_runtime.weights import Float32, UnreadableWeights, WeightsFile

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"

_BUFFER = re.compile(
    r"\.(attention\.(bias|masked_bias)|rotary_emb\.(inv_freq|cos_cached|sin_cached))$"
)
"""Masks and rotary tables that old checkpoints carry; they are computed anew."""
_OPTIONAL = re.compile(r"\.attention\.(query_key_value|dense)\.bias$")
"""Absent where the config says attention_bias = false; zeros give the same result."""


class NeoxWeights:
    """The float tensors of a folder, one at a time."""

    def __init__(
        self, files: list[WeightsFile], architecture: Architecture, folder: Path, source_bytes: int
    ) -> None:
        self._shapes = architecture.tensor_shapes()
        self._folder = folder
        self.source_bytes = source_bytes
        self._file_of: dict[str, WeightsFile] = {}
        for file in files:
            for name in file.layout:
                if not _BUFFER.search(name):
                    self._file_of[name] = file
        self._name_in_file = {name: name for name in self._file_of}
        if HEAD not in self._name_in_file and "lm_head.weight" in self._file_of:
            self._name_in_file[HEAD] = self._name_in_file.pop("lm_head.weight")
        self._check(architecture)

    @classmethod
    @contextmanager
    def open(
        cls, folder: Path, architecture: Architecture, say: Callable[[str], None]
    ) -> Iterator[NeoxWeights]:
        """The weights in `folder`, checked against `architecture`; nothing is read yet.

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
            yield cls(files, architecture, folder, size)

    def float32(self, name: str) -> Float32:
        """One tensor by its Hugging Face name.

        Raises:
            ConversionError: it holds NaN or infinity, or has a type that is no float.
        """
        shape = self._shapes[name]
        if name not in self._name_in_file:
            return np.zeros(shape, np.float32)
        stored_name = self._name_in_file[name]
        try:
            values = self._file_of[stored_name].float32(stored_name)
        except UnreadableWeights as error:
            raise ConversionError(
                f"{self._folder}: {error}; add a version of it in float32, float16 or bfloat16"
            ) from error
        if not np.isfinite(values).all():
            raise ConversionError(f"{self._folder}: {name} holds NaN or infinity")
        return values

    def _check(self, architecture: Architecture) -> None:
        wanted = self._shapes
        found = self._name_in_file
        # Some tied models store the embedding a second time as output matrix.
        unknown = sorted(set(found) - set(wanted) - ({HEAD} if architecture.tied else set()))
        if unknown:
            raise ConversionError(
                f"{self._folder} has tensors that no GPT-NeoX model has: {_some(unknown)}"
            )
        missing = [name for name in wanted if name not in found and not _OPTIONAL.search(name)]
        if missing:
            raise ConversionError(
                f"{self._folder} lacks tensors that config.json calls for: {_some(missing)}"
            )
        for name, shape in wanted.items():
            if name in found:
                actual = self._file_of[found[name]].layout[found[name]].shape
                if actual != shape:
                    raise ConversionError(
                        f"{self._folder}: {name} has the shape {actual}, config.json says {shape}"
                    )


def _paths(folder: Path) -> list[Path]:
    """The files with the weights, safetensors where there are any."""
    for single, index in ((SINGLE, INDEX), (pickled_weights.SINGLE, pickled_weights.INDEX)):
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


def _rewritten(path: Path, work: Path, say: Callable[[str], None]) -> Path:
    target = work / f"{path.stem}.safetensors"
    pickled_weights.rewrite_as_safetensors(path, target, say)
    return target


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
