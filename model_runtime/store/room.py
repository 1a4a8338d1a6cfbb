"""Tells before a download whether disk and memory have room for a model."""

from __future__ import annotations

from pathlib import Path

from model_runtime.catalogue.entries import CatalogueModel
from model_runtime.errors import ConversionError
from model_runtime.models.manifest import NO_WEIGHTS

_BYTES_PER_WEIGHT = {"int8": 1.03, "float16": 2.0, "float32": 4.0, NO_WEIGHTS: 0.0}
"""Size of a bundle, by its number type; int8 has a scale for each row."""
_GROWTH = 2.0
"""Growth of a GGUF file of four bits that becomes int8."""


def bundle_bytes(
    download_bytes: int, quantization: str, model: CatalogueModel | None, *, is_gguf: bool
) -> int:
    """Returns about how many bytes a bundle will have.

    Args:
        download_bytes: of the files that it is made of.
        quantization: of the bundle.
        model: its row in the catalogue, where it has one.
        is_gguf: whether it is made of a .gguf file, whose weights may be smaller than its own.
    """
    if model is not None or quantization == NO_WEIGHTS:
        parameters = 0 if model is None else model.parameters
        return int(parameters * _BYTES_PER_WEIGHT.get(quantization, 4.0))
    return int(download_bytes * (_GROWTH if is_gguf else 1.0))


def check_memory(title: str, needed: int) -> None:
    """Checks that a model could be run here.

    Raises:
        ConversionError: it needs more memory than this machine has.
    """
    from model_runtime.memory import total_memory

    total = total_memory()
    if needed > total:
        raise ConversionError(
            f"{title} needs about {needed / 1e9:.1f} GB of memory and this machine has "
            f"{total / 1e9:.1f}; choose a smaller one from `fim-runtime models available`, or "
            "insist with --force"
        )


def check_disk(needs: dict[Path, int]) -> None:
    """Checks that there is room for files.

    Args:
        needs: folder to bytes that will be written there; folders may lie on the same disk.

    Raises:
        ConversionError: a disk has too little.
    """
    from model_runtime.memory import free_disk

    by_disk: dict[int, tuple[Path, int]] = {}
    for folder, needed in needs.items():
        device = _existing(folder).stat().st_dev
        first, before = by_disk.get(device, (folder, 0))
        by_disk[device] = (first, before + needed)
    for folder, needed in by_disk.values():
        free = free_disk(folder)
        if needed > free:
            raise ConversionError(
                f"{folder} needs room for {needed / 1e6:,.0f} MB and its disk has "
                f"{free / 1e6:,.0f} MB left; free some and run the same command again"
            )


def _existing(folder: Path) -> Path:
    folder = folder.absolute()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder
