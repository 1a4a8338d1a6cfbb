"""Types one script into the real server, key by key, and counts."""

from __future__ import annotations

import asyncio
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fim_lsp.completion.reasons import RequestOutcome
from fim_lsp.replay import user
from fim_lsp.replay.editor import Editor, Message
from fim_lsp.replay.figures import Figures
from fim_lsp.replay.rhythm import Rhythm
from fim_lsp.replay.script import Script
from fim_lsp.replay.user import Offer, Taken

_KEPT_AFTER_MS = 30_000.0
_EXPLAIN_EVERY = 40
"""Requests between two looks at the traces, of which the server keeps the last 50."""
_USUAL_DEBOUNCE_MS = 60.0
_TIMEOUT_SECONDS = 60.0

Take = Callable[[Offer, str, str], "Taken | None"]


@dataclass(frozen=True, slots=True)
class Manner:
    """A way of typing."""

    is_fast: bool
    """Whether keys follow without a pause, and every answer is waited for."""
    take: Take = user.take
    max_keys: int = 0
    """Keys of each script that are typed; 0 for all."""


@dataclass(slots=True)
class _Screen:
    """The suggestion that the user sees."""

    offer: Offer
    item: Message
    is_right: bool


@dataclass(slots=True)
class _Document:
    """Text with the cursor in it; each character knows which accept wrote it (0: none)."""

    before: str
    after: str
    owners: array[int] = field(default_factory=lambda: array("L"))

    def __post_init__(self) -> None:
        self.owners = array("L", bytes(array("L").itemsize * len(self.before + self.after)))

    def move_to(self, offset: int) -> None:
        text = self.before + self.after
        self.before, self.after = text[:offset], text[offset:]

    def replace(self, deleted: int, removed: int, text: str, owner: int = 0) -> None:
        """Deletes backwards and forwards, then inserts, and stands behind it."""
        start = len(self.before) - deleted
        self.before = self.before[:start] + text
        self.owners[start : start + deleted + removed] = array("L", [owner] * len(text))
        self.after = self.after[removed:]

    def position(self, back: int = 0, forward: int = 0) -> Message:
        """Returns LSP's position of the cursor, or of a place some characters away."""
        text = self.before[: len(self.before) - back] + self.after[:forward]
        return {"line": text.count("\n"), "character": len(text) - text.rfind("\n") - 1}


