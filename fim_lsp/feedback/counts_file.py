"""Reads and rewrites the small JSON files of counts, which several servers share.

Each writer adds to what is there, under a lock that the system gives up with the process, and
replaces the file whole.  What cannot be read counts as nothing, which the log says once, and the
file of a newer version is left as it is.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeGuard

logger = logging.getLogger(__name__)

VERSION = 1
"""Version of the form of the files, under the key `version`."""
MAX_NUMBER = 2**53
"""Bound of a count; what is larger, nobody has counted."""
_MAX_BYTES = 1_000_000
_said: set[Path] = set()
"""Files of which the log says already that something in them does not count."""
_LOCK_TIMEOUT_SECONDS = 1.0
"""Time that a writer waits for another one; then it keeps its counts for the next time."""


def folder() -> Path:
    """Returns the platform's folder for the state of programs."""
    from platformdirs import user_state_path

    return user_state_path("fim-lsp", appauthor=False)


def read(path: Path, key: str) -> object:
    """Returns what a file has under a key; None where there is no file that can be understood."""
    raw = _raw(path)
    if raw is None:
        return None
    if raw.get("version") != VERSION:
        say_ignored(path, "what another version wrote")
        return None
    return raw.get(key, "")


def say_ignored(path: Path, why: str) -> None:
    """Logs, once for each file, that something in it does not count."""
    if path not in _said:
        _said.add(path)
        logger.warning("%s holds what is not counted: %s", path, why)


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
            if is_newer((_raw(path) or {}).get("version"), VERSION):
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


def items(path: Path, value: object) -> Iterator[tuple[str, object]]:
    """Returns the items of an object of a file; none for other values, which the log says once."""
    if isinstance(value, dict):
        return iter(value.items())
    if value is not None:
        say_ignored(path, "what is no object")
    return iter(())


def counted(path: Path, numbers: object, names: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Yields the counts above 0 of an object of a file; the log says once if others are there.

    Args:
        path: the file, for the log.
        numbers: value that the file has.
        names: keys that may be in it.
    """
    for name, number in items(path, numbers):
        if name not in names or not _is_count(number):
            say_ignored(path, "what is no count of ours")
        elif number:
            yield name, number


def _is_count(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < MAX_NUMBER


def _raw(path: Path) -> dict[str, object] | None:
    """Returns the object that a file holds; None where it holds none, which the log says once."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            say_ignored(path, f"a file of more than {_MAX_BYTES} bytes")
            return None
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        say_ignored(path, error.strerror or "what cannot be read")
        return None
    except (ValueError, RecursionError):
        raw = None
    if not isinstance(raw, dict):
        say_ignored(path, "what is no JSON object")
        return None
    return raw
