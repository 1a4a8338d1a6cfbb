"""Adds models: from a folder, a .gguf file, or a repository of the Hugging Face hub.

Each becomes a bundle in the user's models folder, in place of an earlier one of its name, whole or
not at all.
"""

from __future__ import annotations

import re
from dataclasses import replace
from os.path import isdir, isfile  # unlike those of Path, false also for impossible paths
from pathlib import Path
from typing import TYPE_CHECKING

from model_runtime.errors import ConversionError, shown
from model_runtime.models.bundle import MANIFEST
from model_runtime.progress import OnStep, ignore_step
from model_runtime.prompt.orders import Order
from model_runtime.store import installed
from model_runtime.store.bundle_copy import copy_bundle
from model_runtime.store.names import MODEL_NAME, path_of

if TYPE_CHECKING:
    from model_runtime.importers.huggingface import ConversionReport

GGUF = ".gguf"

_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


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
    installed.sweep_leftovers()
    folder = path_of(str(source), ConversionError)
    chosen = name or (folder.stem if folder.suffix == GGUF else folder.resolve().name)
    if not MODEL_NAME.fullmatch(chosen) or chosen == installed.DEFAULT:
        raise ConversionError(
            f"{shown(chosen)} cannot be the name of an added model; give one with --name, of "
            "letters, digits, dots, dashes and underscores"
        )
    target = installed.models_folder() / chosen
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
