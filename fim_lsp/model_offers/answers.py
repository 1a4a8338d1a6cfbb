"""Remembers what the user has answered to the offer of a model, for all editors of this machine.

    <user data>/fim-lsp/offers.json    {"version": 1, "never": false, "asked": "2026-11-28"}

Where it cannot be written, nothing is offered, for a No could not be remembered.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

_VERSION = 1
_MAX_BYTES = 10_000
_LOCK_TIMEOUT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Answers:
    """Holds what is known of earlier offers."""

    never: bool = False
    """True after the user has said never."""
    asked: date | None = None
    """Day of the last offer; None where there was none."""


def read() -> Answers:
    """Returns what was remembered; nothing where there is no file that can be understood."""
    raw = _raw()
    if raw.get("version") != _VERSION:
        return Answers()
    try:
        asked = raw.get("asked")
        day = date.fromisoformat(asked) if isinstance(asked, str) else None
        return Answers(raw.get("never") is True, day)
    except ValueError:
        return Answers()


def note_asked(today: date) -> bool:
    """Remembers that the user is asked today; False where that was done already or cannot be."""
    return _change(lambda found: None if found.asked == today else replace(found, asked=today))


def note_never() -> bool:
    """Remembers that nothing is to be offered any more; False where that cannot be."""
    return _change(lambda found: replace(found, never=True))


def _change(changed: Callable[[Answers], Answers | None]) -> bool:
    from filelock import FileLock, Timeout

    from model_runtime.files import is_newer, replace_text

    file = _file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_name(f"{file.name}.lock"), timeout=_LOCK_TIMEOUT_SECONDS):
            if is_newer(_raw().get("version"), _VERSION):  # which it would not understand
                return False
            answers = changed(read())
            if answers is None:
                return False
            asked = answers.asked.isoformat() if answers.asked else None
            told = {"version": _VERSION, "never": answers.never, "asked": asked}
            replace_text(file, json.dumps(told))
            return True
    except (OSError, Timeout):
        return False


def _raw() -> dict[str, object]:
    try:
        with _file().open("rb") as file:
            raw = json.loads(file.read(_MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return raw if isinstance(raw, dict) else {}


def _file() -> Path:
    from platformdirs import user_data_path

    return user_data_path("fim-lsp", appauthor=False) / "offers.json"
