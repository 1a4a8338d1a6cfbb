"""The editors for which `fim-lsp setup` has lines, where they belong, and how they get there."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from fim_lsp.errors import FimLspError

_LINES = "editor_lines"


@dataclass(frozen=True, slots=True)
class KnownEditor:
    """An editor, and what its user adds to its configuration."""

    name: str
    """Name on the command line."""
    title: str
    programs: tuple[str, ...]
    """Commands that start it; one of them is on PATH where it is installed."""
    lines: str
    """Name of the file with the lines."""
    place: str
    """Place of the lines, in words or as a path below the home folder."""
    before: str = ""
    """Sentence that says what to do first; may be empty."""
    after: str = "Open a file and type."
    """Sentence that says what to do afterwards."""
    is_code: bool = False
    """True where the configuration is a program, to whose end lines can be added."""

    @property
    def program(self) -> str | None:
        """Path of the editor on this machine; None where it is not on PATH."""
        return next(filter(None, map(shutil.which, self.programs)), None)

    @property
    def file(self) -> Path | None:
        """File that the lines belong into; None where the editor itself opens it."""
        return Path(self.place).expanduser() if self.place.startswith("~") else None

    def text(self) -> str:
        """Returns the lines, with the command by which this installation is started."""
        text = resources.files(__package__).joinpath(_LINES).joinpath(self.lines).read_text("utf-8")
        return text.replace("FIM_LSP_COMMAND", _quoted(_command())).replace(
            "FIM_LSP_PYTHON", _quoted(sys.executable)
        )


_NEOVIM = "~/AppData/Local/nvim/init.lua" if os.name == "nt" else "~/.config/nvim/init.lua"
_HELIX = "~/AppData/Roaming/helix" if os.name == "nt" else "~/.config/helix"

EDITORS = (
    KnownEditor(
        name="vscode",
        title="VS Code",
        programs=("code", "codium", "code-server"),
        lines="vscode.json",
        place="settings.json (Preferences: Open User Settings (JSON))",
        before="Install the extension: code --install-extension fim-lsp.vsix",
        after="Open a file and type; Tab takes a suggestion. Without these lines the extension "
        "installs a server of its own.",
    ),
    KnownEditor(
        name="neovim",
        title="Neovim 0.12",
        programs=("nvim",),
        lines="neovim.lua",
        place=_NEOVIM,
        after="Start nvim with a file and type; Tab takes a suggestion.",
        is_code=True,
    ),
    KnownEditor(
        name="neovim-0.11",
        title="Neovim 0.11, in the completion menu",
        programs=("nvim",),
        lines="neovim-0.11.lua",
        place=_NEOVIM,
        is_code=True,
    ),
    KnownEditor(
        name="emacs",
        title="Emacs with lsp-mode",
        programs=("emacs",),
        lines="emacs.el",
        place="~/.emacs.d/init.el",
        before="Install lsp-mode 10 or later: M-x package-install RET lsp-mode",
        after="Start Emacs with a file, type and wait for a moment; Tab takes a suggestion.",
        is_code=True,
    ),
    KnownEditor(
        name="eglot",
        title="Emacs with Eglot, in the completion list",
        programs=("emacs",),
        lines="eglot.el",
        place="~/.emacs.d/init.el",
        after="Start Emacs with a file, type, and press C-M-i.",
        is_code=True,
    ),
    KnownEditor(
        name="helix",
        title="Helix, in the completion list",
        programs=("hx", "helix"),
        lines="helix.toml",
        place=f"{_HELIX}/languages.toml",
        after="The list replaces Helix' own: name the servers that you use as well.",
    ),
    KnownEditor(
        name="jetbrains",
        title="JetBrains' IDEs with LSP4IJ",
        programs=("idea", "pycharm", "goland", "webstorm", "clion", "rider"),
        lines="jetbrains.txt",
        place="the field Command of Settings, Languages & Frameworks, Language Servers, +",
        before="Install the plugin LSP4IJ 0.20 or later.",
        after="Name the files on the tab Mappings, or import the template, which does so: "
        "docs/distribution.  Nobody has tried it in an IDE yet.",
    ),
    KnownEditor(
        name="sublime",
        title="Sublime Text, in the completion list",
        programs=("subl",),
        lines="sublime.json",
        place="Preferences: LSP Settings",
        before="Install the package LSP.",
    ),
    KnownEditor(
        name="kate",
        title="Kate, in the completion list",
        programs=("kate",),
        lines="kate.json",
        place="Configure Kate, LSP Client, User Server Settings",
    ),
    KnownEditor(
        name="zed",
        title="Zed",
        programs=("zed", "zeditor"),
        lines="zed.json",
        place="~/.config/zed/settings.json",
        before="pip install 'fim-lsp[http]', and leave this running: "
        "fim-lsp serve --http 127.0.0.1:8012",
    ),
)


def editors_here() -> list[KnownEditor]:
    """Returns the editors on this machine, each program once."""
    found: dict[str, KnownEditor] = {}
    for editor in EDITORS:
        if editor.program is not None:
            found.setdefault(editor.program, editor)
    return list(found.values())


def add_lines(file: Path, text: str) -> Path | None:
    """Adds lines to the end of a configuration, unless it names fim-lsp already.

    Args:
        file: the configuration; made where there is none.
        text: the lines.

    Returns:
        A copy of what the file was; None where it is new.

    Raises:
        FimLspError: it has lines of fim-lsp, or cannot be written.
    """
    try:
        before = file.read_text("utf-8") if file.exists() else None
        if before is not None and ("fim-lsp" in before or "fim_lsp" in before):
            raise FimLspError(f"{file} names fim-lsp already; nothing was changed")
        file.parent.mkdir(parents=True, exist_ok=True)
        copy = None
        if before is not None:
            copy = _free(file)
            shutil.copy2(file, copy)
        with file.open("a", encoding="utf-8") as opened:  # a link to a file elsewhere stays one
            opened.write(f"\n{text}" if before else text)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise FimLspError(f"{file}: {reason}; nothing was changed") from None
    return copy


def _free(file: Path) -> Path:
    number = 1
    while (copy := file.with_name(f"{file.name}.before-fim-lsp-{number}")).exists():
        number += 1
    return copy


def _command() -> str:
    """Returns the name of the program where PATH finds this one, else its path."""
    name = "fim-lsp"
    own = Path(sys.executable).with_name(f"{name}.exe" if os.name == "nt" else name)
    found = shutil.which(name)
    if own.exists() and (found is None or not Path(found).samefile(own)):
        return str(own)
    return name


def _quoted(text: str) -> str:
    r"""Returns a text as it stands in a string of any of the editors' languages: with `\\`."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("'", "\\'")
