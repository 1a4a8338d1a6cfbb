"""Finds the models of this machine by name, and lists them.  A name means the first of these:

default                     shipped inside the package
<user data>/fim-lsp/models  what `adding.add_model` has put there, one bundle per folder
installed pip packages      what `packages` finds among them
any path                    a bundle somewhere else; a name is never taken for a path
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from os.path import isdir, isfile  # unlike those of Path, false also for impossible paths
from pathlib import Path

from platformdirs import user_cache_path, user_data_path

from model_runtime.errors import (
    BundleError,
    ConversionError,
    ModelNotFound,
    ModelRuntimeError,
)
from model_runtime.files import size_of_folder, sweep
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
from model_runtime.store.packages import PackagedModel, packaged_models


class Origin(str, Enum):
    """Tells where a model came from, as people read it."""

    BUILT_IN = "built in"
    ADDED = "added"
    PACKAGE = "package"


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model on this machine that has a name."""

    name: str
    """Name by which `find` knows it."""
    path: Path
    manifest: Manifest | None
    """None if it cannot be used."""
    origin: Origin
    bytes: int
    """Bytes of the bundle's files, those in other packages among them."""
    problem: str = ""
    """Reason why it cannot be used, in one sentence; else empty."""
    note: str = ""
    """One sentence on other models of this name, which are not used; else empty."""
    package: PackagedModel | None = None
    """Packages that it came in; None for others."""


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
    found = {name: _entry(name, path, Origin.BUILT_IN) for name, path in folders.items()}
    found |= {path.name: _entry(path.name, path, Origin.ADDED) for path in added_folders()}
    for name, model in packaged_models().items():
        if (first := found.get(name)) is not None:
            note = f"{model.package.name} brings a model {name}, too, which this one hides"
            found[name] = replace(first, note=note)
        else:
            found[name] = _packaged_entry(model)
    return list(found.values())


def find(name_or_path: str) -> ModelBundle:
    """Opens a model by name ("default", or as it was added) or by the path of its folder.

    A path has a separator or begins with ~: "./mine", not "mine".

    Raises:
        ModelNotFound: there is none; the message lists those that there are.
        BundleError: it is there but cannot be used.
    """
    if MODEL_NAME.fullmatch(name_or_path) and not isdir(models_folder() / name_or_path):
        sweep(models_folder())  # a process may have been killed while it replaced this model
    return ModelBundle.open(_locate(name_or_path))


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


def added_folders() -> list[Path]:
    """Returns the folders of the added models, in alphabetical order."""
    try:
        entries = sorted(models_folder().iterdir())
    except OSError:
        return []
    return [path for path in entries if path.is_dir() and not path.name.startswith(".")]


def _entry(name: str, path: Path, origin: Origin) -> ModelEntry:
    try:
        bundle = ModelBundle.open(path)
    except ModelRuntimeError as error:
        return ModelEntry(name, path, None, origin, size_of_folder(path), str(error))
    elsewhere = (file.path for file in bundle.weights_files if file.path.parent != path)
    size = size_of_folder(path) + sum(file.stat().st_size for file in elsewhere)
    return ModelEntry(name, path, bundle.manifest, origin, size)


def _packaged_entry(model: PackagedModel) -> ModelEntry:
    if model.problem:
        entry = ModelEntry(
            model.name, model.folder, None, Origin.PACKAGE, 0, model.problem, model.note
        )
    else:
        entry = replace(_entry(model.name, model.folder, Origin.PACKAGE), note=model.note)
    return replace(entry, package=model)


def _locate(name_or_path: str) -> Path:
    if name_or_path == DEFAULT and default_folder().is_dir():
        return default_folder()
    if MODEL_NAME.fullmatch(name_or_path) and isdir(models_folder() / name_or_path):
        return models_folder() / name_or_path
    packaged = {} if is_path(name_or_path) else packaged_models()
    if (model := packaged.get(name_or_path)) is not None:
        if model.problem:
            raise BundleError(model.problem)
        return model.folder
    path = path_of(name_or_path, ModelNotFound)
    if is_path(name_or_path) and isfile(path / MANIFEST):
        return path
    if is_path(name_or_path) and isfile(path / "config.json"):
        raise ModelNotFound(
            f"{path} is a Hugging Face folder, not a bundle; add it with: "
            f"fim-runtime models add {path}"
        )
    known = [DEFAULT] if default_folder().is_dir() else []
    known += [added.name for added in added_folders()]
    known += [name for name in packaged if name not in known]
    there_are = f"there are: {', '.join(known)}" if known else "there is none on this machine"
    what = "path" if is_path(name_or_path) else "name"
    raise ModelNotFound(
        f"no model has the {what} {name_or_path!r}; {there_are}; a folder is named by its path, as "
        "in ./mine or ~/mine"
    )
