"""Counts how often suggestions were taken, in a small file that stays on this machine.

    {"version": 1, "counts": {"embedded-cpu": {"0.5": {"accepted": 3, "typed": 2, "rejected": 40}}}}

It holds names of models, settings of `eagerness` and numbers: no code, no paths, no times.  Several
servers may write: each adds what it has counted to what is there, under a lock that the system
gives up with the process, and replaces the file whole.  What cannot be read counts as nothing,
what cannot be written stays in memory, and the file of a newer version is left as it is.
"""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from fim_lsp.feedback.outcomes import Outcome

logger = logging.getLogger(__name__)

Key = tuple[str, str, str]
"""Model (or other source), eagerness, and the name of an outcome."""

_VERSION = 1
_NAMES = tuple(outcome.value for outcome in Outcome)
_EAGERNESS = re.compile(r"0|1|0\.\d\d?")
_MAX_KEYS = 1000
_MAX_BYTES = 1_000_000
_LOCK_TIMEOUT_SECONDS = 1.0
"""Time that a writer waits for another one; then it keeps its counts for the next time."""


def default_file() -> Path:
    """Returns the file of the counts, in the platform's folder for the state of programs."""
    from platformdirs import user_state_path

    return user_state_path("fim-lsp", appauthor=False) / "accepted.json"


def read(path: Path) -> Counter[Key]:
    """Returns what has been counted; nothing where there is no file that can be understood."""
    raw = _raw(path)
    counts: Counter[Key] = Counter()
    for model, settings in _items(raw.get("counts") if raw.get("version") == _VERSION else None):
        for eagerness, numbers in _items(settings):
            if not _EAGERNESS.fullmatch(eagerness):
                continue
            for name, number in _items(numbers):
                if name in _NAMES and type(number) is int and 0 < number < 2**53:
                    counts[model, eagerness, name] = number
    return Counter(dict(counts.most_common(_MAX_KEYS)))


def add(path: Path, new: Mapping[Key, int]) -> Counter[Key] | None:
    """Adds to the file's counts and returns all; None where that is not possible now."""
    # 20 ms, which the start of the server does not need
    from filelock import FileLock, Timeout

    from model_runtime.files import is_newer, replace_text

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f"{path.name}.lock"), timeout=_LOCK_TIMEOUT_SECONDS):
            if is_newer(_raw(path).get("version"), _VERSION):
                return None
            counts = read(path)
            counts.update(new)
            tree: dict[str, dict[str, dict[str, int]]] = {}
            for (model, eagerness, name), number in sorted(counts.items()):
                tree.setdefault(model, {}).setdefault(eagerness, {})[name] = number
            replace_text(path, json.dumps({"version": _VERSION, "counts": tree}))
            return counts
    except Timeout:
        return None
    except OSError as error:
        logger.info("%s cannot be written: %s", path, error)
        return None


def clear(path: Path) -> bool:
    """Deletes the file; tells whether there was one.

    Raises:
        OSError: it is there and cannot be deleted.
    """
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def _raw(path: Path) -> dict[str, object]:
    try:
        if path.stat().st_size > _MAX_BYTES:
            return {}
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return raw if isinstance(raw, dict) else {}


def _items(value: object) -> Iterator[tuple[str, object]]:
    return iter(value.items()) if isinstance(value, dict) else iter(())
