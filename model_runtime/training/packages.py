"""Packages of source code: wheels, or folders of plain files."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from model_runtime.training.licences import Verdict, judge

LARGEST_READ = 2_000_000
"""Bytes; larger files are not even opened."""
_LICENCE_NAME = re.compile(r"LICEN[SC]E|COPYING", re.IGNORECASE)
_LICENCE_IN_WHEEL = re.compile(r"\.dist-info/.*(LICEN|COPYING)[^/]*$", re.IGNORECASE)


@dataclass(frozen=True)
class Package:
    """A wheel, or a folder of one package."""

    path: Path
    name: str
    version: str

    @property
    def age(self) -> tuple[str, list[int], str]:
        """Sorts by name, the newest version first."""
        numbers = [-int(number) for number in re.findall(r"\d+", self.version)[:4]]
        return self.name, numbers, str(self.path)

    def open(self) -> tuple[Verdict, Iterator[tuple[str, bytes]]]:
        """The licence verdict, and path and bytes of each Python file.

        Raises:
            OSError, zipfile.BadZipFile: it cannot be read.
        """
        return self._open_folder() if self.path.is_dir() else self._open_wheel()

    def _open_folder(self) -> tuple[Verdict, Iterator[tuple[str, bytes]]]:
        if self.name.startswith("cpython_"):
            verdict = Verdict("permissive", "standard library", "PSF-2.0")
        else:
            names = [entry for entry in self.path.iterdir() if _LICENCE_NAME.match(entry.name)]
            verdict = judge("", [entry.read_text("utf-8", "replace") for entry in sorted(names)])
        files = (
            (path.relative_to(self.path).as_posix(), path.read_bytes())
            for path in sorted(self.path.rglob("*.py"))
            if path.is_file() and not path.is_symlink() and "site-packages" not in path.parts
        )
        return verdict, files

    def _open_wheel(self) -> tuple[Verdict, Iterator[tuple[str, bytes]]]:
        archive = zipfile.ZipFile(self.path)
        metadata, texts = "", []
        for name in archive.namelist():
            if re.fullmatch(r"[^/]+\.dist-info/METADATA", name):
                metadata = archive.read(name).decode("utf-8", "replace")
            elif _LICENCE_IN_WHEEL.search(name):
                texts.append(archive.read(name)[:4000].decode("utf-8", "replace"))
        return judge(metadata, texts), _files_of(archive)


def _files_of(archive: zipfile.ZipFile) -> Iterator[tuple[str, bytes]]:
    with archive:
        for entry in archive.infolist():
            if entry.filename.endswith((".py", ".pyi")) and entry.file_size < LARGEST_READ:
                yield entry.filename, archive.read(entry)


def find_packages(roots: Iterable[Path]) -> list[Package]:
    """Wheels anywhere below the roots; a root without wheels is one package of plain files.

    Sorted so that the newest version of each package comes first.
    """
    found: dict[tuple[str, str, str], Package] = {}
    for root in roots:
        if not root.exists():
            raise FileNotFoundError(
                f"{root} is not there; name folders with wheels or with Python files"
            )
        wheels = sorted(root.rglob("*.whl")) if root.is_dir() else [root]
        for wheel in wheels:
            name, version = wheel.name.split("-")[:2]
            name = re.sub(r"[-_.]+", "_", name).lower()
            found.setdefault((name, version, wheel.name), Package(wheel, name, version))
        if not wheels:
            found[root.name.lower(), "", root.name] = _plain(root)
    return sorted(found.values(), key=lambda package: package.age)


def _plain(root: Path) -> Package:
    """A folder of plain files; a standard library is known by its name and `ast.py`."""
    match = re.fullmatch(r"python(\d[\d.]*)", root.name)
    if match and (root / "ast.py").exists():
        return Package(root, f"cpython_{match[1]}", match[1])
    return Package(root, root.name.lower(), "0")
