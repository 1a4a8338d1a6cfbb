"""Reads and rewrites the small JSON files of counts, which several servers share.

Each writer adds to what is there, under a lock that the system gives up with the process, and
replaces the file whole.  What cannot be read counts as nothing, and the file of a newer version is
left as it is.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeGuard

logger = logging.getLogger(__name__)

VERSION = 1
"""Version of the form of the files, under the key `version`."""
MAX_NUMBER = 2**53
"""Bound of a count; what is larger, nobody has counted."""
_MAX_BYTES = 1_000_000
_LOCK_TIMEOUT_SECONDS = 1.0
"""Time that a writer waits for another one; then it keeps its counts for the next time."""


def folder() -> Path:
    """Returns the platform's folder for the state of programs."""
    from platformdirs import user_state_path

    return user_state_path("fim-lsp", appauthor=False)


def read(path: Path, key: str) -> object:
    """Returns what a file has under a key; None where there is no file that can be understood."""
    raw = _raw(path)
    return raw.get(key) if raw.get("version") == VERSION else None


def rewrite(path: Path, key: str, change: Callable[[], object]) -> bool:
    """Replaces a file by what `change` returns, called while nobody else writes.

    Returns:
        False where that is not possible now.
    """
    # 20 ms, which the start of the server does not need
    from filelock import FileLock, Timeout

    from model_runtime.files import is_newer, replace_text

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f"{path.name}.lock"), timeout=_LOCK_TIMEOUT_SECONDS):
            if is_newer(_raw(path).get("version"), VERSION):
                return False
            replace_text(path, json.dumps({"version": VERSION, key: change()}))
    except Timeout:
        return False
    except OSError as error:
        logger.info("%s cannot be written: %s", path, error)
        return False
    return True


def clear(path: Path) -> bool:
    """Deletes a file; tells whether there was one.

    Raises:
        OSError: it is there and cannot be deleted.
    """
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def items(value: object) -> Iterator[tuple[str, object]]:
    """Returns the items of an object; none for every other value."""
    return iter(value.items()) if isinstance(value, dict) else iter(())


def is_count(value: object) -> TypeGuard[int]:
    """Tells whether a value is a number of things that were counted."""
    return type(value) is int and 0 < value < MAX_NUMBER


def _raw(path: Path) -> dict[str, object]:
    try:
        if path.stat().st_size > _MAX_BYTES:
            return {}
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return raw if isinstance(raw, dict) else {}
