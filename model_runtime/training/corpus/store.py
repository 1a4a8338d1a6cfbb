"""Keeps documents between two phases: one file per task, JSON lines under zstandard.

datatrove's own writer leaves out the file of a task without documents, and its reader deals files
to tasks by their number; a phase would then read another task's documents.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import zstandard
from datatrove.data import Document


def path_of(folder: Path, rank: int) -> Path:
    """Returns the file of a task's documents."""
    return folder / f"{rank:05d}.jsonl.zst"


def write(documents: Iterable[Document], path: Path) -> Iterator[Document]:
    """Writes documents while they pass; the file has its name once it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".tmp")
    with (
        open(unfinished, "wb") as file,
        zstandard.ZstdCompressor(level=1).stream_writer(file) as out,
    ):
        for document in documents:
            line = json.dumps([document.id, document.text, document.metadata])
            out.write(line.encode() + b"\n")
            yield document
    os.replace(unfinished, path)


def read(path: Path) -> Iterator[Document]:
    """Yields the documents of a task, in their order."""
    with open(path, "rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as stream:
        for line in io.TextIOWrapper(stream, encoding="utf-8", newline="\n"):
            id_, text, metadata = json.loads(line)
            yield Document(text=text, id=id_, metadata=metadata)
