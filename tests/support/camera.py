"""Films a terminal while somebody uses it, and counts what that person decides."""

from __future__ import annotations

import time
from pathlib import Path

from tests.support import film
from tests.support.terminal import Terminal

_LOOK_SECONDS = 0.08
_SCENE_SECONDS = 1.5


class Camera:
    """A terminal whose pictures are kept; keys of a person are counted as decisions."""

    def __init__(self, terminal: Terminal, *, columns: int, rows: int) -> None:
        self._terminal = terminal
        self._begun = time.monotonic()
        self.film = film.Film(columns, rows)
        self.decisions = 0

    @property
    def seconds(self) -> float:
        """Time since the beginning."""
        return time.monotonic() - self._begun

    @property
    def lines(self) -> list[str]:
        """The text on the screen, row by row."""
        return self._terminal.lines

    def until(self, *texts: str) -> None:
        """Films until all of the texts are on the screen."""
        self._terminal.until(lambda: self._look() and all(t in self._terminal.text for t in texts))

    def until_prompt(self) -> None:
        """Films until the shell waits for a command on an otherwise empty line."""
        self._terminal.until(lambda: self._look() and [*filter(None, self.lines)][-1:] == ["$"])

    def until_ghost(self) -> None:
        """Films until there is ghost text."""
        self._terminal.until(lambda: self._look() and self._has_ghost())

    def rest(self, seconds: float) -> None:
        """Films for a while, as a person reads."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._terminal.look(_LOOK_SECONDS)
            self._look()

    def type(self, text: str) -> None:
        """Types a text key by key; that is one decision."""
        self.decisions += 1
        for key in text:
            self._terminal.press(key)
            self.rest(_LOOK_SECONDS)

    def enter(self, line: str) -> None:
        """Types a line and ends it, which is one decision."""
        self.type(line)
        self._terminal.press("Enter")

    def paste(self, *keys: str) -> None:
        """Enters what was copied, at once, with the keys around it; that is one decision."""
        self.decisions += 1
        self._terminal.press(*keys)

    def press(self, key: str) -> None:
        """Presses one key, which is one decision."""
        self.decisions += 1
        self._terminal.press(key)

    def scene(self, caption: str) -> None:
        """Keeps the picture of now, and looks at it for as long as a person would."""
        self.film.scenes.append((self.seconds, caption, self._picture()))
        self.rest(_SCENE_SECONDS)

    def develop(self, folder: Path, name: str) -> None:
        """Writes the film, its scenes as text, and one picture of them, and says how large they are."""
        folder.mkdir(exist_ok=True)
        for ending, write in (("cast", film.cast), ("txt", film.text), ("svg", film.svg)):
            path, content = folder / f"{name}.{ending}", write(self.film)
            path.write_text(content, encoding="utf-8")
            print(f"{path.name}: {len(content.encode()) / 1e3:.1f} kB")
        print(f"{self.seconds:.0f} s, {self.decisions} decisions")

    def _look(self) -> bool:
        self.film.add(self.seconds, self._picture())
        return True

    def _picture(self) -> film.Picture:
        return film.picture([self._terminal.cells(row) for row in range(self.film.rows)])

    def _has_ghost(self) -> bool:
        return any(run.is_ghost and run.text.strip() for row in self._picture() for run in row)
