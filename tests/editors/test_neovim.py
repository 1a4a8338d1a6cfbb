"""Tests ghost text in a real Neovim 0.12 with the plugin in nvim-client."""

from __future__ import annotations

import os
import random
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.editors.conftest import BODY, Start, with_command
from tests.editors.document import ROOT, snippets
from tests.editors.neovim import Neovim

pytestmark = [pytest.mark.editor, pytest.mark.slow]

CLASS = "class Shelf:\n    def __init__(self, name, price):\n        self.name = name\n"
ACCEPTED = "accepted:"
"""Start of the URI in the traces that the scripted server keeps of acceptances."""
TRACES = """
  local client = vim.lsp.get_clients({ name = 'fim_lsp' })[1]
  return client:request_sync('fimLsp/explain', vim.empty_dict(), 5000).result.traces
"""


def traces(editor: Neovim) -> list[dict]:
    """Returns the server's traces of the last requests, newest first."""
    found: list[dict] = editor.lua(TRACES)
    return found


def accepted(editor: Neovim) -> list[str]:
    """Returns the ids of the suggestions that the server counts as accepted, oldest first."""
    uris = [trace["uri"] for trace in reversed(traces(editor))]
    return [uri.removeprefix(ACCEPTED) for uri in uris if uri.startswith(ACCEPTED)]


def test_the_lines_of_the_document_give_ghost_text_by_the_embedded_model(start: Start, init: str):
    editor = start(init.replace("eagerness = 0.5", "eagerness = 1"), CLASS)
    editor.ready()
    assert "FIM" in editor.screen()[-2]  # the statusline
    editor.type("Goself.price = ")
    ghost = editor.until(editor.ghost, "ghost text")
    shown = "\n".join(editor.screen())
    assert f"self.price = {ghost}".partition("\n")[0] in shown
    before = editor.lines()
    editor.type("<Tab>")
    editor.until(lambda: editor.lines() != before, "the accepted text")
    assert "\n".join(editor.lines()) == "\n".join(before) + ghost
    assert editor.messages() == ""


def test_the_lines_without_the_plugin_give_ghost_text_too(start: Start, home: Path):
    for link in (home / ".local/share/nvim/site/pack/fim-lsp/start").iterdir():
        link.unlink()
    lua = snippets("Neovim 0.12", "lua")[1]
    eager = "vim.lsp.config('fim_lsp', { init_options = { eagerness = 1 } })\n"
    state = "vim.lsp.handlers['fimLsp/status'] = function(_, now) vim.g.state = now.state end\n"
    editor = start(lua + eager + state, CLASS)
    editor.until(lambda: editor.lua("return vim.g.state") == "ready", "the model")
    editor.type("Goself.price = ")
    text = editor.until(editor.ghost, "ghost text")
    before = editor.lines()
    editor.type("<Tab>")
    editor.until(lambda: "\n".join(editor.lines()) == "\n".join(before) + text, "the text")


def test_two_editors_have_ghost_text_from_one_server_by_the_lines_of_the_document(
    start: Start, init: str, path_with_server: str
):
    heading = "One server for several editors"
    [command], [lua] = snippets(heading, "sh"), snippets(heading, "lua")
    with tempfile.TemporaryDirectory() as runtime:
        environment = {**os.environ, "PATH": path_with_server, "PYTHONPATH": str(ROOT)}
        environment |= {"XDG_RUNTIME_DIR": runtime, "XDG_STATE_HOME": f"{runtime}/state"}
        server = subprocess.Popen(
            shlex.split(command), env=environment, stderr=subprocess.PIPE, text=True
        )
        socket = Path(runtime, "fim-lsp", "server.sock")
        while not socket.exists():
            assert server.poll() is None
            time.sleep(0.05)
        shared = f"vim.env.XDG_RUNTIME_DIR = '{runtime}'\n{lua}\n"
        try:
            for _ in range(2):
                editor = start(shared + init.replace("eagerness = 0.5", "eagerness = 1"), CLASS)
                editor.ready()
                editor.type("Goself.price = ")
                editor.until(editor.ghost, "ghost text")
                assert editor.messages() == ""
        finally:
            server.terminate()
            _, said = server.communicate(timeout=20)
        assert (server.returncode, said) == (0, "")


