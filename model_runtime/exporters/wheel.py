"""Writes a bundle as wheels, so that it can go where there is a package index and no model hub.

    fim_lsp_model_mine-1.0-py3-none-any.whl          depends on all parts; holds the bundle's folder
    fim_lsp_model_mine_part1-1.0-py3-none-any.whl    holds the first 95 MB of the weights
    ...

A model that fits into one wheel has no parts.  The wheels hold data alone: an entry point names the
folder, and nothing of it is ever imported.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.metadata import RawMetadata
from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

from model_runtime.errors import WheelError, shown
from model_runtime.exporters.wheel_archive import WheelArchive, WheelContent, wheel_archive
from model_runtime.files import working_folder
from model_runtime.models import schema
from model_runtime.models.bundle import FOR_PEOPLE, MANIFEST, TOKENIZER, WEIGHTS, ModelBundle
from model_runtime.models.bundle_files import (
    ENTRY_POINTS,
    PACKAGES,
    WEIGHTS_PART,
    Package,
    PackageFacts,
    WeightsPart,
)
from model_runtime.models.mapped_files import MappedFiles
from model_runtime.progress import advance, step

MAX_PART_BYTES = 95_000_000
"""Bytes of weights in one wheel; package indexes take files of 100 MB."""

_BLOCK = 1 << 20
_ALIGNMENT = 64
"""Bytes of which each part is a multiple, so that numbers lie where processors like them."""


@dataclass(frozen=True, slots=True)
class WheelOptions:
    """Says how the packages of a model are named and cut."""

    model: str
    """Name by which those who install the packages find the model."""
    distribution: str = ""
    """Name of the package; by default fim-lsp-model-MODEL."""
    version: str = "1.0"
    part_bytes: int = MAX_PART_BYTES
    """Most bytes of weights in one wheel."""


@dataclass(frozen=True, slots=True)
class WheelReport:
    """Says what was written."""

    files: tuple[Path, ...]
    """The wheels; the last one is to be installed, and brings the others."""
    package: Package
    bytes: int


def write_wheels(bundle: ModelBundle, out: Path, options: WheelOptions) -> WheelReport:
    """Writes the wheels of a bundle into a folder, all of them or none.

    Raises:
        BundleError: the weights are damaged.
        WheelError: a name or version cannot be that of a package, or the disk is too full.
    """
    package = _package(options)
    bundle.verify_weights()
    files = MappedFiles([stored.path for stored in bundle.weights_files])
    try:
        _check_disk(out, len(files))
        with (
            working_folder(out, package.name) as work,
            step(f"writing wheels of {options.model}"),
        ):
            made = _written(work, bundle, files, package, options)
            for path in made:
                path.replace(out / path.name)
    except OSError as error:
        raise WheelError(f"wheels cannot be written to {out} ({error.strerror})") from error
    placed = tuple(out / path.name for path in made)
    return WheelReport(placed, package, sum(path.stat().st_size for path in placed))


def _package(options: WheelOptions) -> Package:
    name = options.distribution or f"fim-lsp-model-{options.model}"
    try:
        return Package(canonicalize_name(name, validate=True), str(Version(options.version)))
    except InvalidName as error:
        raise WheelError(
            f"{shown(name)} cannot be the name of a package; use letters, digits and dashes"
        ) from error
    except InvalidVersion as error:
        raise WheelError(
            f"{shown(options.version)} is no version of a package; write it as in 1.0 or 1.2.3"
        ) from error


def _check_disk(out: Path, size: int) -> None:
    there = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    free = shutil.disk_usage(there).free
    if free < size:
        raise WheelError(
            f"the wheels need {size / 1e6:,.0f} MB, and {there} has {free / 1e6:,.0f} MB free; "
            "name a folder on another disk"
        )


def _written(
    work: Path, bundle: ModelBundle, files: MappedFiles, package: Package, options: WheelOptions
) -> list[Path]:
    """Writes all wheels; returns their paths, that of the one with the bundle's folder last."""
    license_ = _license_expression(bundle.manifest.license)
    spans = _spans(len(files), options.part_bytes)
    parts, made = [], []
    for number, (start, end) in enumerate(spans if len(spans) > 1 else [], 1):
        own = Package(f"{package.name}-part{number}", package.version)
        summary = (
            f"Part {number} of {len(spans)} of the weights of the model {options.model}, which "
            f"{package.name} brings"
        )
        content = WheelContent(_metadata(own, summary, license_))
        with wheel_archive(work, content) as wheel:
            blocks = _blocks(files, start, end)
            written = wheel.add(f"{_folder(own)}/{WEIGHTS_PART}", blocks)
        parts.append(WeightsPart(written.sha256, written.size, _folder(own), own))
        made.append(work / content.file_name)
    content = _whole(bundle, package, options.model, license_, parts)
    with wheel_archive(work, content) as wheel:
        _add_bundle(wheel, bundle, PackageFacts(package, tuple(parts)), options.model)
        if not parts:
            wheel.add(f"{_folder(package)}/{WEIGHTS}", _blocks(files, 0, len(files)))
    return [*made, work / content.file_name]


