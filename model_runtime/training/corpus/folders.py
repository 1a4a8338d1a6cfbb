"""Reads folders of plain files, and git work trees."""

from __future__ import annotations

import itertools
import re
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from model_runtime.errors import GitError
from model_runtime.git import git
from model_runtime.training.corpus.licences import Verdict, classify_package, classify_text
from model_runtime.training.corpus.source import (
    MAX_FILE_BYTES,
    MAX_LICENCE_BYTES,
    CorpusError,
    Opened,
    Share,
    SourceFile,
)
from model_runtime.training.recipe import CorpusRecipe

_LICENCE_NAME = re.compile(r"LICEN[SC]E|COPYING|PKG-INFO", re.IGNORECASE)
_FOREIGN = {"site-packages", "dist-packages", "node_modules", "__pycache__"}
"""Names of folders of other people's packages."""
_STANDARD_LIBRARY = re.compile(r"python(\d[\d.]*)")


@dataclass(frozen=True)
class Folder:
    """All files below a folder, as one package."""

    path: Path
    name: str
    version: str = ""
    is_shared = True

    @classmethod
    def standard_library(cls) -> Folder:
        """Returns the standard library of the Python that runs."""
        path = Path(sysconfig.get_path("stdlib"))
        version = sysconfig.get_python_version()
        return cls(path, f"cpython_{version}", version)

    @classmethod
    def at(cls, path: Path) -> Folder:
        """Returns the folder as a package; a standard library is known by its name and `ast.py`."""
        match = _STANDARD_LIBRARY.fullmatch(path.name)
        if match and (path / "ast.py").exists():
            return cls(path, f"cpython_{match[1]}", match[1])
        return cls(path, path.name.lower())

    def open(self, recipe: CorpusRecipe, share: Share) -> Opened:
        """Reads the package as `CorpusSource.open` says."""
        if self.name.startswith("cpython_"):
            verdict = classify_package("License-Expression: PSF-2.0", [], recipe.licences)
        else:
            verdict = _verdict(self.path, recipe)
        paths = (path for path in sorted(self.path.rglob("*")))
        own = (path for path in paths if not _FOREIGN & set(path.parts[len(self.path.parts) :]))
        return verdict, _files(self, own, recipe, verdict, share)


@dataclass(frozen=True)
class GitTree:
    """The files that git tracks in a work tree, as they stand there now."""

    path: Path
    name: str
    version: str
    """Short hash of the commit; empty where there is none yet."""
    is_shared = True

    @classmethod
    def at(cls, path: Path) -> GitTree:
        """Returns the work tree at this folder.

        Raises:
            CorpusError: git is missing, or does not take the folder for a work tree.
        """
        _git(path, "rev-parse", "--is-inside-work-tree")  # a failure from here on says why
        try:
            version = _git(path, "rev-parse", "--short=12", "HEAD").strip()
        except CorpusError:  # nothing has been committed yet
            version = ""
        return cls(path, path.name.lower(), version)

    def open(self, recipe: CorpusRecipe, share: Share) -> Opened:
        """Reads the package as `CorpusSource.open` says."""
        names = sorted(filter(None, _git(self.path, "ls-files", "-z").split("\0")))
        verdict = _verdict(self.path, recipe)
        paths = (self.path / name for name in names)
        return verdict, _files(self, paths, recipe, verdict, share)


def _git(folder: Path, *arguments: str) -> str:
    """Returns what git prints of a work tree; raises CorpusError with git's own words."""
    try:
        return git(folder, *arguments).decode("utf-8", "surrogateescape")
    except GitError as error:
        raise CorpusError(f"git cannot read the work tree {folder}: {error}") from error


def _verdict(folder: Path, recipe: CorpusRecipe) -> Verdict:
    """Returns the verdict about the files at the folder's top."""
    texts = {}
    for path in folder.iterdir():
        if _LICENCE_NAME.match(path.name) and path.is_file():
            with open(path, "rb") as file:
                texts[path.name] = file.read(MAX_LICENCE_BYTES).decode("utf-8", "replace")
    if not texts:
        return classify_text("assumed", recipe.assumed_licence, recipe.licences)
    metadata = texts.pop("PKG-INFO", "")
    return classify_package(metadata, [texts[name] for name in sorted(texts)], recipe.licences)


def _files(
    source: Folder | GitTree,
    paths: Iterable[Path],
    recipe: CorpusRecipe,
    verdict: Verdict,
    share: Share,
) -> Iterator[SourceFile]:
    """Yields every `share.size`-th of the files that can be read."""
    fit = (
        path
        for path in paths
        if path.name.endswith(recipe.suffixes)
        and path.is_file()
        and not path.is_symlink()
        and path.stat().st_size < MAX_FILE_BYTES
    )
    for path in itertools.islice(fit, share.rank, None, share.size):
        name = path.relative_to(source.path).as_posix()
        yield SourceFile(name, path.read_bytes(), source.name, source.version, verdict)
