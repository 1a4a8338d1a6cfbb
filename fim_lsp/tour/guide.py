"""Leads through the tour on a screen: types, and waits for the keys of each step."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from fim_lsp.tour import filling
from fim_lsp.tour.keys import Key, Press
from fim_lsp.tour.pane import Pane
from fim_lsp.tour.screen import View
from fim_lsp.tour.script import END, STEPS, TO_TRY, Action, Step, places

_LOOK_SECONDS = 0.8
"""Time to see what a key has done, before the tour goes on."""

_KEYS = {
    Action.TAKE: "Tab: take it",
    Action.TAKE_WORD: "Ctrl+Right or Alt+Right: a word  Tab: all",
    Action.DISMISS: "Esc: dismiss it",
    Action.GO_ON: "Tab: take it  Esc: dismiss it",
}
_LEAVE = "  Ctrl+C: leave"
_GO_ON = f"Enter: go on{_LEAVE}"
_TYPING_KEYS = f"Tab: take  Ctrl+Right: a word  Esc: dismiss{_LEAVE}"
_WAITS = "This step waits for a key of the last line; at the end you type yourself."
_PAUSE_SECONDS = 0.045


class Guide:
    """One person's tour."""

    def __init__(self, pane: Pane, draw: Callable[[View], None], *, has_motion: bool) -> None:
        """Notes with what to work.

        Args:
            pane: the document.
            draw: shows what is said beside it.
            has_motion: whether text is typed key by key, or appears at once.
        """
        self._pane, self._draw = pane, draw
        self._pause_seconds = _PAUSE_SECONDS if has_motion else 0.0
        self._keys: asyncio.Queue[Press] = asyncio.Queue()
        self._view: Callable[[], View] | None = None

    def press(self, key: Press) -> None:
        """Takes a key of the person; the step that waits for it gets it."""
        self._keys.put_nowait(key)

    def redraw(self) -> None:
        """Shows what has changed."""
        if self._view is not None:
            pane = self._pane
            figures = f"{pane.keys} keys for {pane.written} characters"
            self._draw(replace(self._view(), figures=figures))

    async def lead(self) -> None:
        """Goes through all steps, and ends when the person leaves."""
        for number, (offset, step) in enumerate(places(), 1):
            heading = f"{number} of {len(STEPS) + 1}: {step.title}"
            self._show(lambda: View(heading, "", f"The file is being typed{_LEAVE}"))  # noqa: B023
            self._pane.document.move(offset)
            await self._pane.type(step.typed, self._pause_seconds)
            await self._turn(heading, step)
            await asyncio.sleep(_LOOK_SECONDS)
            await filling.complete(self._pane, offset, step, self._pause_seconds)
            self._pane.save()
        offset += len(step.typed + step.rest + END)
        await self._typing(offset)

    def _show(self, view: Callable[[], View]) -> None:
        self._view = view
        self.redraw()

    async def _turn(self, heading: str, step: Step) -> None:
        """Waits until what the step has brought is taken or dismissed."""
        pane, note = self._pane, ""

        def view() -> View:
            if pane.document.ghost is None:
                return View(heading, f"{step.words}\n{filling.silence(pane)}", _GO_ON)
            words = f"{step.words}\n{filling.suggestion(pane)}"
            return View(heading, f"{words}\n{note}", f"{_KEYS[step.action]}{_LEAVE}")

        while not self._keys.empty():
            self._keys.get_nowait()  # pressed before there was anything to be seen
        self._show(view)
        if pane.document.ghost is None:
            while await self._keys.get() not in (Key.ENTER, Key.TAB, Key.ESCAPE):
                pass
        while pane.document.ghost is not None:
            key = await self._keys.get()
            if key is Key.TAB:
                self._show(lambda: View(heading, step.words, _LEAVE.strip()))
                pane.accept()
                return
            if key is Key.WORD:
                pane.accept_word()
            elif key is Key.ESCAPE:
                pane.dismiss()
            else:
                note = _WAITS
                self.redraw()

    async def _typing(self, offset: int) -> None:
        """Lets the person type at the end of the file."""
        pane = self._pane
        heading = f"{len(STEPS) + 1} of {len(STEPS) + 1}: Your turn"
        words = f"Type what you like, as in: {TO_TRY}"

        def view() -> View:
            told = filling.suggestion(pane) if pane.document.ghost else filling.silence(pane)
            return View(heading, f"{words}\n{told}", _TYPING_KEYS)

        pane.document.move(offset)
        self._show(view)
        while True:
            self._typed(await self._keys.get())
            pane.save()

    def _typed(self, key: Press) -> None:
        pane, document = self._pane, self._pane.document
        if isinstance(key, str):
            pane.press(key)
        elif key is Key.TAB and document.ghost is None:
            pane.press("    ")
        elif key is Key.TAB:
            pane.accept()
        elif key is Key.WORD:
            pane.accept_word()
        elif key is Key.ESCAPE:
            pane.dismiss()
        elif key is Key.ENTER:
            pane.press(document.line_break)
        elif key is Key.BACKSPACE:
            pane.delete()
        elif key in (Key.LEFT, Key.RIGHT):
            document.move(len(document.before) + (1 if key is Key.RIGHT else -1))
        elif key in (Key.UP, Key.DOWN):
            document.move_lines(1 if key is Key.DOWN else -1)
        self.redraw()
