"""Counts by day the suggestions that were accepted and the keys that they saved.

    {"version": 1, "days": {"2026-11-29": {"accepted": 3, "keys": 120}}}

The file holds days and numbers, of the last four weeks: no code, no names, no times of day.  It
stays on this machine, beside the other counts.
"""

from __future__ import annotations

import asyncio
import datetime
import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from fim_lsp.feedback import counts_file
from fim_lsp.suggestion import Completion

MAX_DAYS = 28
"""Days that are kept, the newest."""

Key = tuple[str, str]
"""A day as in ISO 8601, and the name of what is counted."""

_NAMES = ACCEPTED, KEYS = "accepted", "keys"
_WRITE_EVERY = 10
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_CONTENT = "days"


class Day(NamedTuple):
    """The counts of one day."""

    day: str
    accepted: int
    keys: int


def default_file() -> Path:
    """Returns the file of the counts, in the platform's folder for the state of programs."""
    return counts_file.folder() / "saved_keys.json"


def keys_saved(completion: Completion) -> int:
    """Returns the characters that an accepted suggestion brings, without the key that accepts it.

    >>> keys_saved(Completion("1", "return total", start=4, end=7, mean_logprob=0.0))
    8
    """
    return max(0, len(completion.text) - (completion.end - completion.start) - 1)


def read(path: Path) -> Counter[Key]:
    """Returns what has been counted; nothing where there is no file that can be understood."""
    counts: Counter[Key] = Counter()
    for day, numbers in counts_file.items(path, counts_file.read(path, _CONTENT)):
        if not _DAY.fullmatch(day):
            counts_file.say_ignored(path, "a day of no calendar")
            continue
        for name, number in counts_file.counted(path, numbers, _NAMES):
            counts[day, name] = number
    kept = set(sorted({day for day, _ in counts})[-MAX_DAYS:])
    return Counter({key: number for key, number in counts.items() if key[0] in kept})


def add(path: Path, new: Mapping[Key, int]) -> bool:
    """Adds to the file's counts; returns False where that is not possible now."""

    def change() -> object:
        counts = read(path)
        counts.update(new)
        return {
            one.day: {ACCEPTED: one.accepted, KEYS: one.keys} for one in by_day(counts)[-MAX_DAYS:]
        }

    return counts_file.rewrite(path, _CONTENT, change)


def by_day(counts: Mapping[Key, int]) -> list[Day]:
    """Returns the days on which something was counted, the oldest first."""
    days = sorted({day for day, _ in counts})
    return [Day(day, counts.get((day, ACCEPTED), 0), counts.get((day, KEYS), 0)) for day in days]


class SavedKeys:
    """Counts for one editor what its user accepts."""

    def __init__(
        self, file: Path | None = None, today: Callable[[], datetime.date] = datetime.date.today
    ) -> None:
        """Takes the file of the counts, by default that of this machine's user, and the clock."""
        self._file = file
        self._today = today
        self._new: Counter[Key] = Counter()
        """Counts that are not in the file yet, nor on the way."""
        self._is_writing = False

    def accept(self, completion: Completion) -> None:
        """Counts an accepted suggestion."""
        day = self._today().isoformat()
        self._new[day, ACCEPTED] += 1
        self._new[day, KEYS] += keys_saved(completion)
        if sum(one.accepted for one in by_day(self._new)) >= _WRITE_EVERY and not self._is_writing:
            self._is_writing = True
            new, self._new = self._new, Counter()
            work = asyncio.get_running_loop().run_in_executor(None, add, self._path(), new)
            work.add_done_callback(lambda done: self._written(new, done.result()))

    def days(self) -> list[Day]:
        """Returns the last days, with what is not written yet; reads the file."""
        counts = read(self._path())
        counts.update(self._new)
        return by_day(counts)[-MAX_DAYS:]

    def close(self) -> None:
        """Writes what is left; waits for the file."""
        if self._new:
            add(self._path(), self._new)

    def _written(self, new: Counter[Key], is_written: bool) -> None:
        self._is_writing = False
        if not is_written:
            self._new += new  # for the next time

    def _path(self) -> Path:
        return self._file or default_file()
