"""Records what a terminal shows as a film: asciinema's format, text of each scene, and a picture.

asciinema's format: https://docs.asciinema.org/manual/asciicast/v2/.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from html import escape
from itertools import groupby
from typing import Any, NamedTuple

_MAX_GAP_SECONDS = 1.5
"""Longest time for which a film stands still; waiting for a download is not worth watching."""
_FRAME_SECONDS = 0.15
_CELL_WIDTH, _LINE_HEIGHT, _MARGIN = 8.4, 18, 10
_SCENE_SECONDS = 3


class Run(NamedTuple):
    """Characters of a row that look alike."""

    text: str
    is_ghost: bool
    is_bold: bool
    is_reverse: bool


Picture = list[list[Run]]
"""The rows of a screen."""


@dataclass
class Film:
    """The pictures of one terminal, with their times, and those that a caption belongs to."""

    columns: int
    rows: int
    pictures: list[tuple[float, Picture]] = field(default_factory=list)
    scenes: list[tuple[float, str, Picture]] = field(default_factory=list)
    """Seconds since the beginning, caption, and picture of what a person looks at."""

    def add(self, seconds: float, picture: Picture) -> None:
        """Adds a picture if it differs from the last one, and has been there long enough."""
        if self.pictures:
            last, shown = self.pictures[-1]
            if shown == picture or seconds - last < _FRAME_SECONDS:
                return
        self.pictures.append((seconds, picture))


def picture(cells: list[list[Any]]) -> Picture:
    """Returns a screen as runs of characters that look alike."""
    rows = []
    for row in cells:
        kinds = groupby(row, key=lambda cell: (cell.italics, cell.bold, cell.reverse))
        rows.append([Run("".join(one.data for one in group), *kind) for kind, group in kinds])
    return rows


def cast(film: Film) -> str:
    """Returns a film in asciinema's format, in which only rows that change are written."""
    lines = [json.dumps({"version": 2, "width": film.columns, "height": film.rows})]
    known: Picture = [[] for _ in range(film.rows)]
    now, last = 0.0, 0.0
    for seconds, shown in film.pictures:
        now += min(seconds - last, _MAX_GAP_SECONDS)
        last = seconds
        changed = "".join(
            f"\x1b[{number};1H\x1b[0m\x1b[2K{''.join(map(_ansi, row)).rstrip()}"
            for number, (row, before) in enumerate(zip(shown, known, strict=True), 1)
            if row != before
        )
        lines.append(json.dumps([round(now, 2), "o", changed], ensure_ascii=False))
        known = shown
    return "\n".join(lines) + "\n"


def text(film: Film) -> str:
    """Returns every scene as text, below its time and caption."""
    parts = []
    for seconds, caption, shown in film.scenes:
        rows = ("".join(map(_marked, row)).rstrip() for row in shown)
        screen = "\n".join(f"| {row}".rstrip() for row in rows).rstrip("|\n")
        parts.append(f"{seconds:.0f} s: {caption}\n\n{screen}\n")
    return "\n".join(parts)


def svg(film: Film) -> str:
    """Returns the scenes as one picture that shows them in turn; still where motion is unwanted."""
    width = round(film.columns * _CELL_WIDTH + 2 * _MARGIN)
    height = film.rows * _LINE_HEIGHT + 2 * _MARGIN
    count = len(film.scenes)
    share = 100 / count
    style = (
        f"text{{font:14px ui-monospace,Menlo,Consolas,monospace;fill:#d4d4d4;white-space:pre}}"
        f".g{{fill:#8a8a8a;font-style:italic}}.b{{font-weight:bold}}.r{{fill:#1e1e1e}}"
        f".f{{opacity:0;animation:f {count * _SCENE_SECONDS}s step-end infinite}}"
        f"@keyframes f{{0%{{opacity:1}}{share:.3f}%{{opacity:0}}}}"
        f"@media (prefers-reduced-motion){{.f{{animation:none}}.f.s{{opacity:1}}}}"
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        f"<title>{escape(film.scenes[0][1])}, and what follows</title>",
        f'<style>{style}</style><rect width="100%" height="100%" rx="6" fill="#1e1e1e"/>',
    ]
    for number, (_, _, shown) in enumerate(film.scenes):
        still = " s" if number == 1 else ""
        parts.append(
            f'<g class="f{still}" style="animation-delay:{number * _SCENE_SECONDS}s">'
            f"{''.join(_svg_row(row, at, film.columns) for at, row in enumerate(shown))}</g>"
        )
    return "\n".join([*parts, "</svg>\n"])


def _svg_row(row: list[Run], number: int, columns: int) -> str:
    top = _MARGIN + number * _LINE_HEIGHT
    spans, bars, column = [], "", 0
    for run in row:
        kinds = ("g", run.is_ghost), ("b", run.is_bold), ("r", run.is_reverse)
        names = " ".join(name for name, is_so in kinds if is_so)
        kind = f' class="{names}"' if names else ""
        if run.text.strip():
            spans.append(f"<tspan{kind}>{escape(run.text)}</tspan>")
        else:
            spans.append(run.text)
        if run.is_reverse:
            bars += (
                f'<rect x="{_MARGIN + column * _CELL_WIDTH:.1f}" y="{top}" fill="#d4d4d4" '
                f'width="{len(run.text) * _CELL_WIDTH:.1f}" height="{_LINE_HEIGHT}"/>'
            )
        column += len(run.text)
    content = "".join(spans).rstrip()
    if not content:
        return bars
    return f'{bars}<text x="{_MARGIN}" y="{top + 14}">{content}</text>'


def _marked(run: Run) -> str:
    return f"«{run.text}»" if run.is_ghost else run.text


def _ansi(run: Run) -> str:
    styles = ((run.is_ghost, "3;38;5;246"), (run.is_bold, "1"), (run.is_reverse, "7"))
    codes = ";".join(code for is_so, code in styles if is_so)
    return f"\x1b[{codes}m{run.text}\x1b[0m" if codes else run.text
