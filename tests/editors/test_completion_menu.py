"""Tests `completionFallback` in Neovim's completion menu: in 0.11, and in 0.12 without ghost text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.editors.conftest import SCRIPTED, Start
from tests.editors.document import snippets
from tests.editors.neovim import Neovim

pytestmark = [pytest.mark.editor, pytest.mark.slow]

TARGET = "import os\n\ndef add(first, second):\n    return first + second\n\nprint(add(1, 2))\n"
CLASS = "class Shelf:\n    def __init__(self, name, price):\n        self.name = name\n"
WORDS = "return vim.tbl_map(function(i) return i.abbr end, vim.fn.complete_info({'items'}).items)"
INITIALIZED = "local c = vim.lsp.get_clients({bufnr = 0})[1]; return c and c.initialized or false"
NO_GHOST_TEXT = """
local made = vim.lsp.protocol.make_client_capabilities
vim.lsp.protocol.make_client_capabilities = function()
  local capabilities = made()
  capabilities.textDocument.inlineCompletion = nil
  return capabilities
end
"""


@pytest.fixture
def init() -> str:
    [lua] = snippets("Neovim 0.11", "lua")
    return lua


def menu(editor: Neovim) -> list[str]:
    """Returns the entries of the completion menu; none while it is closed."""
    if not editor.lua("return vim.fn.pumvisible()"):
        return []
    words: list[str] = editor.lua(WORDS)
    return words


def open_with_script(start: Start, init: str, tmp_path: Path, variable: str) -> Neovim:
    file = tmp_path / "target.py"
    file.write_text(TARGET, "utf-8")
    words = ", ".join(map(json.dumps, [*SCRIPTED, "--target", str(file)]))
    editor = start(init.replace("{ 'fim-lsp' }", f"{{ {words} }}"), "import os\n\n\n", variable)
    editor.until(lambda: editor.lua(INITIALIZED), "the client")
    editor.lua("vim.bo.indentexpr, vim.bo.expandtab, vim.o.autoindent = '', false, false")
    editor.type("G$i")
    return editor


@pytest.mark.parametrize("variable", ["FIM_LSP_NVIM_0_11", "FIM_LSP_NVIM"])
def test_the_menu_offers_a_line_and_puts_it_in(
    start: Start, init: str, tmp_path: Path, variable: str
):
    if variable == "FIM_LSP_NVIM":  # as a client that has no inline completion
        init = NO_GHOST_TEXT + init
    editor = open_with_script(start, init, tmp_path, variable)
    editor.type("def add(")
    editor.until(lambda: menu(editor) == ["first, second):"], "the menu after a trigger character")
    assert "first, second):" in "\n".join(editor.screen())
    editor.type("<C-n><C-y>")
    editor.wait_for_lines("import os", "", "def add(first, second):")
    editor.type("<CR>    ret<C-x><C-o>")
    editor.until(lambda: menu(editor) == ["return first + second"], "the menu for a word begun")
    editor.type("<C-n><C-y>")
    editor.wait_for_lines("import os", "", "def add(first, second):", "    return first + second")
    assert editor.messages() == ""


def test_a_bracket_behind_the_cursor_is_not_doubled(start: Start, init: str, tmp_path: Path):
    editor = open_with_script(start, init, tmp_path, "FIM_LSP_NVIM_0_11")
    editor.type("def add()<Left><C-x><C-o>")
    editor.until(lambda: menu(editor) == ["first, second"], "the menu")
    editor.type("<C-n><C-y>")
    editor.wait_for_lines("import os", "", "def add(first, second)")


def test_the_embedded_model_fills_the_menu(start: Start, init: str):
    eager = init.replace("completionFallback = true", "completionFallback = true, eagerness = 1")
    editor = start(eager, CLASS, "FIM_LSP_NVIM_0_11")
    editor.until(lambda: editor.lua(INITIALIZED), "the client")
    editor.type("Goself.price = ")

    def offered() -> list[str]:
        # What a slow model did not have ready at one request it has at a later one.
        _, done = editor.requests()
        editor.type("<C-x><C-o>")
        editor.until(lambda: menu(editor) or editor.requests()[1] > done, "an answer")
        return menu(editor)

    editor.until(offered, "an entry")
    [word] = menu(editor)
    before = editor.lines()
    editor.type("<C-n><C-y>")
    editor.until(lambda: editor.lines() != before, "the entry in the buffer")
    assert editor.lines()[-1].endswith(word)
