"""Tests suggestions in a real Emacs, configured by the lines of docs/editors.md."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.editors.conftest import SCRIPTED, program
from tests.editors.document import ROOT, snippets
from tests.editors.emacs import Emacs

pytestmark = [pytest.mark.editor, pytest.mark.slow]

TARGET = "import os\n\ndef add(first, second):\n    return first + second\n\nprint(add(1, 2))\n"
CLASS = "class Shelf:\n    def __init__(self, name, price):\n        self.name = name\n"
TEXT = '(with-current-buffer "a.py" (buffer-substring-no-properties (point-min) (point-max)))'
NO_WARNING = (
    '(if (get-buffer "*Warnings*") (with-current-buffer "*Warnings*" (buffer-string)) "none")'
)


@pytest.fixture
def start(tmp_path: Path, path_with_server: str) -> Iterator:
    """Returns a function that starts Emacs with a section's lines, in a file `a.py` with a text."""
    started: list[Emacs] = []

    def start(heading: str, text: str, edit=lambda lines: lines) -> Emacs:
        [lines] = snippets(heading, "elisp")
        packages = (
            f"{program('FIM_LSP_LSP_MODE', 'lsp-mode')}/root/usr/share/emacs/site-lisp/elpa-src"
        )
        project = tmp_path / "project"
        (project / ".git").mkdir(parents=True)
        file = project / "a.py"
        file.write_text(text, "utf-8")
        editor = Emacs(tmp_path / "home", path_with_server, packages, edit(lines), file)
        started.append(editor)
        return editor

    yield start
    for editor in started:
        editor.close()


@pytest.fixture
def scripted(tmp_path: Path) -> str:
    """Returns the path of a server that knows what the user is going to write."""
    file = tmp_path / "target.py"
    file.write_text(TARGET, "utf-8")
    server = tmp_path / "scripted"
    command = " ".join([*SCRIPTED, "--target", str(file)])
    server.write_text(f"#!/bin/sh\nPYTHONPATH={ROOT} exec {command} 2>{tmp_path}/log\n", "utf-8")
    server.chmod(0o755)
    return str(server)


def test_lsp_mode_shows_ghost_text_by_the_embedded_model_and_no_warning(start):
    editor = start("Emacs, lsp-mode", CLASS, lambda lines: lines.replace("0.5", "1.0"))
    editor.until(lambda: editor.lisp("fim-lsp-state") == '"ready"', "the server's state")
    editor.press("M->")
    editor.type("        self.price = ")
    overlay = '(with-current-buffer "a.py" (lsp-inline-completion--active-p))'
    editor.until(lambda: editor.lisp(overlay) not in ("", "nil"), "ghost text")
    assert editor.lisp(NO_WARNING) == '"none"'


def test_lsp_mode_shows_and_accepts_what_the_server_suggests(start, scripted: str):
    def edit(lines: str) -> str:
        return lines.replace('\'("fim-lsp")', f'\'("{scripted}")')

    editor = start("Emacs, lsp-mode", "import os\n\n", edit)
    editor.until(lambda: editor.lisp("fim-lsp-state") == '"ready"', "the server's state")
    editor.press("M->")
    editor.type("def add(")
    editor.until_shown("def add(first, second):", "    return first + second")
    assert "first" not in editor.lisp(TEXT)
    editor.press("Tab")
    whole = '"import os\\n\\ndef add(first, second):\\n    return first + second"'
    editor.until(lambda: editor.lisp(TEXT) == whole, "the text")
    assert editor.lisp(NO_WARNING) == '"none"'


def test_eglot_completes_by_the_fallback(start, scripted: str):
    editor = start(
        "Emacs, Eglot", "import os\n\n", lambda lines: lines.replace('"fim-lsp"', f'"{scripted}"')
    )
    editor.until(
        lambda: editor.lisp('(with-current-buffer "a.py" (eglot-managed-p))') == "t", "Eglot"
    )
    editor.press("M->")
    editor.type("def ad")
    editor.press("C-M-i")
    editor.until_shown("def add(first, second):")
    assert editor.lisp(TEXT) == '"import os\\n\\ndef add(first, second):"'