class Typist:
    """Types one script."""

    def __init__(self, editor: Editor, script: Script, manner: Manner, rhythm: Rhythm) -> None:
        self._editor, self._script, self._manner, self._rhythm = editor, script, manner, rhythm
        self._uri = script.path.as_uri()
        self._document = _Document(script.before, "")
        self._figures = Figures()
        self._screen: _Screen | None = None
        self._clock_ms = 0.0
        """Time in the replay: the pauses, whether they were waited for or not."""
        self._accepted: list[tuple[float, int]] = []
        """Times in the replay at which to count what is left of an acceptance, and its number."""
        self._last_trace = 0

    async def type(self) -> Figures:
        """Types all of it, and returns the counts."""
        editor, document = self._editor, self._document
        cpu = editor.cpu_seconds()
        await self._note_traces(count=False)
        editor.open(self._uri, self._script.language, self._script.before)
        for insertion in self._script.insertions:
            document.move_to(insertion.offset)
            if insertion.removed:
                self._edit(0, insertion.removed, "")
            if not await self._insert(insertion.text):
                break
        self._dismiss()
        await self._note_traces()
        self._look_again(at_end=True)
        after = editor.cpu_seconds()
        if cpu is not None and after is not None:
            self._figures.cpu_seconds = after - cpu
        return self._figures

    async def _insert(self, rest: str) -> bool:
        """Types a text at the cursor; tells whether the keys sufficed."""
        figures, document = self._figures, self._document
        while rest:
            if self._manner.max_keys and figures.keys >= self._manner.max_keys:
                return False
            taken = self._take(rest)
            if taken is not None:
                figures.keys += user.num_keys(rest[: taken.right])
                figures.pressed += taken.keys
                rest = rest[taken.right :]
            else:
                key = user.key_of(rest)
                figures.keys += 1
                figures.pressed += 1
                self._edit(0, 0, key)
                rest = rest[len(key) :]
                self._type_through(key)
            begins_line = document.before.endswith("\n") or not document.before.strip()
            await self._look(rest, self._rhythm.pause(begins_line=begins_line))
        self._dismiss()
        return True

    def _take(self, rest: str) -> Taken | None:
        """Takes what is shown, if it is worth it, and mends it."""
        screen = self._screen
        if screen is None:
            return None
        taken = self._manner.take(screen.offer, rest, self._document.after)
        if taken is None:
            return None
        figures, document = self._figures, self._document
        number = figures.accepted = figures.accepted + 1
        figures.accepted_characters += len(taken.inserted)
        gone = document.after[: taken.replaced]
        self._edit(0, taken.replaced, taken.inserted, number)
        if taken.inserted == screen.offer.text:
            self._editor.accepted(screen.item)
        surplus = taken.inserted[taken.right :]
        if taken.replaced and surplus == gone:
            # It wrote again what it replaced: nothing to mend, and the cursor stays before it.
            document.move_to(len(document.before) - len(surplus))
        elif surplus or gone:
            self._edit(len(surplus), 0, gone)
            document.move_to(len(document.before) - len(gone))
        self._accepted.append((self._clock_ms + _KEPT_AFTER_MS, number))
        self._screen = None
        return taken

    async def _look(self, rest: str, pause_ms: float) -> None:
        """Asks, and sees what comes before the next key."""
        figures = self._figures
        figures.requests += 1
        sent = time.perf_counter()
        answer = self._editor.ask(self._uri, self._document.position())
        wait = _TIMEOUT_SECONDS if self._manner.is_fast else pause_ms / 1e3
        await asyncio.wait({answer}, timeout=wait)
        self._clock_ms += pause_ms
        self._look_again()
        if not answer.done():
            figures.late += 1
            return
        milliseconds = (time.perf_counter() - sent) * 1e3
        result = answer.result()
        if result is not None:
            self._show(result["items"], rest, milliseconds)
        if self._manner.is_fast:
            figures.late += milliseconds + _USUAL_DEBOUNCE_MS > pause_ms
        else:
            await asyncio.sleep(max(0.0, pause_ms / 1e3 - (time.perf_counter() - sent)))
        if figures.requests % _EXPLAIN_EVERY == 0:
            await self._note_traces()

    def _show(self, items: list[Message], rest: str, milliseconds: float) -> None:
        """Puts an answer on the screen; an empty one clears it."""
        if not items:
            self._dismiss()
            return
        self._figures.latencies_ms.append(milliseconds)
        item = items[0]
        start, end = item["range"]["start"], item["range"]["end"]
        here = self._document.position()
        back = here["character"] - start["character"]
        offer = Offer(item["insertText"][back:], end["character"] - here["character"])
        known = self._screen
        if known is None or not _continues(known.offer.text, offer.text):
            self._dismiss()
            self._figures.shown += 1
        is_right = user.is_right(offer, rest, self._document.after)
        self._screen = _Screen(offer, item, is_right)

    def _type_through(self, key: str) -> None:
        screen = self._screen
        if screen is None:
            return
        if screen.offer.text.startswith(key) and len(screen.offer.text) > len(key):
            screen.offer = screen.offer._replace(text=screen.offer.text[len(key) :])
        else:
            self._dismiss()

    def _dismiss(self) -> None:
        """Takes from the screen what was shown and not accepted."""
        if self._screen is not None:
            self._figures.passed += self._screen.is_right
            self._figures.wrong += not self._screen.is_right
        self._screen = None

    def _edit(self, deleted: int, removed: int, text: str, owner: int = 0) -> None:
        document = self._document
        start, end = document.position(back=deleted), document.position(forward=removed)
        self._editor.change(self._uri, start, end, text)
        document.replace(deleted, removed, text, owner)

    def _look_again(self, *, at_end: bool = False) -> None:
        """Counts what is left of what was accepted 30 s ago."""
        while self._accepted and (at_end or self._accepted[0][0] <= self._clock_ms):
            _, number = self._accepted.pop(0)
            self._figures.kept_characters += self._document.owners.count(number)

    async def _note_traces(self, *, count: bool = True) -> None:
        """Fetches the server's reasons for what it did since the last time."""
        answer: dict[str, Any] = await self._editor.request("fimLsp/explain", {})
        traces: list[dict[str, Any]] = answer["traces"]
        for trace in traces:
            if not count or trace["number"] <= self._last_trace:
                continue
            if trace["outcome"] == RequestOutcome.SHOWN.value:
                self._figures.sources[trace["source"]] += 1
            else:
                self._figures.silences[trace["reasonCode"] or trace["outcome"]] += 1
            self._figures.rules.update(trace.get("rules", ()))
        if traces:
            self._last_trace = traces[0]["number"]


def _continues(old: str, new: str) -> bool:
    """Tells whether the user sees the same suggestion, perhaps longer or shorter."""
    return old.startswith(new) or new.startswith(old)
