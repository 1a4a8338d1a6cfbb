"""Keeps one document with the real server, and asks it after each key, as editors do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from fim_lsp.errors import FimLspError
from fim_lsp.replay.editor import Editor
from fim_lsp.replay.user import num_keys
from fim_lsp.tour.document import Document, Edit, Item


class Silence(NamedTuple):
    """The server's own words on a request that brought nothing."""

    reason: str
    remedy: str
    """Sentence on what the user can do; may be empty."""


class Pane:
    """One document on the disk and at the server."""

    def __init__(
        self, editor: Editor, path: Path, text: str, changed: Callable[[], None] = lambda: None
    ) -> None:
        """Opens the document.

        Args:
            editor: started already.
            path: the file, which is written at each `save`.
            text: content of the file; the cursor is before it.
            changed: called when there is something else to be seen.
        """
        self.document = Document("", text)
        self.silence: Silence | None = None
        """Reason for which nothing is suggested; None while that is not known."""
        self.answer_ms: float | None = None
        """Time from the last key that was answered to its answer."""
        self.keys = 0
        """Keys that were pressed to write or to take something."""
        self.written = 0
        """Keys that typing the same by hand would have taken."""
        self._editor, self._path, self._changed = editor, path, changed
        self._uri = path.as_uri()
        self._asked: asyncio.Task[None] | None = None
        self.save()
        editor.open(self._uri, "python", text)

    def save(self) -> None:
        """Writes the file."""
        self._path.write_text(self.document.text, encoding="utf-8")

    def press(self, text: str, keys: int = 1) -> None:
        """Writes a text at the cursor, for which some keys are pressed, and asks."""
        self._count(text, keys)
        self._send(self.document.insert(text))
        self.ask()

    async def type(self, text: str, pause_seconds: float) -> None:
        """Presses a key for each character, or writes all at once where there is no pause.

        Returns when the last question is answered.
        """
        if pause_seconds:
            for key in text:
                self.press(key)
                await asyncio.sleep(pause_seconds)
        elif text:
            self.press(text, len(text))
        await self.answered()

    def delete(self, count: int = 1) -> None:
        """Removes characters left of the cursor, and asks."""
        edit = self.document.delete(count)
        if edit is not None:
            self._send(edit)
            self.ask()

    def accept(self) -> None:
        """Takes the whole suggestion, and asks for the next one."""
        ghost = self.document.ghost
        if ghost is not None:
            self._take(ghost.text, ghost.replaced)
            self._editor.accepted(ghost.item)
            self.ask()

    def accept_word(self) -> None:
        """Takes the suggestion's first word; the rest stays to be seen."""
        ghost = self.document.ghost
        if ghost is None or ghost.word == ghost.text:
            self.accept()
            return
        self._take(ghost.word, 0)
        self._changed()

    def dismiss(self) -> None:
        """Takes the suggestion from the screen."""
        self.document.ghost = None
        self._changed()

    def ask(self) -> None:
        """Asks for a suggestion at the cursor; an older question is given up."""
        self._forget_question()
        self.silence = None
        self._asked = asyncio.ensure_future(self._answer())
        self._changed()

    async def answered(self) -> None:
        """Waits for the answer to the last question, and for its reason where it is empty."""
        while (asked := self._asked) is not None and not asked.done():
            await asyncio.wait({asked})

    def close(self) -> None:
        """Closes the document."""
        self._forget_question()
        self._editor.close(self._uri)

    def _take(self, text: str, replaced: int) -> None:
        self._count(text, 1)
        self._send(self.document.insert(text, replaced))

    def _count(self, text: str, keys: int) -> None:
        self.keys += keys
        self.written += num_keys(text)

    def _send(self, edit: Edit) -> None:
        self._editor.change(self._uri, edit.start, edit.end, edit.text)

    def _forget_question(self) -> None:
        if self._asked is not None:
            self._asked.cancel()

    async def _answer(self) -> None:
        try:
            await self._look_up()
        except FimLspError as error:
            self.document.ghost, self.silence = None, Silence(str(error), "")
        self._changed()

    async def _look_up(self) -> None:
        begun = time.perf_counter()
        result: Any = await self._editor.ask(self._uri, self.document.position)
        items: list[Item] = (result or {}).get("items", [])
        if items:
            self.answer_ms = (time.perf_counter() - begun) * 1e3
            self.document.offer(items[0])
        else:
            self.document.ghost = None
            self.silence = await self._reason()

    async def _reason(self) -> Silence | None:
        told = await self._editor.request("fimLsp/explain", {"uri": self._uri, "limit": 1})
        for trace in told["traces"]:
            return Silence(trace["reason"], trace.get("remedy", ""))
        return None
