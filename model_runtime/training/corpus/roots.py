"""Finds the sources that the roots of a corpus name.

stdlib              the standard library of the Python that runs
hf:NAME?split=...   a Hugging Face data set, streamed; NAME may be a folder on this machine
a file              a wheel, an sdist, a jsonl(.gz, .zst) or parquet table
a folder            with Python files or a project file at its top: one package, of what git
                    tracks where it is a work tree;
                    else all wheels, sdists and tables below it;
                    else one package of plain files
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from model_runtime.training.corpus.archives import Sdist, Wheel
from model_runtime.training.corpus.folders import Folder, GitTree
from model_runtime.training.corpus.source import CorpusError, CorpusSource
from model_runtime.training.corpus.tables import HubDataset, Table

PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg")
TABLES = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet")
_SDIST = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)-(?P<version>\d[^-]*?)\.(tar\.gz|tgz|zip)")


def find_sources(roots: Iterable[str]) -> list[CorpusSource]:
    """Returns all sources that the roots name; the newest version of each package before older
    ones.

    Raises:
        CorpusError: a root is not there, or nothing of it can be read; says what it may be.
    """
    found: dict[tuple[str, ...], CorpusSource] = {}
    for root in roots:
        sources = list(_sources(root))
        if not sources:
            raise CorpusError(f"{root} holds nothing to read; {_MAY_BE}")
        for source in sources:
            found.setdefault(_identity(source), source)
    return sorted(found.values(), key=_order)


_MAY_BE = (
    "a root is a folder of Python files, of wheels, sdists or tables (.jsonl, .parquet), a git "
    "work tree, one such file, `stdlib`, or `hf:NAME` for a Hugging Face data set"
)


def _sources(root: str) -> Iterator[CorpusSource]:
    if root == "stdlib":
        yield Folder.standard_library()
        return
    if root.startswith("hf:"):
        try:
            yield HubDataset.parse(root.removeprefix("hf:"))
        except ValueError as error:
            raise CorpusError(f"{root}: {error}; write hf:NAME?split=train&limit=1000") from error
        return
    path = Path(os.path.expandvars(root)).expanduser()
    if path.is_file():
        source = _of_file(path)
        if source is None:
            raise CorpusError(f"{root} is none of the files that can be read; {_MAY_BE}")
        yield source
    elif path.is_dir():
        yield from _of_folder(path)
    else:
        raise CorpusError(f"{root} is not there; {_MAY_BE}")


def _of_file(path: Path) -> CorpusSource | None:
    if path.suffix == ".whl":
        name, version = path.name.split("-")[:2]
        return Wheel(path, _normal(name), version)
    if match := _SDIST.fullmatch(path.name):
        return Sdist(path, _normal(match["name"]), match["version"])
    if path.name.endswith(TABLES):
        return Table(path, path.name.split(".")[0])
    return None


def _of_folder(path: Path) -> Iterator[CorpusSource]:
    if (path / ".git").exists():
        yield GitTree.at(path)
    elif any(path.glob("*.py")) or any((path / name).exists() for name in PROJECT_FILES):
        yield Folder.at(path)
    else:
        files = (_of_file(entry) for entry in sorted(path.rglob("*")) if entry.is_file())
        below = [source for source in files if source is not None]
        if below:
            yield from below
        elif any(path.rglob("*.py")):
            yield Folder.at(path)


def _normal(name: str) -> str:
    """Returns a name as PEP 503 has it, with underscores, which wheels and sdists of a package
    share.
    """
    return re.sub(r"[-_.]+", "_", name).lower()


def _identity(source: CorpusSource) -> tuple[str, ...]:
    """Returns the facts by which one file in several folders of an index is read once."""
    path = getattr(source, "path", Path(source.name))
    place = path.name if isinstance(source, (Wheel, Sdist)) else str(path.absolute())
    return type(source).__name__, source.name, source.version, place


def _order(source: CorpusSource) -> tuple[str, list[int], str]:
    """Returns a key that sorts by name, the newest version first, a wheel before an sdist."""
    numbers = [-int(number) for number in re.findall(r"\d+", source.version)[:4]]
    path = getattr(source, "path", None)
    return source.name, numbers, f"{type(source).__name__ != 'Wheel':d} {path.name if path else ''}"
