"""Recorded typing: what is typed where, and how long each key waits for the one before it.

Four documents, one in each of four languages, made of the frozen set in benchmarks/replay_set: a
few of its files, and between them the beginning of another one, key by key.  The pauses are those
that `fim-lsp replay` types with, drawn by the name of the file (fim_lsp/replay/rhythm.py has the
source of their distribution), so they are the same at each run and on each machine; nobody's own
typing is in the repository.  One's own pauses can be taken in their place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fim_lsp.replay.rhythm import Rhythm
from fim_lsp.replay.user import key_of
from model_runtime.syntax.languages import language_id

SET = Path(__file__).parent / "replay_set"
_TYPED = ("stock.py", "lru_cache.ts", "todo_list.js", "fetch.go")
"""Files of `ours`, one for each language."""
_AROUND_CHARACTERS = 2500
"""Fewest characters before the typed text: more than a window of 512 tokens has of it."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key: a character, or Enter with the indentation that an editor adds."""

    text: str
    pause_ms: float
    """Milliseconds until the next key."""


@dataclass(frozen=True, slots=True)
class Trace:
    """A document with a cursor in it, and the keys that are pressed there."""

    path: Path
    language: str
    before: str
    after: str
    keys: tuple[Key, ...]


def traces(keys: int, pauses_ms: Sequence[float] = ()) -> list[Trace]:
    """Returns the documents, with so many keys each.

    Args:
        keys: number of keys of each document.
        pauses_ms: one's own pauses, to draw from.
    """
    return [_trace(SET / "ours" / name, keys, pauses_ms) for name in _TYPED]


def _trace(path: Path, keys: int, pauses_ms: Sequence[float]) -> Trace:
    language = language_id(path.name)
    others = [
        file.read_text(encoding="utf-8")
        for file in sorted(SET.glob("*/*"))
        if file != path and language_id(file.name) == language
    ]
    around = "\n\n".join(others)
    while len(around) < 2 * _AROUND_CHARACTERS:  # a language with little else in the set
        around += "\n\n" + around
    middle = around.index("\n", len(around) // 2) + 1
    text, rhythm = path.read_text(encoding="utf-8"), Rhythm(path.name, pauses_ms)
    pressed: list[Key] = []
    place = 0
    while place < len(text) and len(pressed) < keys:
        key = key_of(text[place:])
        place += len(key)
        begins_line = not text[:place].rpartition("\n")[2].strip()
        pressed.append(Key(key, rhythm.pause(begins_line=begins_line)))
    return Trace(path, language, around[:middle], "\n" + around[middle:], tuple(pressed))