def test_ghost_text_stands_at_the_cursor_and_tab_puts_it_in(write):
    editor = write("import os\n\n\n")
    editor.type("idef add(")
    editor.wait_for_ghost(f"first, second):\n{BODY}")
    assert editor.ghost_place() == (2, 8)
    assert "def add(first, second):" in editor.screen()[2]
    assert "    return result" in editor.screen()[5]
    editor.type("<Tab>")
    editor.wait_for_lines(*f"import os\n\ndef add(first, second):\n{BODY}".split("\n"))
    assert tuple(editor.api.current.window.cursor) == (6, len("    return result"))
    assert editor.ghost() == ""
    editor.until(lambda: accepted(editor), "the server's count")
    assert accepted(editor) == [f"id-{len('import os..def add(')}-0"]
    editor.type("<Esc>u")
    editor.wait_for_lines("import os", "", "def add(")


def test_tab_is_tab_when_nothing_is_suggested(write):
    editor = write("import os\n\n\n")
    editor.type("ix<Tab>y")
    editor.wait_for_lines("import os", "", "x\ty")
    editor.type("<Esc>S")
    editor.lua("vim.snippet.expand('<$1|$2>')")
    editor.type("a<Tab>b")  # what Tab was before: Neovim's own jump
    editor.wait_for_lines("import os", "", "<a|b>")


def test_a_map_of_the_users_own_is_what_tab_falls_back_to(write):
    before = "vim.keymap.set('i', '<Tab>', function() return '<lt>mine>' end, { expr = true })"
    editor = write("import os\n\n\n", before=before)
    editor.type("ix<Tab>")
    editor.wait_for_lines("import os", "", "x<mine>")


def test_maps_can_be_left_out(write):
    editor = write("import os\n\n\n", before="vim.g.fim_lsp_maps = false")
    editor.type("idef")
    editor.wait_for_ghost(f" add(first, second):\n{BODY}")
    editor.type("<Tab>")
    editor.wait_for_lines("import os", "", "def\t")


def test_words_and_lines_are_taken_one_by_one_and_counted_once(write):
    editor = write("import os\n\n\n")
    editor.type("idef add(")
    editor.wait_for_ghost(f"first, second):\n{BODY}")
    for taken in ("first", "first,", "first, second"):
        editor.type("<M-Right>")
        editor.until(lambda taken=taken: editor.lines()[2] == f"def add({taken}", taken)
        editor.until(editor.ghost, "the rest")
    editor.type("<M-C-Right>")
    editor.until(lambda: editor.lines()[2] == "def add(first, second):", "the line")
    editor.until(editor.ghost, "the rest")
    for number, line in enumerate(BODY.split("\n")):
        editor.type("<M-C-Right>")
        editor.until(lambda n=number, line=line: editor.lines()[3 + n :] == [line], line)
        if number < 2:
            assert accepted(editor) == []
            editor.until(editor.ghost, "the rest")
    editor.until(lambda: len(accepted(editor)) == 1, "the server's count")
    assert "\n".join(editor.lines()) == f"import os\n\ndef add(first, second):\n{BODY}"


def test_a_bracket_behind_the_cursor_gives_way_to_the_whole_and_not_to_a_word(write):
    editor = write("import os\n\n\n")
    editor.type("idef add()<Left>")
    editor.wait_for_ghost(f"first, second):\n{BODY}")
    editor.type("<M-Right>")
    editor.until(lambda: editor.lines()[2] == "def add(first)", "a word")
    editor.wait_for_ghost(f", second):\n{BODY}")
    editor.type("<Tab>")
    editor.wait_for_lines(*f"import os\n\ndef add(first, second):\n{BODY}".split("\n"))


def test_others_can_be_asked_for_and_gone_through(write):
    editor = write("import os\n\n\n", target="import os\n\nx = [1, 2]\n")
    editor.type("ix =")
    editor.wait_for_ghost(" [1, 2]")
    editor.type("<M-]>")
    editor.until(lambda: traces(editor)[0]["trigger"] == "invoked", "the answer")

    def next_one() -> bool:
        editor.type("<M-]>")
        return "(2/3)" in editor.ghost()

    editor.until(next_one, "the second of three")
    assert editor.ghost() == " [1, 2]  # 2 (2/3)"
    editor.type("<M-]>")
    editor.wait_for_ghost(" [1, 2]  # 3 (3/3)")
    editor.type("<M-[>")
    editor.wait_for_ghost(" [1, 2]  # 2 (2/3)")
    editor.type("<Tab>")
    editor.wait_for_lines("import os", "", "x = [1, 2]  # 2")


