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
from pathlib import Path

from tests.support.camera import Camera
from tests.support.terminal import Terminal

ROOT = Path(__file__).parents[1]
MEDIA = ROOT / "docs" / "media"
COLUMNS, ROWS = 80, 24
COMMAND = "uvx fim-lsp demo"


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
    camera.until("«()»")
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
            camera = Camera(terminal, columns=COLUMNS, rows=ROWS)
            play(camera)
    camera.develop(MEDIA, "demo")


if __name__ == "__main__":
    main()
