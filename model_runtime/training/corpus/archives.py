"""Reads wheels and sdists: packages as an index holds them."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

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

MAX_UNPACKED_BYTES = 4 * 2**30
"""Bytes of an sdist without its compression; the largest on PyPI have a tenth."""

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
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                if not entry.is_dir():
                    with archive.open(entry) as file:
                        yield entry.filename, entry.file_size, file
    except (RuntimeError, IndexError) as error:
        # Encrypted, packed in a way that the library does not know, or with an empty name.
        raise zipfile.BadZipFile(f"{path.name}: {error}") from error


def _tarred(path: Path) -> Members:
    with (
        gzip.open(path) as unpacked,
        tarfile.open(fileobj=cast("IO[bytes]", _Bounded(unpacked)), mode="r:") as archive,
    ):
        for entry in archive:
            file = archive.extractfile(entry) if entry.isreg() else None
            if file is not None:
                with file:
                    yield entry.name, entry.size, file


class _Bounded(io.RawIOBase):
    """An unpacked file of which nobody reads more than is sensible, at a time or in all.

    A few megabytes of gzip become any number of gigabytes, and a header may ask for all of them.
    """

    def __init__(self, file: gzip.GzipFile) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        """Reads some bytes.

        Raises:
            tarfile.ReadError: these are too many.
        """
        if not 0 <= size <= MAX_FILE_BYTES:
            raise tarfile.ReadError(f"it asks for {size:,} bytes at a time")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Goes to a place.

        Raises:
            tarfile.ReadError: it is too far away.
        """
        if offset > MAX_UNPACKED_BYTES:
            raise tarfile.ReadError(f"it has more than {MAX_UNPACKED_BYTES:,} bytes unpacked")
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Returns the place."""
        return self._file.tell()


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