def test_typing_through_keeps_what_fits_and_hides_what_does_not(write):
    # The next answer, for which the typed text would otherwise wait, never comes here.
    editor = write("import os\n\n\n", "--answer-ms", "0,60000")
    editor.type("idef add(")
    editor.wait_for_ghost(f"first, second):\n{BODY}")
    editor.type("fi")
    editor.wait_for_ghost(f"rst, second):\n{BODY}")
    editor.type("<Tab>")  # nothing may come twice (neovim#36529)
    editor.wait_for_lines(*f"import os\n\ndef add(first, second):\n{BODY}".split("\n"))


def test_what_does_not_fit_is_hidden_at_once_and_tab_is_tab(write):
    editor = write("import os\n\n\n", "--answer-ms", "0,60000")
    editor.type("idef add(")
    editor.wait_for_ghost(f"first, second):\n{BODY}")
    editor.type("x")
    editor.wait_for_ghost("")
    editor.type("<Tab>")
    editor.wait_for_lines("import os", "", "def add(x\t")


def test_accepting_while_a_request_is_under_way_takes_what_is_shown(write):
    editor = write("import os\n\n\n", "--answer-ms", "0,1000,0")
    editor.type("idef add(")
    editor.wait_for_ghost(f"first, second):\n{BODY}")
    editor.type("f")
    pending = "local n = 0; for _, r in pairs(vim.lsp.get_clients()[1].requests) do n = n + 1 end; return n"
    editor.until(lambda: editor.lua(pending) > 0, "a request under way")
    editor.type("<Tab>")
    whole = f"import os\n\ndef add(first, second):\n{BODY}".split("\n")
    editor.wait_for_lines(*whole)
    editor.until(lambda: editor.lua(pending) == 0, "the end of the request")
    assert editor.lines() == whole


def test_an_empty_list_takes_ghost_text_away(write):
    editor = write("import os\n\n\n")
    editor.type("idef add(")
    editor.wait_for_ghost(f"first, second):\n{BODY}")
    editor.lua("require('fim_lsp').toggle(false)")
    editor.lua("vim.api.nvim_exec_autocmds('CursorMovedI', {})")
    editor.wait_for_ghost("")
    assert editor.lua("return require('fim_lsp').status()") == "FIM off"
    editor.api.command("FimLsp toggle")
    editor.until(lambda: editor.lua("return require('fim_lsp').status()") == "FIM", "the state")
    editor.lua("vim.api.nvim_exec_autocmds('CursorMovedI', {})")
    editor.wait_for_ghost(f"first, second):\n{BODY}")


def test_null_leaves_ghost_text_as_it_is(write):
    # The second request waits; the third overtakes it, and its answer null changes nothing.
    editor = write("import os\n\n\n", "--answer-ms", "0,60000,60000")
    editor.type("idef add(")
    editor.wait_for_ghost(f"first, second):\n{BODY}")
    editor.lua("vim.api.nvim_exec_autocmds('CursorMovedI', {})")
    count = (
        "local n = 0; for _ in pairs(vim.lsp.get_clients()[1].requests) do n = n + 1 end; return n"
    )
    editor.until(lambda: editor.lua(count) == 1, "a request under way")
    editor.type("f")
    superseded = "superseded"
    editor.until(
        lambda: any(trace["outcome"] == superseded for trace in traces(editor)), superseded
    )
    assert editor.ghost() == f"irst, second):\n{BODY}"


def test_two_hundred_keys_at_thirty_milliseconds_leave_no_wrong_text(write):
    # The user pauses often enough for requests, whose answers take as long as several keys.
    names = random.Random(7)
    lines = [f"value_{number} = {names.randrange(10**6)} + {number}" for number in range(12)]
    target = "import os\n\n" + "\n".join(lines) + "\n"
    editor = write("import os\n\n\n", "--answer-ms", "90", target=target)
    editor.type("i")
    keys = target.removeprefix("import os\n\n").rstrip("\n")[:200]
    typed, seen = "", 0
    for number, key in enumerate(keys):
        sent, _ = editor.requests()
        editor.type("<CR>" if key == "\n" else key)
        typed += key
        if number % 12 == 5:
            editor.until(lambda sent=sent: editor.requests()[0] > sent, "a request in the pause")
        else:
            time.sleep(0.03)  # the pace of the keys
        if number % 25 == 24:  # and to be typed through
            editor.until(editor.ghost, "ghost text")
        ghost = editor.ghost()
        seen += bool(ghost)
        text = "\n".join(editor.lines())
        assert text == f"import os\n\n{typed}"
        assert target.startswith(text + ghost), ghost
    assert len(typed) == 200
    assert seen >= 8
    editor.until(editor.ghost, "the rest")
    editor.type("<Tab>")
    editor.until(lambda: "\n".join(editor.lines()) == target.rstrip("\n"), "all of it")


