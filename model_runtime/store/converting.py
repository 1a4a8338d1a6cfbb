"""Makes a bundle of what lies on this machine, and notes where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from os.path import isdir, isfile  # unlike those of Path, false also for impossible paths
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_runtime.errors import CatalogueError
from model_runtime.models.bundle import MANIFEST, ModelBundle, write_manifest
from model_runtime.models.manifest import NO_WEIGHTS
from model_runtime.progress import OnStep
from model_runtime.prompt.format import HoleStart
from model_runtime.store.bundle_copy import copy_bundle
from model_runtime.store.options import AddOptions

if TYPE_CHECKING:
    from model_runtime.catalogue.entries import CatalogueModel
    from model_runtime.importers.fim_config import FimConfig
    from model_runtime.importers.huggingface import ConversionReport, Examined
    from model_runtime.models.calibration import Calibration
    from model_runtime.models.manifest import Manifest

ORIGIN = "origin"
"""Entry of a manifest's `training` that says which files a model was made of."""


def convert(
    source: Path,
    target: Path,
    options: AddOptions,
    progress: OnStep,
    origin: Mapping[str, str] | None = None,
    license: str = "",
) -> ConversionReport:
    """Writes the bundle of a folder, a bundle or a .gguf file to `target`, whole or not at all.

    Args:
        source: the folder or file.
        target: the folder to make.
        options: what the source leaves open.
        progress: called with a sentence at each step.
        origin: repository, revision, file and hash that it was fetched from.
        license: of the model, where its source is not to be asked.

    Raises:
        ModelRuntimeError: it cannot be read, or nothing says how to prompt it.
    """
    if isfile(source / MANIFEST):
        return copy_bundle(source, target, target.name)
    if origin is None and isfile(source) and (model := _published(source)) is not None:
        license = license or model.license
        origin = origin_entry(
            model.repository, model.revision, model.file, model.sha256, options.quantization
        )
    settings: dict[str, Any] = {
        "name": target.name,
        "quantization": options.quantization,
        "order": options.order,
        "prompt_format": options.prompt_format,
        "progress": progress,
        "examine": lambda folder, fim: _examined(folder, fim, options, progress, origin, license),
    }
    if isdir(source):
        from model_runtime.importers.huggingface import convert_folder  # slow to import

        return convert_folder(source, target, **settings)
    from model_runtime.importers.gguf import convert_gguf

    return convert_gguf(source, target, **settings)


def origin_entry(
    repository: str, revision: str, file: str, sha256: str, quantization: str
) -> Mapping[str, str]:
    """Returns what is noted of a model's origin; an empty `file` means the whole repository."""
    return {
        "repository": repository,
        "revision": revision,
        "file": file,
        "sha256": sha256,
        "quantization": quantization,
    }


def origin_of(bundle: ModelBundle) -> Mapping[str, Any]:
    """Returns what `convert` has noted of a bundle's origin; empty where there is nothing."""
    origin = bundle.manifest.training.get(ORIGIN)
    return origin if isinstance(origin, Mapping) else {}


def _examined(
    folder: Path,
    fim: FimConfig,
    options: AddOptions,
    progress: OnStep,
    origin: Mapping[str, str] | None,
    license: str,
) -> Examined:
    """Lets the model prove its format, where its weights are here, and notes the origin."""
    from model_runtime.importers.huggingface import Examined  # slow to import

    if options.quantization == NO_WEIGHTS:
        unproven = "the prompt format is not proven, for that takes the weights"
        notes = () if fim.is_declared else (unproven,)
        found = Examined(fim.source, fim.hole_start or HoleStart.CURSOR, notes)
    else:
        from model_runtime.store.examination import examined

        found = examined(folder, fim, force=options.force, progress=progress)
    if origin is not None:
        manifest = ModelBundle.open(folder).manifest
        noted = replace(
            manifest,
            license=license or manifest.license,
            training={**manifest.training, ORIGIN: dict(origin)},
            calibration=manifest.calibration or _calibration(manifest, origin.get("sha256", "")),
        )
        write_manifest(folder, noted.to_json())
    return found


def _published(file: Path) -> CatalogueModel | None:
    """Returns the catalogue's model whose file this is, whatever its name."""
    from model_runtime.catalogue.entries import model_of_file

    try:
        return model_of_file(file)
    except (CatalogueError, OSError):
        return None  # reading the file, or the catalogue, says so by itself


def _calibration(manifest: Manifest, sha256: str) -> Calibration | None:
    """Returns the table measured with the same file as int8, asked in the same form, or None."""
    from model_runtime.catalogue.entries import catalogue

    try:
        models = [
            one
            for one in catalogue()
            if sha256 and one.sha256 == sha256 and one.calibrated_form == manifest.prompt.form_name
        ]
    except CatalogueError:
        return None
    return models[0].calibration if models and manifest.weights.dtype == "int8" else None
