"""Starts the server of the tour, and shows the tour in one of its two forms."""

from __future__ import annotations

import asyncio
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.control import Control

from fim_lsp.replay.editor import COMMAND, Editor
from fim_lsp.tour import page
from fim_lsp.tour.document import Document
from fim_lsp.tour.guide import Guide
from fim_lsp.tour.keys import Key, Keyboard, Press
from fim_lsp.tour.pane import Pane
from fim_lsp.tour.screen import View, picture
from fim_lsp.tour.script import FILE_NAME, text_with_gaps
from model_runtime.engines import registry

_SETTINGS = {
    "learnFromUse": False,
    "timeLimitMs": 0,
    "idleWork": False,
    "engine": registry.PREDICTED,
}
"""Settings that learn nothing from the user, and show the same on slow machines as on fast ones.

The engine is the one that every installation has: others round otherwise.
"""

_STARTS = View("The server starts, and loads the model.", "", "Ctrl+C: leave")


class Tally(NamedTuple):
    """Figures of one tour."""

    model: str
    engine: str
    ready_seconds: float
    keys: int
    characters: int


async def print_tour(settings: Mapping[str, Any], console: Console) -> Tally:
    """Prints the tour as text; returns its figures.

    Raises:
        FimLspError: the server or its model does not work.
    """
    with _folder() as root:
        begun = time.perf_counter()
        async with _editor(settings, root) as editor:
            ready_seconds = time.perf_counter() - begun
            pane = Pane(editor, root / FILE_NAME, text_with_gaps())
            await page.show(pane, console)
            return _tally(editor, pane, ready_seconds)


async def show_tour(
    settings: Mapping[str, Any], console: Console, *, has_motion: bool
) -> Tally | None:
    """Shows the tour on the whole terminal until the person leaves.

    Args:
        settings: those that the server is told.
        console: a terminal that has keys.
        has_motion: whether text is typed key by key, or appears at once.

    Returns:
        The figures; None if the person left before the model was ready.

    Raises:
        FimLspError: the server or its model does not work.
    """
    tour: asyncio.Task[Tally]
    document = Document("", text_with_gaps())
    guide: Guide | None = None
    shown = _STARTS
    tally: Tally | None = None

    def draw(view: View) -> None:
        nonlocal shown
        shown = view
        drawn = picture(view, document, FILE_NAME, console)
        with console:  # sends all of it at once
            console.control(Control.show_cursor(False), Control.home())
            screen.update(drawn.content)
            console.control(Control.move_to(drawn.column, drawn.row), Control.show_cursor(True))

    def redraw() -> None:
        if guide is not None:
            guide.redraw()

    def press(key: Press) -> None:
        if key is Key.LEAVE:
            tour.cancel()
        elif guide is not None:
            guide.press(key)

    async def lead(root: Path) -> Tally:
        nonlocal document, guide, tally
        begun = time.perf_counter()
        async with _editor(settings, root) as editor:
            ready_seconds = time.perf_counter() - begun
            pane = Pane(editor, root / FILE_NAME, text_with_gaps(), redraw)
            document, guide = pane.document, Guide(pane, draw, has_motion=has_motion)
            try:
                await guide.lead()
            finally:
                tally = _tally(editor, pane, ready_seconds)
        return tally

    with _folder() as root, console.screen(hide_cursor=False) as screen, Keyboard(press):
        tour = asyncio.ensure_future(lead(root))
        draw(_STARTS)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGWINCH, lambda: draw(shown))
        for ending in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(ending, tour.cancel)
        await asyncio.wait({tour})
    if not tour.cancelled():
        tour.result()
    return tally


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="fim-lsp-demo-") as folder:
        yield Path(folder).resolve()


def _editor(settings: Mapping[str, Any], root: Path) -> Editor:
    # Whatever libraries print would stand in the middle of the screen.
    return Editor({**_SETTINGS, **settings}, root, COMMAND, stderr=asyncio.subprocess.DEVNULL)


def _tally(editor: Editor, pane: Pane, ready_seconds: float) -> Tally:
    status = editor.status
    return Tally(
        status.get("model", ""), status.get("engine", ""), ready_seconds, pane.keys, pane.written
    )