@pytest.mark.parametrize("line_end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_letters_outside_ascii_and_windows_line_ends_are_kept(write, line_end: str):
    start = f'# naïve 😀{line_end}é = "😀"{line_end}'
    target = '# naïve 😀\né = "😀"\nwörter = [é, "😀"]\n'
    editor = write(start, target=target)
    editor.type("owörter =")
    ghost = editor.until(editor.ghost, "ghost text")
    assert ghost.strip() == '[é, "😀"]'
    editor.type("<Tab>")
    editor.until(lambda: editor.lines()[2] == 'wörter = [é, "😀"]', "the text")
    editor.type("<Esc>")
    editor.api.command("silent write")
    expected = f'{start}wörter = [é, "😀"]{line_end}'
    assert Path(editor.api.current.buffer.name).read_bytes().decode() == expected


NEXT_VERSION = """
  local version = vim.version
  vim.version = setmetatable({}, { __index = version, __call = function() return version.parse('0.13.0') end })
"""


def test_private_parts_of_a_later_neovim_are_left_alone_and_the_log_says_so_once(write):
    editor = write("import os\n\n\n", before=NEXT_VERSION)
    editor.type("idef add(")
    editor.wait_for_ghost(f"first, second):\n{BODY}")
    editor.type("<Tab>")
    editor.wait_for_lines(*f"import os\n\ndef add(first, second):\n{BODY}".split("\n"))
    log = Path(editor.lua("return vim.lsp.log.get_filename()")).read_text("utf-8")
    assert log.count("fim_lsp: tried with Neovim 0.12, not with 0.13.0") == 1
    assert editor.messages() == ""


def test_the_health_check_finds_everything_in_order(start: Start, init: str):
    editor = start(init)
    editor.ready()
    editor.api.command("checkhealth fim_lsp")
    report = editor.until(lambda: "\n".join(editor.lines()), "the report")
    editor.until(lambda: "the server runs" in "\n".join(editor.lines()), "the report's end")
    report = "\n".join(editor.lines())
    assert "ERROR" not in report
    assert "model embedded" in report


OLD_PYTHON = """#!{python}
import runpy, sys
sys.version_info = (3, 8, 1)
runpy.run_module("fim_lsp", run_name="__main__")
"""
BROKEN = {
    "no program": (["fim-lsp-that-is-not-there"], "not on PATH", "pipx install fim-lsp"),
    "dies at once": (["false"], "does not start", "pip install --force-reinstall"),
    "Python too old": (["./python3.8"], "needs Python 3.10", "Python 3.10"),
}


@pytest.mark.parametrize(("command", "problem", "remedy"), BROKEN.values(), ids=BROKEN)
def test_what_keeps_the_server_from_starting_is_said_with_the_next_step(
    start: Start, init: str, tmp_path: Path, command: list[str], problem: str, remedy: str
):
    if command == ["./python3.8"]:
        program = tmp_path / "python3.8"
        program.write_text(OLD_PYTHON.format(python=sys.executable), "utf-8")
        program.chmod(0o755)
        command = [str(program)]
    editor = start(with_command(command) + "\n" + init)
    editor.until(lambda: ":checkhealth fim_lsp" in editor.messages(), "the next step")
    assert editor.messages().count(":checkhealth") == 1
    editor.api.command("checkhealth fim_lsp")
    editor.until(lambda: "the server is not running" in "\n".join(editor.lines()), "the report")
    report = "\n".join(editor.lines())
    assert problem in report
    assert remedy in report


def test_the_help_is_found(start: Start, init: str):
    editor = start(init)
    editor.api.command("helptags ALL")
    editor.api.command("help fim-lsp")
    assert os.path.realpath(editor.api.current.buffer.name).startswith(str(ROOT / "nvim-client"))
