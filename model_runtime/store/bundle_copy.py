"""Copies a bundle that lies somewhere else into the folder of models, under a new name."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from model_runtime.errors import (
    ConversionError,
)
from model_runtime.files import building, cannot_write, size_of_folder
from model_runtime.model_files import (
    MAX_JSON_BYTES,
    MAX_TEXT_BYTES,
    source_file,
)
from model_runtime.models.bundle import (
    FOR_PEOPLE,
    MANIFEST,
    TOKENIZER,
    WEIGHTS,
    ModelBundle,
)
from model_runtime.models.bundle_files import PACKAGES, StoredFile

if TYPE_CHECKING:
    from model_runtime.importers.huggingface import ConversionReport


def copy_bundle(source: Path, target: Path, name: str) -> ConversionReport:
    """Copies the files of a bundle, its weights into one file, and says what it is.

    Args:
        source: the bundle's folder.
        target: the folder to make, whole or not at all.
        name: the model's new name.

    Raises:
        BundleError: it cannot be used.
        ConversionError: the copy cannot be written.
    """
    started = time.perf_counter()
    files = _bundle_files(source)
    bundle = ModelBundle.open(source)
    for stored in bundle.weights_files:
        source_file(stored.path.parent, stored.path.name)
    if bundle.has_weights:
        bundle.open_weights()  # who writes hashes that fit may write a header that does not
    manifest = replace(bundle.manifest, name=name)
    try:
        with building(target) as folder:
            for file in files:
                shutil.copyfile(source / file, folder / file)
            if bundle.has_weights:
                _join(bundle.weights_files, folder / WEIGHTS)
            (folder / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
    except OSError as error:
        raise ConversionError(cannot_write(target, error)) from error
    return report_of(
        replace(bundle, path=target, manifest=manifest),
        "it was a bundle already; the files of a bundle were copied, and no others",
        seconds=time.perf_counter() - started,
    )


def report_of(
    bundle: ModelBundle, note: str, *, seconds: float = 0.0, is_new: bool = True
) -> ConversionReport:
    """Describes a bundle that was not converted, as `convert_folder` describes those that were.

    Args:
        bundle: as it lies in the folder of models.
        note: why nothing was converted, in one sentence.
        seconds: time that it took.
        is_new: False where it was there already.
    """
    from model_runtime.importers.huggingface import ConversionReport

    manifest = bundle.manifest
    size = size_of_folder(bundle.path)
    return ConversionReport(
        name=manifest.name,
        path=bundle.path,
        parameters=manifest.parameters,
        order=manifest.prompt.name,
        order_source="the bundle's manifest",
        position_embedding=manifest.decoder.position_kind,
        context_length=manifest.context_length,
        quantization=manifest.weights.dtype,
        source_bytes=size,
        bundle_bytes=size,
        seconds=seconds,
        notes=(note,),
        hole_start=manifest.prompt.hole_start,
        is_new=is_new,
    )


def _bundle_files(source: Path) -> list[str]:
    """Returns the names of the files to copy beside the weights; all else in a folder stays behind.

    Raises:
        ConversionError: one of them, or the weights, is a link, or no regular file, or far too
            large.
    """
    most = {
        MANIFEST: MAX_JSON_BYTES,
        PACKAGES: MAX_JSON_BYTES,
        **dict.fromkeys(FOR_PEOPLE, MAX_TEXT_BYTES),
    }
    names = (MANIFEST, PACKAGES, TOKENIZER, WEIGHTS, *FOR_PEOPLE)
    found = [name for name in names if source_file(source, name, most.get(name)) is not None]
    return [name for name in found if name not in (PACKAGES, WEIGHTS)]


def _join(files: Sequence[StoredFile], target: Path) -> None:
    with target.open("wb") as joined:
        for file in files:
            with file.path.open("rb") as part:
                shutil.copyfileobj(part, joined, 1 << 20)
