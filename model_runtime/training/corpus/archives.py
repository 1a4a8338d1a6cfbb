"""Reads wheels and sdists: packages as an index holds them."""

from __future__ import annotations

import re
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from model_runtime.training.corpus.licences import Verdict, classify_package
from model_runtime.training.corpus.source import (
    MAX_FILE_BYTES,
    MAX_LICENCE_BYTES,
    Opened,
    Share,
    SourceFile,
)
from model_runtime.training.recipe import CorpusRecipe

_WHEEL_METADATA = re.compile(r"[^/]+\.dist-info/METADATA")
_WHEEL_LICENCE = re.compile(r"[^/]+\.dist-info/.*(LICEN|COPYING)[^/]*", re.IGNORECASE)
_SDIST_METADATA = re.compile(r"[^/]+/PKG-INFO")
_SDIST_LICENCE = re.compile(r"[^/]+/(LICEN[SC]E|COPYING)[^/]*", re.IGNORECASE)


Members = Iterator[tuple[str, int, IO[bytes]]]
"""Path, size in bytes and open file of each member, in order."""


@dataclass(frozen=True)
class Wheel:
    """A `.whl` (PEP 427)."""

    path: Path
    name: str
    version: str
    is_shared = False

    def open(self, recipe: CorpusRecipe, share: Share) -> Opened:
        """Reads the package as `CorpusSource.open` says."""
        verdict = _verdict(_zipped(self.path), _WHEEL_METADATA, _WHEEL_LICENCE, recipe)
        return verdict, _files(_zipped(self.path), recipe, self.name, self.version, verdict, 0)


@dataclass(frozen=True)
class Sdist:
    """A `.tar.gz` or `.zip` of sources (PEP 643); its paths lose the top folder."""

    path: Path
    name: str
    version: str
    is_shared = False

    def open(self, recipe: CorpusRecipe, share: Share) -> Opened:
        """Reads the package as `CorpusSource.open` says."""
        members = _zipped if self.path.suffix == ".zip" else _tarred
        # Twice from the start: what says the licence may stand behind the code.
        verdict = _verdict(members(self.path), _SDIST_METADATA, _SDIST_LICENCE, recipe)
        return verdict, _files(members(self.path), recipe, self.name, self.version, verdict, 1)


def _zipped(path: Path) -> Members:
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if not entry.is_dir():
                with archive.open(entry) as file:
                    yield entry.filename, entry.file_size, file


def _tarred(path: Path) -> Members:
    with tarfile.open(path) as archive:
        for entry in archive:
            file = archive.extractfile(entry) if entry.isreg() else None
            if file is not None:
                with file:
                    yield entry.name, entry.size, file


def _verdict(
    members: Members,
    metadata_name: re.Pattern[str],
    licence_name: re.Pattern[str],
    recipe: CorpusRecipe,
) -> Verdict:
    metadata, licences = "", {}
    for name, _, file in members:
        if metadata_name.fullmatch(name):
            metadata = file.read(MAX_LICENCE_BYTES).decode("utf-8", "replace")
        elif licence_name.fullmatch(name):
            licences[name] = file.read(4000).decode("utf-8", "replace")
    return classify_package(
        metadata, [licences[name] for name in sorted(licences)], recipe.licences
    )


def _files(
    members: Members,
    recipe: CorpusRecipe,
    package: str,
    version: str,
    verdict: Verdict,
    dropped_folders: int,
) -> Iterator[SourceFile]:
    for name, size, file in members:
        if name.endswith(recipe.suffixes) and size < MAX_FILE_BYTES:
            path = name.split("/", dropped_folders)[-1]
            # A header may lie about the size.
            yield SourceFile(path, file.read(MAX_FILE_BYTES), package, version, verdict)
