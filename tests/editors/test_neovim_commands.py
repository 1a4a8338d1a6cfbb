"""Tests `:FimLsp` and its pages in a real Neovim 0.12."""

from __future__ import annotations

from pathlib import Path

import pytest
from pynvim import NvimError

from tests.editors.conftest import BODY, Start, with_command
from tests.editors.neovim import Neovim

pytestmark = [pytest.mark.editor, pytest.mark.slow]

CLASS = "class Shelf:\n    def __init__(self, name, price):\n        self.name = name\n"
CLIENTS = """
  return vim.tbl_map(function(client) return client.id end, vim.lsp.get_clients({ name = 'fim_lsp' }))
"""
STATUS = "return require('fim_lsp').status()"


def page(editor: Neovim, command: str, heading: str) -> str:
    """Runs a command and returns the text of the page that it shows."""
    editor.api.command(f"FimLsp {command}")
    editor.until(lambda: editor.lines()[0] == heading, f"the page {heading!r}")
    assert editor.api.current.buffer.options["filetype"] == "markdown"
    assert not editor.api.current.buffer.options["modifiable"]
    return "\n".join(editor.lines())


def test_pages_are_markdown_in_one_window_that_q_closes(start: Start, init: str):
    editor = start(init, CLASS)
    editor.ready()
    editor.requests()
    editor.type("Goself.price = ")
    editor.until(lambda: editor.requests()[1], "an answer")
    editor.type("<Esc>")
    headings = {
        "status": "# fim-lsp",
        "explain": "# Explain last suggestion",
        "stats": "# Keys saved",
    }
    for name, heading in headings.items():
        page(editor, name, heading)  # each is asked for in the page before it
        assert len(editor.api.windows) == 2
    assert "a.py" in page(editor, "explain", "# Explain last suggestion")
    editor.type("q")
    editor.until(lambda: len(editor.api.windows) == 1, "the closed window")
    assert editor.messages() == ""


def test_without_a_name_the_state_and_all_commands_are_shown(start: Start, init: str):
    editor = start(init.replace("eagerness = 0.5", "exclude = { '**/a.py' }"), CLASS)
    editor.until(lambda: editor.lua(STATUS) == "FIM off", "the document's state")
    editor.ready()
    for _ in range(2):  # the second time in the page, which tells of the same buffer
        text = page(editor, "", "# fim-lsp")
        assert "**Ready**: embedded" in text
        assert "- this buffer: excluded: fimLsp.exclude names **/a.py" in text
        [languages] = [line for line in text.split("\n") if "suggests while you type in" in line]
        assert "python" in languages
        for name in editor.lua("return vim.fn.getcompletion('FimLsp ', 'cmdline')"):
            assert f"`:FimLsp {name}`: " in text


def test_the_page_says_where_no_server_is(start: Start, init: str):
    editor = start(init)
    editor.ready()
    editor.api.command("enew")
    assert "`:checkhealth fim_lsp`" in page(editor, "", "# fim-lsp")


def test_a_server_that_has_not_answered_yet_is_called_starting(
    start: Start, init: str, tmp_path: Path
):
    gate = tmp_path / "gate"
    wait = f"until [ -e {gate} ]; do sleep 0.05; done; exec fim-lsp"
    editor = start(f"{with_command(['sh', '-c', wait])}\n{init}", CLASS)
    editor.until(lambda: editor.lua(STATUS) == "FIM loading", "the server that starts")
    assert "**The server is starting**" in page(editor, "", "# fim-lsp")
    editor.api.command("FimLsp explain")
    assert editor.messages() == "fim_lsp: the server is starting; try again in a moment"
    gate.touch()
    editor.until(lambda: "**Ready**: embedded" in "\n".join(editor.lines()), "the same page, ready")


def test_the_beginning_of_a_name_is_enough_and_what_is_no_name_is_told(write):
    editor = write("")
    page(editor, "exp", "# Explain last suggestion")
    with pytest.raises(NvimError, match="there is no command st; use one of status, explain"):
        editor.api.command("FimLsp st")  # status or stats


def test_suggestions_in_a_language_are_switched_off_and_on_again(write):
    editor = write("import os\n\n\n")
    editor.api.command("FimLsp language")
    editor.until(lambda: editor.lua(STATUS) == "FIM off", "the switched off language")
    assert "this buffer: language: python is switched off" in page(editor, "", "# fim-lsp")
    editor.api.command("FimLsp language")  # in the page
    editor.type("q")
    editor.until(lambda: editor.lua(STATUS) == "FIM", "the language")
    assert [line.removeprefix("fim_lsp: ") for line in editor.messages().split("\n")] == [
        "suggestions in python are off",
        "suggestions in python are on",
    ]
    editor.type("idef add(")
    editor.wait_for_ghost(f"first, second):\n{BODY}")


def test_what_the_user_asks_for_in_normal_mode_is_his_own_request(write):
    editor = write("import os\n\ndef add(")
    editor.type("G$")
    editor.api.command("FimLsp trigger")
    editor.wait_for_ghost(f"first, second):\n{BODY}")
    assert editor.lua("return vim.fn.mode()") == "i"
    [newest, *_] = editor.lua("""
      local client = vim.lsp.get_clients({ name = 'fim_lsp' })[1]
      return client:request_sync('fimLsp/explain', vim.empty_dict(), 5000).result.traces
    """)
    assert newest["trigger"] == "invoked"


def test_a_restarted_server_serves_the_same_buffers(write, tmp_path: Path):
    editor = write("import os\n\n\n")
    (tmp_path / "b.py").write_text("", "utf-8")
    editor.api.command(f"edit {tmp_path / 'b.py'}")
    editor.ready()
    [before] = editor.lua(CLIENTS)
    editor.api.command("FimLsp restart")
    editor.until(lambda: editor.lua(CLIENTS) not in ([], [before]), "another server")
    editor.ready()
    editor.api.command("buffer a.py")
    editor.ready()
    assert len(editor.lua(CLIENTS)) == 1
    editor.type("Gidef add(")
    editor.until(lambda: "first, second):" in editor.ghost(), "ghost text")
    assert editor.messages() == ""


def test_the_log_of_the_server_is_opened_at_its_end(start: Start, init: str, home: Path):
    editor = start(init)
    editor.ready()
    editor.api.command("FimLsp log")
    log = home / ".local" / "state" / "fim-lsp" / "log" / "fim-lsp.log"
    assert Path(editor.api.current.buffer.name) == log
    assert editor.api.current.window.cursor[0] == len(editor.lines())
    assert editor.api.current.buffer.options["readonly"]
