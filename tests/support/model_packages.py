"""Models as packages: their wheels, and folders into which they are installed without pip."""

import importlib
import shutil
from pathlib import Path
from zipfile import ZipFile

from model_runtime.exporters.wheel import WheelOptions, WheelReport, write_wheels
from model_runtime.models.bundle import ModelBundle


def wheels_in_parts(
    bundle: ModelBundle, out: Path, *, model: str = "mine", version: str = "1.0", parts: int = 3
) -> WheelReport:
    """Writes the wheels of a bundle, with its weights in this many parts."""
    part_bytes = -(-bundle.manifest.weights.size // parts) + 64
    options = WheelOptions(model, f"acme-{model}", version, part_bytes)
    report = write_wheels(bundle, out, options)
    assert parts + (parts > 1) == len(report.files)
    return report


def install(wheel: Path, site: Path) -> None:
    """Unpacks a wheel of data into a folder that is on Python's path, as installers do."""
    with ZipFile(wheel) as archive:
        archive.extractall(site)
    importlib.invalidate_caches()


def uninstall(stem: str, site: Path) -> None:
    """Removes what a wheel of this name has brought."""
    for folder in site.glob(f"{stem}-*.dist-info"):
        shutil.rmtree(folder)
    shutil.rmtree(site / stem, ignore_errors=True)
    importlib.invalidate_caches()
