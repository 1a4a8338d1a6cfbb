"""Writes documents as compressed parts; `documents.py` reads them and describes the format.

Documents are divided at random into blocks, so that every part is a random sample of the whole.
Within a block those of one package stand together, which compresses better: a reader must shuffle.
"""

from __future__ import annotations

import hashlib
import lzma
import math
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from model_runtime.training.documents import Entry

TEXT, INDEX = ".txt.xz", ".tsv.xz"


class Stored(NamedTuple):
    """A document in the spill file, which holds the text of all that passed so far."""

    entry: Entry
    start: int


class Job(NamedTuple):
    """One block to compress."""

    spill: Path
    documents: list[Stored]
    preset: int


@dataclass
class Part:
    """Facts about a part, as the manifest has them."""

    name: str
    documents: int = 0
    bytes: int = 0
    xz_bytes: int = 0
    sha256: dict[str, str] = field(default_factory=dict)


def write_parts(
    documents: Sequence[Stored],
    kind: str,
    out: Path,
    spill: Path,
    *,
    part_mb: int,
    block_mb: float,
    preset: int,
    seed: int,
    map_blocks: Callable[
        [Callable[[Job], tuple[bytes, bytes]], Iterable[Job]], Iterator[tuple[bytes, bytes]]
    ],
) -> list[dict[str, Any]]:
    """Writes parts `kind`-000, -001, ... of at most `part_mb` compressed megabytes; returns their
    facts.
    """
    for left in out.glob(f"{kind}-*.xz"):  # of an earlier corpus, which may have had more of them
        left.unlink()
    blocks = random_blocks(documents, block_mb, seed)
    parts: list[Part] = []
    compressed = map_blocks(compress, (Job(spill, block, preset) for block in blocks))
    for block, streams in zip(blocks, compressed, strict=True):
        size = sum(map(len, streams))
        if not parts or parts[-1].xz_bytes + size > part_mb * 10**6:
            parts.append(Part(f"{kind}-{len(parts):03d}"))
        part = parts[-1]
        for suffix, data in zip((TEXT, INDEX), streams, strict=True):
            # xz streams may stand one after the other in a file
            with open(out / (part.name + suffix), "ab" if part.documents else "wb") as file:
                file.write(data)
        part.xz_bytes += size
        part.documents += len(block)
        part.bytes += sum(document.entry.size for document in block)
    for part in parts:
        for suffix in (TEXT, INDEX):
            data = (out / (part.name + suffix)).read_bytes()
            part.sha256[suffix] = hashlib.sha256(data).hexdigest()
    return [asdict(part) for part in parts]


def random_blocks(documents: Sequence[Stored], block_mb: float, seed: int) -> list[list[Stored]]:
    """Returns random blocks of about one size, each sorted by package and path."""
    if not documents:
        return []
    total = sum(document.entry.size for document in documents)
    count = max(1, math.ceil(total / (block_mb * 1e6)))
    shuffled = random.Random(seed).sample(documents, len(documents))

    def home(document: Stored) -> tuple[str, str, str]:
        return document.entry.package, document.entry.path, document.entry.version

    return [sorted(shuffled[i::count], key=home) for i in range(count)]


def compress(job: Job) -> tuple[bytes, bytes]:
    """Returns text and index of a block, one xz stream each."""
    pieces, lines = [], []
    with open(job.spill, "rb") as file:
        for document in job.documents:
            file.seek(document.start)
            pieces += [file.read(document.entry.size), b"\0"]
            lines.append(document.entry.line())
    filters = [{"id": lzma.FILTER_LZMA2, "preset": job.preset, "dict_size": 1 << 25}]
    text, index = (
        lzma.compress(data, lzma.FORMAT_XZ, lzma.CHECK_CRC64, None, filters)
        for data in (b"".join(pieces), "".join(lines).encode())
    )
    return text, index
