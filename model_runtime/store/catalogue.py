"""Finds the models of this machine by name, lists them, adds and removes some.

default                     shipped inside the package
<user data>/fim-lsp/models  what `add_model` has put there, one bundle per folder
any path                    a bundle somewhere else; a name is never taken for a path
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, replace
from os.path import isdir, isfile  # unlike those of Path, false also for impossible paths
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_cache_path, user_data_path

from model_runtime.errors import (
    BundleError,
    ConversionError,
    ModelNotFound,
    ModelRuntimeError,
    shown,
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
from model_runtime.progress import OnStep, ignore_step
from model_runtime.prompt.orders import Order
from model_runtime.store.bundle_copy import copy_bundle
from model_runtime.store.names import is_path

if TYPE_CHECKING:
    from model_runtime.importers.huggingface import ConversionReport

DEFAULT = "default"
GGUF = ".gguf"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


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


def list_models() -> list[ModelEntry]:
    """Returns every model that has a name, the default first, unusable ones with their problem.

    What killed processes have left of models is removed.
    """
    _sweep()
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


def add_model(
    source: str | Path,
    *,
    name: str | None = None,
    quantization: str = "int8",
    order: Order | str | None = None,
    prompt_format: str | None = None,
    progress: OnStep = ignore_step,
) -> ConversionReport:
    """Puts a model into the user's models folder, in place of an earlier one of that name.

    Args:
        source: a Hugging Face folder, a bundle's folder, a .gguf file, or ORG/NAME on the Hugging
            Face hub, which is downloaded once.
        name: under which to find it; by default the last part of `source`.
        quantization: "int8", "float16" or "float32"; a bundle stays as it is.
        order: of the parts of a prompt, where the folder itself does not say.
        prompt_format: name of a published format, in place of `order`.
        progress: called with a sentence at each step.

    Raises:
        ConversionError: it cannot be read, or nothing says how to prompt it, or the hub cannot be
            reached.
    """
    _sweep()
    folder = _path(str(source), ConversionError)
    chosen = name or (folder.stem if folder.suffix == GGUF else folder.resolve().name)
    if not _NAME.fullmatch(chosen) or chosen == DEFAULT:
        raise ConversionError(
            f"{shown(chosen)} cannot be the name of an added model; give one with --name, of "
            "letters, digits, dots, dashes and underscores"
        )
    target = models_folder() / chosen
    if isfile(folder / MANIFEST):
        return copy_bundle(folder, target, chosen)
    if isdir(folder):
        return _converted(folder, target, quantization, order, prompt_format, progress)
    if isfile(folder):
        return _from_gguf(folder, target, quantization, order, prompt_format, progress)
    if not _REPOSITORY.fullmatch(str(source)):
        raise ConversionError(
            f"{source} is no folder, no .gguf file, and no ORG/NAME of a model on the Hugging Face "
            "hub"
        )

    from model_runtime.store.hub import fetched  # huggingface_hub is slow to import

    with fetched(str(source), progress) as folder:
        return _converted(folder, target, quantization, order, prompt_format, progress)


def _converted(
    source: Path,
    target: Path,
    quantization: str,
    order: Order | str | None,
    prompt_format: str | None,
    progress: OnStep,
) -> ConversionReport:
    from model_runtime.importers.huggingface import convert_folder  # slow to import

    report = convert_folder(
        source,
        target,
        name=target.name,
        quantization=quantization,
        order=order,
        prompt_format=prompt_format,
        progress=progress,
    )
    return _with_measured_hole(report, progress)


def _from_gguf(
    source: Path,
    target: Path,
    quantization: str,
    order: Order | str | None,
    prompt_format: str | None,
    progress: OnStep,
) -> ConversionReport:
    from model_runtime.importers.gguf import convert_gguf

    report = convert_gguf(
        source,
        target,
        name=target.name,
        quantization=quantization,
        order=order,
        prompt_format=prompt_format,
        progress=progress,
    )
    return _with_measured_hole(report, progress)


def _with_measured_hole(report: ConversionReport, progress: OnStep) -> ConversionReport:
    """Measures where holes should begin if the source does not say it."""
    from model_runtime.store.hole_probe import choose_hole_start  # slow to import

    if report.hole_start is not None:
        return report
    progress("measuring where holes should begin")
    return replace(report, hole_start=choose_hole_start(report.path))


def remove_model(name: str) -> Path:
    """Deletes an added model; returns the folder that it was in.

    Raises:
        ModelNotFound: no added model has the name; the one inside the package cannot be removed.
        ConversionError: its files cannot be deleted.
    """
    folder = models_folder() / name
    if not _NAME.fullmatch(name) or not isdir(folder):
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


def _path(written: str, error: type[ModelRuntimeError]) -> Path:
    try:
        path = Path(written).expanduser()
        path.resolve()
    except (OSError, RuntimeError, ValueError) as cause:  # ~name of nobody, a null character
        raise error(f"{shown(written)} cannot be a path here ({cause})") from cause
    return path


def _sweep() -> None:
    cache = user_cache_path("fim-lsp", appauthor=False)
    for parent in (models_folder(), cache, cache / "derived"):
        sweep(parent)


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
    if _NAME.fullmatch(name_or_path) and isdir(models_folder() / name_or_path):
        return models_folder() / name_or_path
    path = _path(name_or_path, ModelNotFound)
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
