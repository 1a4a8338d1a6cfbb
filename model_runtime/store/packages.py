"""Finds models among the pip packages that are installed beside this program.

A package is a model if it has an entry point of the group `fim_lsp.models`:

    [fim_lsp.models]
    mine = fim_lsp_model_mine       the model's name, and the folder with its bundle

Nothing of a package is imported: its metadata and its list of files say all that is needed.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.metadata import (
    Distribution,
    EntryPoint,
    PackageNotFoundError,
    distributions,
    version,
)
from pathlib import Path

from model_runtime.errors import BundleError, shown
from model_runtime.models.bundle_files import (
    ENTRY_POINTS,
    MANIFEST,
    Package,
    PackageFacts,
    package_facts,
)
from model_runtime.store.names import AUTO, DEFAULT, MODEL_NAME

logger = logging.getLogger(__name__)

_FOLDER = re.compile(r"\w+(\.\w+)*")


@dataclass(frozen=True, slots=True)
class PackagedModel:
    """A model that an installed package brings."""

    name: str
    folder: Path
    """The bundle's folder; where there is none, the one that packages are installed into."""
    package: Package
    uninstall: tuple[str, ...]
    """Names of all packages that belong to the model."""
    problem: str = ""
    """Reason why it cannot be used, in one sentence; else empty."""
    note: str = ""
    """One sentence on what is odd, though the model can be used; else empty."""


def packaged_models() -> dict[str, PackagedModel]:
    """Returns the models of installed packages by name, in alphabetical order."""
    found: dict[str, PackagedModel] = {}
    for model in _models():
        first = found.setdefault(model.name, model)
        if first is model:
            continue
        if first.package.name == model.package.name:  # Python, too, takes the first of its path
            note = (
                f"{model.package.requirement} is installed as well, in {model.folder.parent}, and "
                f"{first.package.version} in {first.folder.parent} is used; remove one with: pip "
                f"uninstall {first.package.name}"
            )
            found[model.name] = replace(first, note=note)
        else:
            problem = (
                f"the packages {first.package.name} and {model.package.name} both bring a model "
                f"{model.name}; remove one with: pip uninstall {model.package.name}"
            )
            found[model.name] = replace(first, problem=problem)
    return dict(sorted(found.items()))


def _models() -> Iterator[PackagedModel]:
    for distribution in distributions():
        try:
            points = [one for one in distribution.entry_points if one.group == ENTRY_POINTS]
            if points:
                told = distribution.metadata
                package = Package(str(told["Name"]), str(told["Version"]))
        except (OSError, ValueError, KeyError) as error:  # metadata that no installer has written
            logger.debug("the metadata of an installed package cannot be read: %r", error)
            continue
        for point in points:
            yield _model(distribution, point, package)


def _model(distribution: Distribution, point: EntryPoint, package: Package) -> PackagedModel:
    folder = _bundle_folder(distribution, point.value)
    model = PackagedModel(
        point.name,
        folder or Path(str(distribution.locate_file(""))),
        package,
        (package.name,),
    )
    if not MODEL_NAME.fullmatch(point.name) or point.name in (AUTO, DEFAULT):
        problem = f"{shown(point.name)}, as {package.name} calls its model, is no name of a model"
        return replace(model, problem=problem)
    if folder is None:
        return replace(
            model,
            problem=f"{package.name} has no bundle in a folder {shown(point.value)}; "
            f"{package.reinstall}",
        )
    try:
        facts = package_facts(folder)
    except BundleError as error:
        return replace(model, problem=str(error))
    if facts is None:
        return model
    names = tuple(one.name for one in facts.packages)
    return replace(model, uninstall=names, problem=_incompleteness(facts))


def _bundle_folder(distribution: Distribution, value: str) -> Path | None:
    """Returns the folder that an entry point names; None where the package has none such."""
    if not _FOLDER.fullmatch(value):
        return None
    wanted = f"{value.replace('.', '/')}/{MANIFEST}"
    files = distribution.files
    # Packages of a Linux distribution have no list of files.
    if files is not None and not any(file.as_posix() == wanted for file in files):
        return None
    manifest = Path(str(distribution.locate_file(wanted)))
    return manifest.parent if manifest.is_file() else None


def _incompleteness(facts: PackageFacts) -> str:
    """Returns which part is not installed as it should be, in one sentence; else empty."""
    problems = [problem for part in facts.parts if (problem := _problem(part.package))]
    if not problems:
        return ""
    more = f", and {len(problems) - 1} more of its parts" if len(problems) > 1 else ""
    own = facts.package
    return (
        f"{own.name} is not complete: {problems[0]}{more}; mend it with: pip install "
        f"{own.requirement}"
    )


def _problem(package: Package) -> str:
    try:
        installed = version(package.name)
    except PackageNotFoundError:
        return f"{package.name} is not installed"
    if installed == package.version:
        return ""
    return f"{package.name} is there in version {installed} in place of {package.version}"
