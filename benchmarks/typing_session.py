"""A user who works all day: types, jumps, deletes, pastes, accepts, opens and closes documents.

All of it is drawn from a seed, so that a run can be had again.  Documents are those of
benchmarks/replay_set; one that was closed is opened again as it lies on the disk, so that the work
is the same at the end of a long session as at its beginning.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.editor import Editor
from benchmarks.traces import SET
from model_runtime.syntax.languages import language_id

_MAX_OPEN = 12
_MIN_KEYS, _MAX_KEYS = 4, 24
"""Keys at one place."""
_ASKED_BY_HAND, _ACCEPTED, _DELETED, _PASTED = 0.01, 0.1, 0.1, 0.05
"""Shares of the keys; what is accepted, deleted and pasted comes after an answer."""


class TypingSession:
    """One user and one editor."""

    def __init__(self, editor: Editor, seed: int) -> None:
        self._editor = editor
        self._chance = random.Random(seed)
        self._files = [path for path in sorted(SET.glob("*/*.*")) if path.name != "README.md"]
        self._texts: dict[Path, str] = {}
        self._version = 1
        self.edits = self.jumps = self.suggestions = self.accepted = 0

    def answers_ms(self) -> Iterator[float]:
        """Works without end; yields the milliseconds from each key to its answer."""
        while True:
            path = self._chance.choice(self._files)
            self._open(path)
            place = self._chance.randrange(len(self._texts[path]))
            self.jumps += 1
            keys = self._texts[path][place : place + self._chance.randint(_MIN_KEYS, _MAX_KEYS)]
            for key in keys:
                begun = time.perf_counter()
                self._replace(path, place, place, key)
                place += len(key)
                items = self._ask(path, place)
                yield (time.perf_counter() - begun) * 1e3
                self.suggestions += bool(items)
                place = self._edit(path, place, items)
            self._close_some()

    def _edit(self, path: Path, place: int, items: list[dict[str, Any]]) -> int:
        """Does what users do now and then after an answer; returns the cursor's new place."""
        drawn = self._chance.random()
        if drawn < _ACCEPTED and items:
            text = items[0]["insertText"]
            self._replace(path, place, place, text)
            self._editor.request("workspace/executeCommand", _command(items[0]))
            self.accepted += 1
            return place + len(text)
        if drawn < _ACCEPTED + _DELETED:
            begin = max(0, place - self._chance.randint(1, 12))
            self._replace(path, begin, place, "")
            return begin
        if drawn < _ACCEPTED + _DELETED + _PASTED:
            whole = self._texts[path]
            begin = self._chance.randrange(len(whole))
            text = whole[begin : begin + 200]
            self._replace(path, place, place, text)
            return place + len(text)
        return place

    def _ask(self, path: Path, place: int) -> list[dict[str, Any]]:
        line, character = _position(self._texts[path], place)
        by_hand = self._chance.random() < _ASKED_BY_HAND
        return self._editor.complete(path.as_uri(), line, character, 1 if by_hand else 2)

    def _replace(self, path: Path, start: int, end: int, new: str) -> None:
        text = self._texts[path]
        self._version += 1
        self.edits += 1
        places = _position(text, start), _position(text, end)
        self._editor.replace(path.as_uri(), self._version, *places, new)
        self._texts[path] = text[:start] + new + text[end:]

    def _open(self, path: Path) -> None:
        if path not in self._texts:
            self._texts[path] = path.read_text(encoding="utf-8")
            self._editor.open(path.as_uri(), self._texts[path], language_id(path.name))

    def _close_some(self) -> None:
        if len(self._texts) > _MAX_OPEN:
            closed = self._chance.choice(list(self._texts))
            del self._texts[closed]
            document = {"textDocument": {"uri": closed.as_uri()}}
            self._editor.notify("textDocument/didClose", document)


def _position(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset]
    return before.count("\n"), len(before.rpartition("\n")[2])


def _command(item: dict[str, Any]) -> dict[str, Any]:
    command = item["command"]
    return {"command": command["command"], "arguments": command["arguments"]}