def _spans(size: int, most: int) -> list[tuple[int, int]]:
    stride = max(_ALIGNMENT, most - most % _ALIGNMENT)
    return [(start, min(start + stride, size)) for start in range(0, size, stride)]


def _blocks(files: MappedFiles, start: int, end: int) -> Iterator[bytes]:
    for place in range(start, end, _BLOCK):
        yield files.part(place, min(place + _BLOCK, end)).tobytes()
        files.let_pages_go()
        advance(place / len(files))


def _folder(package: Package) -> str:
    return package.name.replace("-", "_")


def _whole(
    bundle: ModelBundle, package: Package, model: str, license_: str, parts: list[WeightsPart]
) -> WheelContent:
    """Describes the wheel that is installed by name."""
    metadata = _metadata(package, f"The model {model}, with which fim-lsp completes code", license_)
    if parts:
        metadata["requires_dist"] = [part.package.requirement for part in parts]
    texts = {"entry_points.txt": f"[{ENTRY_POINTS}]\n{model} = {_folder(package)}\n".encode()}
    card, license_file = bundle.path / "MODEL_CARD.md", bundle.path / "LICENSE"
    if card.is_file():
        text = card.read_text(encoding="utf-8", errors="replace")
        metadata["description"] = re.sub(r"\A---\n.*?\n---\n+", "", text, flags=re.DOTALL)
    if license_file.is_file():
        metadata["license_files"] = [license_file.name]
        texts[f"licenses/{license_file.name}"] = license_file.read_bytes()
    return WheelContent(metadata, texts)


def _add_bundle(wheel: WheelArchive, bundle: ModelBundle, facts: PackageFacts, model: str) -> None:
    """Adds the files of the bundle's folder but the weights."""
    folder = _folder(facts.package)
    manifest = replace(bundle.manifest, name=model).to_json()
    packages = json.dumps(schema.write(facts), indent=1) + "\n"
    wheel.add(f"{folder}/{MANIFEST}", [manifest.encode()])
    wheel.add(f"{folder}/{PACKAGES}", [packages.encode()])
    for name in (TOKENIZER, *FOR_PEOPLE):
        if (bundle.path / name).is_file():
            wheel.add(f"{folder}/{name}", [(bundle.path / name).read_bytes()])


def _metadata(package: Package, summary: str, license_: str) -> RawMetadata:
    metadata: RawMetadata = {
        "metadata_version": "2.4",
        "name": package.name,
        "version": package.version,
        "summary": summary,
        "description": f"{summary}.\n",
        "description_content_type": "text/markdown",
    }
    if license_:
        metadata["license_expression"] = license_
    return metadata


def _license_expression(told: str) -> str:
    """Returns a license as packages state it; empty where nobody said which one it is.

    >>> [_license_expression(told) for told in ("apache-2.0", "DeepSeek (model)", "unknown")]
    ['Apache-2.0', 'LicenseRef-DeepSeek-model', '']
    """
    try:
        return canonicalize_license_expression(told)
    except InvalidLicenseExpression:
        name = re.sub(r"[^A-Za-z0-9.]+", "-", told).strip("-")
        return f"LicenseRef-{name}" if name not in ("", "unknown") else ""
