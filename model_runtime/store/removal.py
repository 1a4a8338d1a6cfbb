"""Removes models, with what engines have derived from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from model_runtime.engines.artifact_cache import forms_by_weights
from model_runtime.errors import ConversionError, ModelNotFound
from model_runtime.files import remove_folder, size_of_folder
from model_runtime.store import installed
from model_runtime.store.installed import ModelEntry, Origin
from model_runtime.store.names import MODEL_NAME


@dataclass(frozen=True, slots=True)
class Removal:
    """Says what was deleted, and what is left to do."""

    name: str
    folder: Path | None
    """The bundle's folder; None where it belongs to packages, which pip removes."""
    bundle_bytes: int
    """Bytes of the bundle that were freed."""
    cached_bytes: int
    """Bytes of engines' forms that were freed."""
    uninstall: tuple[str, ...] = ()
    """Names of the packages that pip must remove."""


def remove_model(name: str) -> Removal:
    """Deletes a model that was added, and what engines have derived from its weights.

    Of a model that came as packages only the latter is deleted: its files belong to pip.  What is
    derived from weights that another model has as well stays.

    Raises:
        ModelNotFound: no added or packaged model has the name; the one inside the program cannot
            be removed.
        ConversionError: its files cannot be deleted.
    """
    entries = installed.list_models()
    own = [entry for entry in entries if entry.origin is not Origin.BUILT_IN]
    entry = next((one for one in own if one.name == name), None)
    if entry is None or not MODEL_NAME.fullmatch(name):
        names = ", ".join(one.name for one in own) or "none"
        raise ModelNotFound(f"no added model has the name {name!r}; there are: {names}")
    if entry.package is not None:
        cached = _delete(_forms(entry, entries))
        return Removal(name, None, 0, cached, entry.package.uninstall)
    freed = _delete([entry.path])
    return Removal(name, entry.path, freed, _delete(_forms(entry, entries)))


def _forms(entry: ModelEntry, entries: Iterable[ModelEntry]) -> list[Path]:
    """Returns the folders of engines' forms that only this model uses."""
    if entry.manifest is None:
        return []
    weights = entry.manifest.weights.sha256
    others = (one.manifest for one in entries if one is not entry)
    if any(other is not None and other.weights.sha256 == weights for other in others):
        return []
    return forms_by_weights().get(weights, [])


def _delete(folders: Iterable[Path]) -> int:
    """Deletes folders; returns the bytes that they had."""
    freed = 0
    for folder in folders:
        size = size_of_folder(folder)
        try:
            remove_folder(folder)
        except OSError as error:
            raise ConversionError(f"{folder} cannot be deleted ({error.strerror})") from error
        freed += size
    return freed
