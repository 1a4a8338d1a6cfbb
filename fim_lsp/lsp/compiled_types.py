"""Imports lsprotocol's types with code that was compiled at an earlier start.

    <cache>/fim-lsp/compiled/<python>     a checksum, and each source with its code

lsprotocol has more than 500 classes.  attrs writes methods of each and has Python compile them at
every import: half of the import, a sixth of a server's start.  As Python does with the code of
modules, their code is kept, and found by the very source that it was made of; so a new version of
either package meets no old code.  The file may be deleted at any time.
"""

from __future__ import annotations

import builtins
import logging
import marshal
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from types import CodeType

from platformdirs import user_cache_path

logger = logging.getLogger(__name__)

_CHECKSUM_BYTES = 4


def load() -> None:
    """Imports `lsprotocol.types`."""
    if "lsprotocol.types" in sys.modules:
        return
    with _kept(_place()):
        import lsprotocol.types  # noqa: F401


@contextmanager
def _kept(path: Path) -> Iterator[None]:
    """Lets attrs find in a file what it would compile in the block, and notes what is new."""
    from attr import _make

    known, used = _read(path), dict[str, CodeType]()
    is_new = False

    def kept_or_compiled(source: str, filename: str, mode: str) -> CodeType:
        nonlocal is_new
        code = known.get(source)
        if code is None:
            is_new = True
            code = builtins.compile(source, filename, mode)
        used[source] = code
        return code

    # A name of the module comes before the built-in one; attrs has no other place for this.
    _make.compile = kept_or_compiled  # type: ignore[attr-defined]
    try:
        yield
    finally:
        del _make.compile  # type: ignore[attr-defined]
    if is_new and not sys.dont_write_bytecode:
        _write(path, used)


def _place() -> Path:
    """Returns the file for this Python, whose code no other one can run."""
    name = f"{sys.implementation.cache_tag}-{MAGIC_NUMBER.hex()}-{sys.flags.optimize}"
    return user_cache_path("fim-lsp", appauthor=False) / "compiled" / name


def _read(path: Path) -> dict[str, CodeType]:
    """Returns code by its source; none where the file is missing or damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return {}
    checksum, body = content[:_CHECKSUM_BYTES], content[_CHECKSUM_BYTES:]
    if checksum != _checksum(body):
        return {}
    found: dict[str, CodeType] = marshal.loads(body)
    return found


def _write(path: Path, code: dict[str, CodeType]) -> None:
    """Writes code by its source; where that is impossible, the next start compiles again."""
    body = marshal.dumps(code)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(_checksum(body) + body)
        unfinished.replace(path)
    except OSError as error:
        logger.debug("%s cannot be written (%s)", path, error)


def _checksum(body: bytes) -> bytes:
    return zlib.crc32(body).to_bytes(_CHECKSUM_BYTES, "big")
