"""Draws the tour: the file with the suggestion in it, and below it what can be done."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, Group
from rich.text import Text

from fim_lsp.tour.document import Document

MIN_WIDTH, MIN_HEIGHT = 60, 16
"""Size of the smallest terminal that shows code and words together."""

_GUTTER = 6
_PANEL_ROWS = 8
"""Rows below the code: a rule, a heading, the words, a line of figures and the keys."""
_MAX_WORDS_WIDTH = 90
_GHOST = "italic grey58"
_BAR = "reverse"


@dataclass(frozen=True)
class View:
    """All that is said around the code."""

    heading: str
    words: str
    keys: str
    """Names of the keys that do something now, with what they do."""
    figures: str = ""


@dataclass(frozen=True)
class Picture:
    """Rows that fill the terminal, and the place of its cursor."""

    content: Group
    column: int
    row: int


def picture(view: View, document: Document, name: str, console: Console) -> Picture:
    """Returns the picture of now, for the size that the terminal has.

    A suggestion is grey and italic, or stands in « » where the terminal has no colors.
    """
    width, height = console.size
    rows = max(1, height - _PANEL_ROWS - 1)
    lines, column, row = _code(document, width, rows, has_colors=has_colors(console))
    words = Text(view.words).wrap(console, min(width - 2, _MAX_WORDS_WIDTH))
    panel = [
        Text("─" * width, style="dim"),
        Text(f" {view.heading}", style="bold"),
        *(Text(" ") + line for line in words),
    ]
    bottom = [Text(f" {view.figures}", style="dim"), _bar(f" {view.keys}", width)]
    panel = panel[: _PANEL_ROWS - len(bottom)]
    panel += [Text()] * (_PANEL_ROWS - len(bottom) - len(panel))
    title = _bar(f" fim-lsp demo{name.rjust(max(1, width - 14))} ", width)
    shown = [title, *lines, *panel, *bottom]
    for line in shown:
        line.no_wrap, line.overflow = True, "crop"
    return Picture(Group(*shown), column, row + 1)


def has_colors(console: Console) -> bool:
    """Tells whether a color can be seen; NO_COLOR and simple terminals say no."""
    return console.color_system is not None and not console.no_color


def _bar(text: str, width: int) -> Text:
    bar = Text(text, style=_BAR)
    bar.truncate(width, pad=True)
    return bar


def _code(
    document: Document, width: int, rows: int, *, has_colors: bool
) -> tuple[list[Text], int, int]:
    """Returns the lines around the cursor, and its column and row among them."""
    shown = Text(document.before)
    if document.ghost is not None:
        text = document.ghost.text
        shown.append(text if has_colors else f"«{text}»", style=_GHOST)
    behind = document.after[document.ghost.replaced :] if document.ghost else document.after
    shown.append(behind)
    lines = list(shown.split("\n", allow_blank=True))
    line = document.before.count("\n")
    top = max(0, min(line - rows * 2 // 3, len(lines) - rows))
    before = document.before[document.before.rfind("\n") + 1 :]
    hidden = _hidden(before, width - _GUTTER - 1)
    texts = [
        Text(f"{number + 1:>4}  ", style="dim") + lines[number][hidden:]
        for number in range(top, min(top + rows, len(lines)))
    ]
    texts += [Text()] * (rows - len(texts))
    return texts, _GUTTER + cell_len(before[hidden:]), line - top


def _hidden(before: str, width: int) -> int:
    """Returns how many characters must leave at the left for the cursor to be seen."""
    hidden = 0
    while cell_len(before[hidden:]) > width:
        hidden += 1 + width // 3
    return hidden
