"""Finds the models of this machine by name, lists and removes them.

default                     shipped inside the package
<user data>/fim-lsp/models  what `adding.add_model` has put there, one bundle per folder
any path                    a bundle somewhere else; a name is never taken for a path
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from os.path import isdir, isfile  # unlike those of Path, false also for impossible paths
from pathlib import Path

from platformdirs import user_cache_path, user_data_path

from model_runtime.errors import (
    BundleError,
    ConversionError,
    ModelNotFound,
    ModelRuntimeError,
)
from model_runtime.files import sweep
from model_runtime.model_files import (
    UnusableFile,
    read_json,
)
from model_runtime.models.bundle import (
    MANIFEST,
    ModelBundle,
    write_manifest,
)
from model_runtime.models.manifest import Manifest, signed
from model_runtime.store.names import DEFAULT as DEFAULT
from model_runtime.store.names import MODEL_NAME, is_path, path_of


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model on this machine."""

    name: str
    """Name by which `find` knows it."""
    path: Path
    manifest: Manifest | None
    """None if it cannot be used."""
    problem: str = ""
    """Reason why it cannot be used, in one sentence; else empty."""


def default_folder() -> Path:
    """Returns the folder of the bundle inside the package."""
    return Path(__file__).parents[1] / "bundles" / DEFAULT


def models_folder() -> Path:
    """Returns the folder that added bundles are put into; it need not exist."""
    return user_data_path("fim-lsp", appauthor=False) / "models"


def sweep_leftovers() -> None:
    """Removes what killed processes have left of models and of artifacts."""
    cache = user_cache_path("fim-lsp", appauthor=False)
    for parent in (models_folder(), cache, cache / "derived"):
        sweep(parent)


def list_models() -> list[ModelEntry]:
    """Returns every model that has a name, the default first, unusable ones with their problem.

    What killed processes have left of models is removed.
    """
    sweep_leftovers()
    folders = {DEFAULT: default_folder()} if default_folder().is_dir() else {}
    folders |= {path.name: path for path in _added()}
    return [_entry(name, path) for name, path in folders.items()]


def find(name_or_path: str) -> ModelBundle:
    """Opens a model by name ("default", or as it was added) or by the path of its folder.

    A path has a separator or begins with ~: "./mine", not "mine".

    Raises:
        ModelNotFound: there is none; the message lists those that there are.
        BundleError: it is there but cannot be used.
    """
    return ModelBundle.open(_locate(name_or_path))


def remove_model(name: str) -> Path:
    """Deletes an added model; returns the folder that it was in.

    Raises:
        ModelNotFound: no added model has the name; the one inside the package cannot be removed.
        ConversionError: its files cannot be deleted.
    """
    folder = models_folder() / name
    if not MODEL_NAME.fullmatch(name) or not isdir(folder):
        names = ", ".join(added.name for added in _added()) or "none"
        raise ModelNotFound(f"no added model has the name {name!r}; there are: {names}")
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise ConversionError(f"{folder} cannot be deleted ({error.strerror})") from error
    return folder


def sign(name_or_path: str) -> Manifest:
    """Writes the hash of a manifest anew that its owner has changed by hand.

    Raises:
        ModelNotFound: there is no such model.
        BundleError: the changed manifest cannot be used; it stays as it is.
        ConversionError: it cannot be written.
    """
    path = _locate(name_or_path) / MANIFEST
    try:
        text = signed(read_json(path))
        manifest = Manifest.from_json(text)
        write_manifest(path.parent, text)
    except UnusableFile as error:
        raise BundleError(f"{path} cannot be used: {error}") from error
    except OSError as error:
        raise ConversionError(f"{path} cannot be written ({error.strerror})") from error
    return manifest


def _added() -> list[Path]:
    try:
        entries = sorted(models_folder().iterdir())
    except OSError:
        return []
    return [path for path in entries if path.is_dir() and not path.name.startswith(".")]


def _entry(name: str, path: Path) -> ModelEntry:
    try:
        return ModelEntry(name, path, ModelBundle.open(path).manifest)
    except ModelRuntimeError as error:
        return ModelEntry(name, path, None, str(error))


def _locate(name_or_path: str) -> Path:
    if name_or_path == DEFAULT and default_folder().is_dir():
        return default_folder()
    if MODEL_NAME.fullmatch(name_or_path) and isdir(models_folder() / name_or_path):
        return models_folder() / name_or_path
    path = path_of(name_or_path, ModelNotFound)
    if is_path(name_or_path) and isfile(path / MANIFEST):
        return path
    if is_path(name_or_path) and isfile(path / "config.json"):
        raise ModelNotFound(
            f"{path} is a Hugging Face folder, not a bundle; add it with: "
            f"fim-runtime models add {path}"
        )
    known = [DEFAULT] if default_folder().is_dir() else []
    known += [added.name for added in _added()]
    there_are = f"there are: {', '.join(known)}" if known else "there is none on this machine"
    what = "path" if is_path(name_or_path) else "name"
    raise ModelNotFound(
        f"no model has the {what} {name_or_path!r}; {there_are}; a folder is named by its path, as "
        "in ./mine or ~/mine"
    )
