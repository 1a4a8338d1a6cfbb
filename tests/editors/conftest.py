"""Starts the editors of the tests, each in a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.editors.document import ROOT, snippets
from tests.editors.neovim import Neovim

Start = Callable[..., Neovim]

BODY = '    """Add two numbers."""\n    result = first + second\n    return result'
TARGET = f"import os\n\ndef add(first, second):\n{BODY}\n\nprint(add(1, 2))\n"
"""The user of the scripted server is going to write this."""

SCRIPTED = [sys.executable, str(ROOT / "tests" / "protocol" / "scripted_server.py")]


def program(variable: str, name: str) -> str:
    """Returns the path of an editor's program, which `make test-editors` puts into a variable."""
    found = os.environ.get(variable)
    assert found, f"{name} is not installed; run the editor suite with: make test-editors"
    return found


@pytest.fixture(scope="session")
def path_with_server() -> str:
    """Returns a PATH on which `fim-lsp` is the one under test."""
    return f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture
def home(tmp_path: Path, path_with_server: str) -> Path:
    """Makes a home and installs the plugin in it as docs/editors.md says."""
    home = tmp_path / "home"
    home.mkdir()
    environment = {**os.environ, "HOME": str(home), "PATH": path_with_server}
    [install] = snippets("Neovim 0.12", "sh")
    subprocess.run(["sh", "-ec", install], cwd=ROOT, env=environment, check=True)
    return home


@pytest.fixture
def start(tmp_path: Path, home: Path, path_with_server: str) -> Iterator[Start]:
    """Returns a function that starts Neovim with an init.lua, in a file `a.py` with a text."""
    started: list[Neovim] = []

    def start(init: str, text: str = "", variable: str = "FIM_LSP_NVIM") -> Neovim:
        config = home / ".config" / "nvim"
        config.mkdir(parents=True, exist_ok=True)
        (config / "init.lua").write_text(init, "utf-8")
        file = tmp_path / "a.py"
        file.write_bytes(text.encode())
        environment = {"PATH": path_with_server, "PYTHONPATH": str(ROOT)}
        editor = Neovim(program(variable, "Neovim"), home, environment, str(file))
        started.append(editor)
        return editor

    yield start
    for editor in started:
        editor.close()


def with_command(command: list[str]) -> str:
    """Returns a line of Lua that makes a command the server's."""
    words = ", ".join(map(json.dumps, command))
    return f"vim.lsp.config('fim_lsp', {{ cmd = {{ {words} }} }})"


@pytest.fixture
def init() -> str:
    """Returns the configuration that the documentation shows."""
    return snippets("Neovim 0.12", "lua")[0]


@pytest.fixture
def write(start: Start, init: str, tmp_path: Path):
    """Returns a function that opens an editor whose server knows what the user is going to write."""

    def write(text: str, *arguments: str, target: str = TARGET, before: str = "") -> Neovim:
        file = tmp_path / "target.py"
        file.write_text(target, "utf-8")
        command = [*SCRIPTED, "--target", str(file), *arguments]
        editor = start(f"{before}\n{with_command(command)}\n{init}\nvim.o.autoindent = false", text)
        editor.lua("vim.bo.indentexpr, vim.bo.expandtab = '', false")
        editor.ready()
        editor.type("G$")
        return editor

    return write
