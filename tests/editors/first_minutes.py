"""Walks from `vim.lsp.enable` to the first accepted suggestion, in a terminal, as a person does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.editors.document import ROOT, snippets
from tests.support.camera import Camera
from tests.support.terminal import Terminal

COLUMNS, ROWS = 90, 28
FILE = "stock.py"
_FOR_THE_FILM = """\
highlight ComplHint cterm=italic gui=italic
lua vim.lsp.config('fim_lsp', { init_options = { offerModels = false } })
"""
"""Ghost text has the color of other things as well, and only italics tell a film which is which.

The offer of a model would come at any moment and take the place of another message.
"""


@dataclass(frozen=True)
class Walk:
    """The model of a walk, and the file that is edited."""

    model: str
    """Name of the model, as `:FimLsp models` lists it."""
    told: str
    """Message that ends the choice of the model."""
    text: str
    """Text of the file before the walk."""
    typed: str
    """Text that is typed at its end."""


def at_home(home: Path, environment: Mapping[str, str], neovim: str) -> Terminal:
    """Starts a shell in a home that has no configuration, with Neovim on its PATH."""
    programs, plugins = home / "bin", home / ".local/share/nvim/site/plugin"
    for folder in (programs, plugins, home / ".config/nvim"):
        folder.mkdir(parents=True)
    (programs / "nvim").symlink_to(neovim)
    (plugins / "film.vim").write_text(_FOR_THE_FILM, "utf-8")
    given = {
        **environment,
        "HOME": str(home),
        "PATH": f"{programs}:{environment['PATH']}",
        "TERM": "xterm-256color",
        "PS1": "$ ",
    }
    shell = ["/bin/bash", "--norc", "--noprofile"]
    return Terminal(shell, cwd=str(home), environment=given, columns=COLUMNS, rows=ROWS)


@dataclass(frozen=True)
class Walked:
    """Time and decisions until the first suggestion was accepted."""

    seconds: float
    decisions: int


def walk(camera: Camera, home: Path, what: Walk) -> Walked:
    """Walks, and tells what it took until the suggestion was accepted."""
    (home / FILE).write_text(what.text, "utf-8")
    camera.until("$")
    [install] = snippets("Neovim 0.12", "sh")
    camera.paste(install.strip().replace("\n", " && ").replace("$PWD", str(ROOT)), "Enter")
    camera.enter("nvim .config/nvim/init.lua")
    camera.until("All")
    lines = snippets("Neovim 0.12", "lua")[0].rstrip()
    camera.paste(f"\x1b[200~{lines}\x1b[201~")  # as a terminal marks what is pasted
    camera.until(lines.splitlines()[-1])
    camera.scene("The lines that switch it on")
    camera.enter(":wq")
    camera.until_prompt()
    camera.enter(f"nvim {FILE}")
    camera.until("FIM 1:1")
    camera.enter(":FimLsp models")
    camera.until("Type number")
    camera.scene("The models that are here, and those that can be had")
    [number] = [row.split(":")[0] for row in camera.lines if re.match(rf"\d+: {what.model} ", row)]
    camera.enter(number)
    camera.until(what.told)
    camera.scene("The model is ready")
    camera.type(f"Go{what.typed}")
    camera.until_ghost()
    camera.rest(3.0)  # for a longer suggestion to take its place
    camera.scene("The first suggestion")
    camera.press("Tab")
    walked = Walked(camera.seconds, camera.decisions)
    camera.rest(1.0)
    camera.scene("Tab has taken it")
    camera.enter("\x1b:FimLsp")
    camera.until("Ready: ")  # the marks of Markdown are hidden
    camera.scene(":FimLsp, the state of the server and its commands")
    camera.enter(":wqa")
    camera.until_prompt()
    return walked
