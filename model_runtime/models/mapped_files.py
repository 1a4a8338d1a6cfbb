"""The content of files that follow each other as one array of bytes, mapped into memory."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]


def _mapped(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


class MappedFiles:
    """Bytes of one file, or of several that hold its parts.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     paths = [Path(name) / "1", Path(name) / "2"]
    ...     for path, content in zip(paths, (b"seal", b"ion")):
    ...         _ = path.write_bytes(content)
    ...     bytes(MappedFiles(paths).part(2, 6))
    b'alio'
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        """Maps the files; nothing is read yet.

        Raises:
            OSError: one of them cannot be opened.
            ValueError: one of them is empty, so that it cannot be mapped.
        """
        self._maps = [_mapped(path) for path in paths]
        self._bytes = [np.frombuffer(mapped, np.uint8) for mapped in self._maps]

    def __len__(self) -> int:
        return sum(len(part) for part in self._bytes)

    def let_pages_go(self) -> None:
        """Takes what was read so far out of this process's memory; views read it again."""
        if hasattr(mmap, "MADV_DONTNEED"):  # not on Windows, which does so by itself
            for mapped in self._maps:
                mapped.madvise(mmap.MADV_DONTNEED)

    def part(self, start: int, end: int) -> Bytes:
        """Returns the bytes from `start` to `end`: a view of the file that holds all of them, or a
        copy where they lie in several.
        """
        pieces, before = [], 0
        for mapped in self._bytes:
            piece = mapped[max(0, start - before) : max(0, end - before)]
            if len(piece):
                pieces.append(piece)
            before += len(mapped)
        return pieces[0] if len(pieces) == 1 else np.concatenate([mapped[:0], *pieces])
