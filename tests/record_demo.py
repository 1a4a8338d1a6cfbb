"""Films a person who tries the demo in an empty folder: `make film` runs this.

The program comes from this clone, as a wheel; `uvx` fetches what it needs, as it does for a person.
docs/media has the film (asciinema's format), its scenes as text, and one picture of them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.support import film
from tests.support.terminal import Terminal

ROOT = Path(__file__).parents[1]
MEDIA = ROOT / "docs" / "media"
COLUMNS, ROWS = 80, 24
COMMAND = "uvx fim-lsp demo"
_LOOK_SECONDS = 0.08


class Camera:
    """A terminal whose pictures are kept; keys of a person are counted as decisions."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._begun = time.monotonic()
        self.film = film.Film(COLUMNS, ROWS)
        self.decisions = 0

    @property
    def seconds(self) -> float:
        """Time since the beginning."""
        return time.monotonic() - self._begun

    def until(self, *texts: str) -> None:
        """Films until all of the texts are on the screen."""
        self._terminal.until(lambda: self._look() and all(t in self._terminal.text for t in texts))

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

    def press(self, key: str) -> None:
        """Presses one key, which is one decision."""
        self.decisions += 1
        self._terminal.press(key)

    def scene(self, caption: str) -> None:
        """Keeps the picture of now, and looks at it for as long as a person would."""
        shown = film.picture([self._terminal.cells(row) for row in range(ROWS)])
        self.film.scenes.append((self.seconds, caption, shown))
        self.rest(1.5)

    def _look(self) -> bool:
        shown = film.picture([self._terminal.cells(row) for row in range(ROWS)])
        self.film.add(self.seconds, shown)
        return True


def play(camera: Camera) -> None:
    """Does what a person does who has read the command somewhere."""
    camera.until("$")
    camera.type(COMMAND)
    camera.press("Enter")
    camera.until("1 of 5", "Suggested after")
    camera.scene(f"{COMMAND}, in an empty folder: the first suggestion")
    camera.press("Tab")
    camera.until("2 of 5", "Suggested after")
    camera.scene("Tab has taken it; the next is taken word by word")
    camera.press("Ctrl+Right")
    camera.until("« = size»")
    camera.scene("Ctrl+Right has taken a word")
    camera.press("Tab")
    camera.until("3 of 5", "Why:")
    camera.scene("Silence, with its reason and a remedy")
    camera.press("Enter")
    camera.until("4 of 5", "Suggested after")
    camera.scene("A wrong suggestion")
    camera.press("Esc")
    camera.until("5 of 5")
    camera.type("return su")
    camera.until("Suggested after")
    camera.scene("The person types")
    camera.press("Tab")
    camera.rest(1.0)
    camera.press("Ctrl+C")
    camera.until("fim-lsp setup")
    camera.rest(0.5)
    camera.scene("The lines for the editors on this machine")


def main() -> None:
    """Builds the wheel, films, and writes docs/media.

    Raises:
        SystemExit: uv is not installed.
    """
    uv = shutil.which("uv")
    if uv is None:
        sys.exit("uv is not installed; see https://docs.astral.sh/uv, or: pip install uv")
    with tempfile.TemporaryDirectory() as folder:
        wheels, empty = Path(folder) / "wheels", Path(folder) / "empty"
        empty.mkdir()
        subprocess.run([uv, "build", "--quiet", "--wheel", "--out-dir", wheels, ROOT], check=True)
        environment = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            "UV_FIND_LINKS": str(wheels),
            "TERM": "xterm-256color",
            "HOME": str(empty),  # nobody's editors, settings or models
            "UV_CACHE_DIR": str(Path(folder) / "cache"),
            "XDG_DATA_HOME": str(Path(folder) / "data"),
            "XDG_CACHE_HOME": str(Path(folder) / "forms"),
            "PS1": "$ ",
        }
        shell = ["/bin/bash", "--norc", "--noprofile"]
        with Terminal(
            shell, cwd=str(empty), environment=environment, columns=COLUMNS, rows=ROWS
        ) as terminal:
            camera = Camera(terminal)
            play(camera)
    MEDIA.mkdir(exist_ok=True)
    for name, content in (
        ("demo.cast", film.cast(camera.film)),
        ("demo.txt", film.text(camera.film)),
        ("demo.svg", film.svg(camera.film)),
    ):
        (MEDIA / name).write_text(content, encoding="utf-8")
        print(f"docs/media/{name}: {len(content.encode()) / 1e3:.1f} kB")
    print(f"{camera.seconds:.0f} s, {camera.decisions} decisions")


if __name__ == "__main__":
    main()
