"""Films a person who sets up Neovim and accepts a first suggestion: `make film-neovim` runs this.

The model must be on this machine (`fim-runtime models add qwen2.5-coder-0.5b`); all else is that of
a new user.  docs/media has the film (asciinema's format), its scenes as text, and one picture of
them.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from platformdirs import user_cache_path

from model_runtime.store import installed
from tests.editors.first_minutes import COLUMNS, ROWS, Walk, at_home, walk
from tests.support.camera import Camera

MEDIA = Path(__file__).parents[1] / "docs" / "media"
MODEL = "qwen2.5-coder-0.5b"
TEXT = '''\
"""The stock of a shop."""


class Stock:
    """Counts articles by name."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def add(self, name: str, count: int) -> None:
        self.counts[name] = self.counts.get(name, 0) + count'''
TYPED = "\r\x7fdef total(self) -> int:\rreturn sum(self."
"""An empty line, a level less of indentation, and a method that lacks its end."""


def main() -> None:
    """Films, and writes docs/media.

    Raises:
        SystemExit: Neovim or the model is not there.
    """
    neovim = os.environ.get("FIM_LSP_NVIM")
    if not neovim:
        sys.exit("FIM_LSP_NVIM names no Neovim; make film-neovim installs one")
    if MODEL not in [entry.name for entry in installed.list_models()]:
        sys.exit(f"the model is not on this machine: fim-runtime models add {MODEL}")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        for there, here in (
            (installed.models_folder(), home / ".local/share/fim-lsp/models"),
            (user_cache_path("fim-lsp", appauthor=False), home / ".cache/fim-lsp"),
        ):
            here.parent.mkdir(parents=True)
            here.symlink_to(there)
        given = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
        given["PATH"] = f"{Path(sys.executable).parent}:{given['PATH']}"
        with at_home(home, given, neovim) as terminal:
            camera = Camera(terminal, columns=COLUMNS, rows=ROWS)
            walked = walk(camera, home, Walk(MODEL, f"{MODEL} is ready", TEXT, TYPED))
    camera.develop(MEDIA, "neovim")
    print(f"accepted after {walked.seconds:.0f} s and {walked.decisions} decisions")


if __name__ == "__main__":
    main()
