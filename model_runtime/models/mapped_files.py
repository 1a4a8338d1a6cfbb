"""The content of files that follow each other as one array of bytes, mapped into memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]


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
        self._maps: list[np.memmap[Any, Any]] = [
            np.memmap(path, dtype=np.uint8, mode="r") for path in paths
        ]

    def __len__(self) -> int:
        return sum(len(part) for part in self._maps)

    def part(self, start: int, end: int) -> Bytes:
        """Returns the bytes from `start` to `end`: a view of the file that holds all of them, or a
        copy where they lie in several.
        """
        pieces, before = [], 0
        for mapped in self._maps:
            piece = mapped[max(0, start - before) : max(0, end - before)]
            if len(piece):
                pieces.append(piece)
            before += len(mapped)
        return pieces[0] if len(pieces) == 1 else np.concatenate([mapped[:0], *pieces])
