"""Reads the description of a checkpoint without running what a pickle may name."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.distributed.checkpoint.metadata import Metadata

from model_runtime.errors import ModelRuntimeError


class CheckpointError(ModelRuntimeError):
    """A checkpoint that cannot be written, or that this run cannot go on with."""


class CheckpointReader(FileSystemReader):
    """Reads a description that consists of the format's own classes, and nothing else."""

    def read_metadata(self, *args: Any, **kwargs: Any) -> Metadata:
        """Returns the description.

        Raises:
            CheckpointError: it is damaged, or names a class that does not belong there.
        """
        path = Path(self.path) / ".metadata"
        try:
            with open(path, "rb") as file:
                metadata: Metadata = _Description(file).load()
        except (OSError, pickle.UnpicklingError, EOFError) as error:
            raise CheckpointError(f"{path} is not readable ({error})") from error
        if metadata.storage_meta is not None:
            metadata.storage_meta.load_id = self.load_id
        return metadata


class _Description(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        # A dotted name would walk from a module into what it imports.
        plain = module.startswith("torch.distributed.checkpoint.") and "." not in name
        if plain or (module, name) in _ALLOWED:
            found = super().find_class(module, name)
            if isinstance(found, type) or (module, name) in _ALLOWED:
                return found
        raise pickle.UnpicklingError(f"{module}.{name} does not belong there")


_ALLOWED = {
    ("torch", "Size"),
    ("torch", "device"),
    ("torch.serialization", "_get_layout"),
    ("pathlib", "PosixPath"),
    ("collections", "OrderedDict"),
    *(("torch", name) for name in ("float32", "float64", "bfloat16", "float16", "int64", "int32")),
}
