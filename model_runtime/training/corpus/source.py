"""Defines what the readers of a corpus have in common."""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from model_runtime.errors import ModelRuntimeError
from model_runtime.training.corpus.licences import Verdict
from model_runtime.training.recipe import CorpusRecipe

MAX_FILE_BYTES = 2_000_000
"""Most bytes of a file; larger ones are not even opened."""
MAX_LICENCE_BYTES = 100_000
"""Bytes that are read of METADATA or of a licence file."""
UNREADABLE = (OSError, EOFError, ValueError, zipfile.BadZipFile, tarfile.TarError, zlib.error)
"""Errors of a source that cannot be read; it is left out, with the reason."""


class CorpusError(ModelRuntimeError):
    """A root cannot be read, or nothing is left of a corpus."""


class Share(NamedTuple):
    """One of several equal tasks."""

    rank: int = 0
    size: int = 1


class SourceFile(NamedTuple):
    """One file of a package, or one row of a table."""

    path: str
    data: bytes
    package: str
    version: str
    verdict: Verdict


Opened = tuple[Verdict, Iterator[SourceFile]]
"""Verdict about the whole, and its files one by one."""


class CorpusSource(Protocol):
    """One package, folder or table; small, since it is sent to other processes."""

    @property
    def name(self) -> str:
        """Name of the package or data set."""

    @property
    def version(self) -> str:
        """Version of the package; empty where there is none."""

    @property
    def is_shared(self) -> bool:
        """Whether every task opens it and reads a share of its own."""

    def open(self, recipe: CorpusRecipe, share: Share) -> Opened:
        """Begins to read the source.

        Args:
            recipe: says which files and licences are wanted.
            share: the part of a shared source that this task reads.

        Raises:
            `UNREADABLE`: it cannot be read; also while its files are read.
        """
