"""Types documents as one who takes what is right, with fim-lsp and with llama.vim in turns.

Each types the same text into its own copy of the documents (benchmarks/traces.py), with the pauses
between the keys.  A suggestion is taken, whole or its first line, when its first line is what comes
next and that saves keys (fim_lsp/replay/user.py).  Every answer is waited for: what a slow one
costs shows in the times and not in what is saved.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from benchmarks.llama_vim import LlamaVim
from benchmarks.traces import Trace
from fim_lsp.replay import user
from fim_lsp.replay.editor import COMMAND, Editor
from fim_lsp.replay.rhythm import Rhythm
from fim_lsp.replay.user import Offer, Taken

OURS, THEIRS = "fim-lsp", "llama.vim"
_BY_TURNS = 10
"""Keys until it is the other's turn, so that each types in its own rhythm."""
_SETTLE_SECONDS, _MAX_SETTLES = 0.05, 40


class Answer(NamedTuple):
    """The text that a key brought."""

    text: str
    replaced: int
    milliseconds: float
    source: str
    """Name of what gave the text: "model" where it was computed for this key."""


NOTHING = Answer("", 0, 0.0, "")


class Way(Protocol):
    """A way to get suggestions."""

    def open(self, trace: Trace) -> None:
        """Opens a document; the cursor stands between its parts."""

    async def insert(self, before: str, text: str, after: str, *, is_taken: bool) -> Answer:
        """Writes a text at the cursor, of the last answer if that is taken; asks what follows."""

    async def rest(self) -> None:
        """Returns when nothing is done any more, so that the other way is not disturbed."""


@dataclass
class Saved:
    """Counts of one way."""

    keys: int = 0
    """Keys that typing alone would have cost."""
    pressed: int = 0
    accepted: int = 0
    answers: list[Answer] = field(default_factory=list)

    @property
    def sources(self) -> Counter[str]:
        """Texts by what gave them; under "none" are the keys that brought no text."""
        return Counter(answer.source if answer.text else "none" for answer in self.answers)


class FimLsp:
    """The server with its defaults, and an editor."""

    def __init__(self, editor: Editor) -> None:
        self._editor = editor
        self._item: dict[str, object] = {}

    def open(self, trace: Trace) -> None:
        """Implements `Way.open`."""
        self._uri = trace.path.with_name(f"typed_{trace.path.name}").as_uri()
        self._editor.open(self._uri, trace.language, trace.before + trace.after)

    async def insert(self, before: str, text: str, after: str, *, is_taken: bool) -> Answer:
        """Implements `Way.insert`."""
        place = _position(before)
        here = _position(before + text)
        started = time.perf_counter()
        self._editor.change(self._uri, place, place, text)
        if is_taken:
            self._editor.accepted(self._item)
        result = await self._editor.ask(self._uri, here)
        took = (time.perf_counter() - started) * 1e3
        if not result or not result["items"]:
            return Answer("", 0, took, "")
        self._item = result["items"][0]
        (trace,) = (await self._editor.request("fimLsp/explain", {"limit": 1}))["traces"]
        start, end = self._item["range"]["start"], self._item["range"]["end"]
        shown = self._item["insertText"][here["character"] - start["character"] :]
        return Answer(shown, end["character"] - here["character"], took, trace["source"])

    async def rest(self) -> None:
        """Implements `Way.rest`; work in pauses may go on for long, so the wait is bounded."""
        before = None
        for _ in range(_MAX_SETTLES):
            if before == (before := self._editor.cpu_seconds()):
                return
            await asyncio.sleep(_SETTLE_SECONDS)


class Vim:
    """llama.vim beside llama.cpp's server."""

    def __init__(self, plugin: LlamaVim) -> None:
        self._plugin = plugin

    def open(self, trace: Trace) -> None:
        """Implements `Way.open`; every request has the text that it is about."""

    async def insert(self, before: str, text: str, after: str, *, is_taken: bool) -> Answer:
        """Implements `Way.insert`."""
        hint = await asyncio.to_thread(self._plugin.hint, before + text, after)
        if hint is None:
            return NOTHING
        return Answer(hint.text, 0, hint.milliseconds, "model" if hint.is_computed else "cache")

    async def rest(self) -> None:
        """Implements `Way.rest`."""
        await asyncio.to_thread(self._plugin.wait)


class Typist:
    """Types one document in one way."""

    def __init__(self, way: Way, trace: Trace, counts: Saved) -> None:
        self._way, self._counts = way, counts
        self._before, self._after = trace.before, trace.after
        self._left = trace.path.read_text(encoding="utf-8")
        self._keys_left = len(trace.keys)
        self._rhythm = Rhythm(trace.path.name)
        self._shown = NOTHING
        way.open(trace)

    async def press(self, keys: int) -> bool:
        """Presses so many keys, fewer at the end; tells whether there are more."""
        for _ in range(keys):
            if self._keys_left <= 0 or not self._left:
                return False
            await self._press()
        await self._way.rest()
        return True

    async def _press(self) -> None:
        counts, shown = self._counts, self._shown
        taken = best_taken(shown, self._left, self._after)
        text = self._left[: taken.right] if taken else user.key_of(self._left)
        worth = user.num_keys(text) if taken else 1
        counts.keys += worth
        counts.pressed += taken.keys if taken else 1
        counts.accepted += taken is not None
        self._keys_left -= worth
        self._left = self._left[len(text) :]
        is_taken = taken is not None and taken.inserted == text == shown.text
        self._shown = await self._way.insert(self._before, text, self._after, is_taken=is_taken)
        self._before += text
        counts.answers.append(self._shown)
        begins_line = not self._before.rpartition("\n")[2].strip()
        pause = self._rhythm.pause(begins_line=begins_line) / 1e3
        await asyncio.sleep(max(0.0, pause - self._shown.milliseconds / 1e3))


def best_taken(shown: Answer, left: str, after: str) -> Taken | None:
    """Returns what is taken of an answer: all or its first line, whatever saves more keys."""
    if not shown.text:
        return None
    line = user.first_line(shown.text)
    offers = [Offer(shown.text, shown.replaced), Offer(line, shown.replaced)]
    found = [user.take(offer, left, after) for offer in offers]
    able = [taken for taken in found if taken is not None]
    return max(able, key=lambda it: user.num_keys(left[: it.right]) - it.keys, default=None)


async def type_in_turns(ways: dict[str, Way], scripts: Sequence[Trace]) -> dict[str, Saved]:
    """Types every document in each way, some keys of one and then of the other."""
    counts = {name: Saved() for name in ways}
    for trace in scripts:
        typists = [Typist(way, trace, counts[name]) for name, way in ways.items()]
        while typists:
            typists = [typist for typist in typists if await typist.press(_BY_TURNS)]
    return counts


def _position(text: str) -> dict[str, int]:
    return {"line": text.count("\n"), "character": len(text.rpartition("\n")[2])}


async def measure(
    settings: dict[str, object], vim: LlamaVim | None, scripts: Sequence[Trace]
) -> dict[str, Saved]:
    """Returns the counts of fim-lsp with its defaults, and of llama.vim where there is a server.

    Args:
        settings: the model; else only what a made-up user must not change is set.
        vim: the plugin.
        scripts: what is typed.
    """
    with tempfile.TemporaryDirectory() as root:  # the documents are on the disk elsewhere
        sent = {**settings, "learnFromUse": False, "offerModels": False}
        async with Editor(sent, Path(root), COMMAND) as editor:
            ways: dict[str, Way] = {OURS: FimLsp(editor)}
            if vim is not None:
                ways[THEIRS] = Vim(vim)
            return await type_in_turns(ways, scripts)
