"""Writes one wheel of data: a zip file with METADATA, WHEEL and RECORD, as pip reads it.

The same content gives the same bytes everywhere: nothing is compressed, which weights would hardly
be and which differs between versions of zlib, and every entry has the same date.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from packaging.metadata import Metadata, RawMetadata, RFC822Message
from packaging.utils import canonicalize_name

from model_runtime.models.manifest import FileFacts

_WHEEL = """\
Wheel-Version: 1.0
Generator: fim-runtime
Root-Is-Purelib: true
Tag: py3-none-any
"""
_DATE = (1980, 1, 1, 0, 0, 0)
"""The first date that a zip file can state."""


@dataclass(frozen=True, slots=True)
class WheelContent:
    """Describes a distribution: all of its wheel but the folder with its files."""

    metadata: RawMetadata
    texts: dict[str, bytes] = field(default_factory=dict)
    """Further files of the .dist-info folder by name."""

    @property
    def stem(self) -> str:
        """Name and version as file names have them."""
        name = canonicalize_name(self.metadata["name"]).replace("-", "_")
        return f"{name}-{self.metadata['version']}"

    @property
    def file_name(self) -> str:
        """Name of the wheel."""
        return f"{self.stem}-py3-none-any.whl"


class WheelArchive:
    """A wheel that is being written."""

    def __init__(self, archive: ZipFile) -> None:
        self._archive = archive
        self._record: list[tuple[str, str, int | str]] = []

    def add(self, name: str, blocks: Iterable[bytes]) -> FileFacts:
        """Writes a file block by block; returns its hash and size."""
        digest, size = hashlib.sha256(), 0
        with self._archive.open(_entry(name), "w") as file:
            for block in blocks:
                file.write(block)
                digest.update(block)
                size += len(block)
        told = base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()
        self._record.append((name, f"sha256={told}", size))
        return FileFacts(digest.hexdigest(), size)

    def close(self, content: WheelContent) -> None:
        """Writes the .dist-info folder, its RECORD last."""
        folder = f"{content.stem}.dist-info"
        metadata = _metadata_file(content.metadata)
        for name, text in {
            **content.texts,
            "METADATA": metadata,
            "WHEEL": _WHEEL.encode(),
        }.items():
            self.add(f"{folder}/{name}", [text])
        record = f"{folder}/RECORD"
        self._record.append((record, "", ""))
        rows = io.StringIO()
        csv.writer(rows, lineterminator="\n").writerows(self._record)
        self._archive.writestr(_entry(record), rows.getvalue().encode())


@contextmanager
def wheel_archive(folder: Path, content: WheelContent) -> Iterator[WheelArchive]:
    """Makes a wheel in a folder; the block adds its files.

    Raises:
        packaging.metadata.InvalidMetadata: what describes it is not valid.
        OSError: it cannot be written.
    """
    with ZipFile(folder / content.file_name, "w", ZIP_STORED) as archive:
        wheel = WheelArchive(archive)
        yield wheel
        wheel.close(content)


def _metadata_file(metadata: RawMetadata) -> bytes:
    """Returns the checked text of METADATA."""
    checked = Metadata.from_raw(metadata).as_rfc822()
    written = RFC822Message()
    for name, value in checked.items():
        written[name.title()] = value  # twine looks for the names as the specification writes them
    written.set_payload(checked.get_payload())
    return written.as_bytes()


def _entry(name: str) -> ZipInfo:
    entry = ZipInfo(name, _DATE)
    entry.create_system = 3  # as on Unix, on every system
    entry.external_attr = (stat.S_IFREG | 0o644) << 16
    return entry
