"""Reads a built corpus as numbered documents, through memory maps.

A corpus folder holds parts, each a pair of files (`corpus/parts.py` writes them):

    train-000.txt.xz   documents, UTF-8, each one ended by a NUL
    train-000.tsv.xz   one line a document, in the same order:
                       sha1, package, version, path, licence, bytes
    valid-000.*        documents of packages that the training parts never show
"""

from __future__ import annotations

import lzma
import mmap
import os
import re
import shutil
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from model_runtime.training.corpus.source import CorpusError

TEST_PATH = re.compile(r"(^|/)(tests?|testing)/|(^|/)test_[^/]*\.py$|_test\.py$|conftest\.py$")


class Entry(NamedTuple):
    """One document's line in the index."""

    sha1: str
    """First 16 digits of the hash; the key of everything that is drawn for the document."""
    package: str
    version: str
    path: str
    licence: str
    size: int
    """Number of bytes in UTF-8."""

    @classmethod
    def parse(cls, line: str) -> Entry:
        """Returns the entry of a line of a `.tsv` part."""
        sha1, package, version, path, licence, size = line.split("\t")
        return cls(sha1, package, version, path, licence, int(size))

    def line(self) -> str:
        """Returns the line of a `.tsv` part, newline included."""
        return "\t".join((*self[:5], str(self.size))) + "\n"

    @property
    def is_stub(self) -> bool:
        """Whether it is a `.pyi` file."""
        return self.path.endswith(".pyi")

    @property
    def is_test(self) -> bool:
        """Whether it is a test, judged by the path alone."""
        return TEST_PATH.search(self.path) is not None


def unpack(corpus: Path, folder: Path) -> None:
    """Decompresses the parts that are not in `folder` yet; safe to repeat after a kill."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in sorted(corpus.glob("*.t[xs][tv].xz")):
        target = folder / part.name.removesuffix(".xz")
        if target.exists():
            continue
        unfinished = target.with_name(target.name + ".tmp")
        with lzma.open(part) as source, open(unfinished, "wb") as out:
            shutil.copyfileobj(source, out, 1 << 24)
        os.replace(unfinished, target)


class Documents:
    """Unpacked parts of one kind ("train" or "valid").

    Raises:
        CorpusError: there is no such document.
    """

    def __init__(self, folder: Path, kind: str) -> None:
        self.entries: list[Entry] = []
        self.of_package: dict[str, list[int]] = defaultdict(list)
        """Package -> the numbers of its documents."""
        self._maps: list[mmap.mmap] = []
        self._places: list[tuple[int, int]] = []
        for part, path in enumerate(sorted(folder.glob(f"{kind}-*.txt"))):
            with open(path, "rb") as file:
                self._maps.append(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            start = 0
            for line in path.with_suffix(".tsv").read_text("utf-8").splitlines():
                entry = Entry.parse(line)
                self.of_package[entry.package].append(len(self.entries))
                self.entries.append(entry)
                self._places.append((part, start))
                start += entry.size + 1
        if not self.entries:
            raise CorpusError(f"{folder} holds no document of kind {kind!r}")

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """Bytes of every document."""
        return np.array([entry.size for entry in self.entries], np.int64)

    def text(self, number: int) -> str:
        """Returns the text of a document."""
        part, start = self._places[number]
        return self._maps[part][start : start + self.entries[number].size].decode("utf-8")
