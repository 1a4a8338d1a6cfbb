"""How often suggestions were taken, in a small file that stays on this machine.

    {"version": 1, "counts": {"embedded-cpu": {"0.5": {"accepted": 3, "typed": 2, "rejected": 40}}}}

Names of models, settings of the dial and numbers: no code, no paths, no times.  Several servers may
write: each adds what it has counted to what is there, under a lock, and replaces the file whole.
What cannot be read counts as nothing, and what cannot be written stays in memory.
"""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from fim_lsp.feedback.outcomes import Outcome

logger = logging.getLogger(__name__)

Key = tuple[str, str, str]
"""Model (or other source), eagerness, and the name of a fate."""

_VERSION = 1
_NAMES = tuple(fate.value for fate in Outcome)
_DIAL = re.compile(r"0|1|0\.\d\d?")
_MAX_KEYS = 1000
_MAX_BYTES = 1_000_000
_LOCK_SECONDS = 1.0
"""How long a writer waits for another one; then it keeps its counts for the next time."""
_STALE_SECONDS = 10.0
"""A lock that is older belongs to a program that has died."""


def default_file() -> Path:
    """Where the counts lie: the platform's folder for the state of programs."""
    from platformdirs import user_state_path

    return user_state_path("fim-lsp", appauthor=False) / "accepted.json"


def read(path: Path) -> Counter[Key]:
    """What has been counted; nothing where there is no file that can be understood."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            return Counter()
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return Counter()
    counts: Counter[Key] = Counter()
    models = raw.get("counts") if isinstance(raw, dict) and raw.get("version") == _VERSION else None
    for model, dials in _items(models):
        for dial, numbers in _items(dials):
            if not _DIAL.fullmatch(dial):
                continue
            for name, number in _items(numbers):
                if name in _NAMES and type(number) is int and 0 < number < 2**53:
                    counts[model, dial, name] = number
    return Counter(dict(counts.most_common(_MAX_KEYS)))


def add(path: Path, new: Mapping[Key, int]) -> Counter[Key] | None:
    """Add to the file's counts and return all; None where that is not possible now."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _lock(path.with_name(f"{path.name}.lock")) as is_ours:
            if not is_ours:
                return None
            counts = read(path)
            counts.update(new)
            tree: dict[str, dict[str, dict[str, int]]] = {}
            for (model, dial, name), number in sorted(counts.items()):
                tree.setdefault(model, {}).setdefault(dial, {})[name] = number
            _replace(path, json.dumps({"version": _VERSION, "counts": tree}))
            return counts
    except OSError as error:
        logger.info("%s cannot be written: %s", path, error)
        return None


def clear(path: Path) -> bool:
    """Delete the file; whether there was one.

    Raises:
        OSError: it is there and cannot be deleted.
    """
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def _replace(path: Path, text: str) -> None:
    """Put a whole file in the place of another."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


@contextmanager
def _lock(path: Path) -> Iterator[bool]:
    """Whether the lock is ours; a file that exists while somebody writes."""
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            break
        except FileExistsError:
            if _age(path) > _STALE_SECONDS:
                path.unlink(missing_ok=True)
            elif time.monotonic() > deadline:
                yield False
                return
            else:
                time.sleep(0.01)
    try:
        yield True
    finally:
        path.unlink(missing_ok=True)


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


def _items(value: object) -> Iterator[tuple[str, object]]:
    return iter(value.items()) if isinstance(value, dict) else iter(())
