"""The files for the lists of others work in the real editors, as their users would have them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.editors.conftest import SCRIPTED, program
from tests.editors.document import ROOT
from tests.editors.emacs import Emacs
from tests.editors.neovim import Neovim

pytestmark = [pytest.mark.editor, pytest.mark.slow]

FILES = ROOT / "docs" / "distribution"
TARGET = "import os\n\ndef add(first, second):\n    return first + second\n\nprint(add(1, 2))\n"
TYPED = "import os\n\ndef add("
REST = "first, second):\n    return first + second"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    file = tmp_path / "target.py"
    file.write_text(TARGET, "utf-8")
    return file


@pytest.fixture
def neovim(tmp_path: Path, path_with_server: str, target: Path) -> Iterator:
    """Returns a function that starts Neovim without our plugin, with an init.lua."""
    started: list[Neovim] = []

    def start(init: str) -> Neovim:
        home = tmp_path / "home"
        config = home / ".config" / "nvim"
        config.mkdir(parents=True)
        words = ", ".join(map(json.dumps, [*SCRIPTED, "--target", str(target)]))
        command = f"vim.lsp.config('fim_lsp', {{ cmd = {{ {words} }} }})"
        Path(config, "init.lua").write_text(f"{init}\n{command}\nvim.o.autoindent = false\n")
        file = tmp_path / "a.py"
        file.write_text("import os\n\n", "utf-8")
        environment = {"PATH": path_with_server, "PYTHONPATH": str(ROOT)}
        editor = Neovim(program("FIM_LSP_NVIM", "Neovim"), home, environment, str(file))
        started.append(editor)
        return editor

    yield start
    for editor in started:
        editor.close()


def type_and_accept(editor: Neovim) -> None:
    attached = "return #vim.lsp.get_clients({ bufnr = 0, name = 'fim_lsp' })"
    editor.until(lambda: editor.lua(attached) == 1, "the server")
    editor.lua("vim.bo.indentexpr = ''")
    editor.type("Godef add(")
    editor.wait_for_ghost(REST)
    editor.type("<Tab>")
    editor.wait_for_lines(*f"{TYPED}{REST}".split("\n"))


def test_the_file_for_nvim_lspconfig_gives_suggestions_by_the_lines_in_it(neovim):
    folder = FILES / "nvim-lspconfig"
    text = Path(folder, "lsp", "fim_lsp.lua").read_text("utf-8")
    [lines] = re.findall(r"^--- ```lua\n(.*?)^--- ```$", text, re.M | re.S)
    lines = re.sub("^--- ?", "", lines, flags=re.M)

    type_and_accept(neovim(f"vim.opt.rtp:append({json.dumps(str(folder))})\n{lines}"))


def test_the_lines_for_vim_pack_install_the_plugin_from_a_repository(neovim, tmp_path: Path):
    repository = tmp_path / "fim-lsp"
    shutil.copytree(ROOT / "nvim-client", repository / "nvim-client")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-C", str(repository)]
    for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "All"]):
        subprocess.run([*git, *command], check=True)
    page = (FILES / "README.md").read_text("utf-8")
    [lines] = re.findall(r"^\*\*vim\.pack\*\*.*?^```lua\n(.*?)^```$", page, re.M | re.S)
    assert "'https://github.com/fim-lsp/fim-lsp' }" in lines
    ours = f"'file://{repository}' }}, {{ confirm = false }}"
    editor = neovim(lines.replace("'https://github.com/fim-lsp/fim-lsp' }", ours))

    type_and_accept(editor)
    assert editor.lua("return vim.fn.exists(':FimLsp')") == 2


@pytest.fixture
def emacs_packages() -> Path:
    folder = Path(program("FIM_LSP_LSP_MODE", "lsp-mode"))
    return folder / "root" / "usr" / "share" / "emacs" / "site-lisp" / "elpa-src"


def test_the_emacs_package_compiles_without_a_warning_and_is_well_documented(
    emacs_packages: Path, tmp_path: Path
):
    file = shutil.copy(FILES / "melpa" / "fim-lsp.el", tmp_path)
    paths = [word for folder in emacs_packages.iterdir() for word in ("-L", str(folder))]
    lisp = f"""(progn
      (require 'checkdoc) (require 'package) (require 'lisp-mnt)
      (setq byte-compile-error-on-warn t checkdoc-create-error-function
            (lambda (text &rest _) (message "checkdoc: %s" text) nil))
      (unless (byte-compile-file "{file}") (kill-emacs 1))
      (with-current-buffer (find-file-noselect "{file}")
        (checkdoc-current-buffer t)
        (message "package: %S" (package-desc-name (package-buffer-info)))))"""
    done = subprocess.run(
        ["emacs", "-Q", "--batch", *paths, "--eval", lisp],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "package: fim-lsp" in done.stderr
    assert "checkdoc:" not in done.stderr


def test_the_emacs_package_shows_and_accepts_a_suggestion(
    emacs_packages: Path, tmp_path: Path, target: Path, path_with_server: str
):
    server = tmp_path / "scripted"
    command = " ".join([*SCRIPTED, "--target", str(target)])
    server.write_text(f"#!/bin/sh\nPYTHONPATH={ROOT} exec {command}\n", "utf-8")
    server.chmod(0o755)
    project = tmp_path / "project"
    (project / ".git").mkdir(parents=True)
    file = project / "a.py"
    file.write_text("import os\n\n", "utf-8")
    lines = f"""
      (load "{FILES}/melpa/fim-lsp.el")
      (setq fim-lsp-command '("{server}"))
      (add-hook 'prog-mode-hook #'fim-lsp-mode)
      """
    editor = Emacs(tmp_path / "home", path_with_server, str(emacs_packages), lines, file)
    try:
        editor.until(lambda: editor.lisp("fim-lsp-state") == '"ready"', "the server's state")
        editor.press("M->")
        editor.type("def add(")
        editor.until_shown("def add(first, second):", "    return first + second")
        editor.press("Tab")
        text = '(with-current-buffer "a.py" (buffer-substring-no-properties 1 (point-max)))'
        whole = json.dumps(f"{TYPED}{REST}")
        editor.until(lambda: editor.lisp(text) == whole, "the accepted text")
    finally:
        editor.close()
