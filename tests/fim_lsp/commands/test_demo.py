"""The tour in a real terminal, with the real server and the embedded model."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fim_lsp.tour.script import STEPS
from tests.support.terminal import Terminal

COMMAND = [sys.executable, "-m", "fim_lsp", "demo", "--model", "default"]
ROOT = Path(__file__).parents[3]
COLORS = ("\x1b[3", "\x1b[4", "\x1b[9")


@pytest.fixture
def environment(tmp_path):
    """A terminal's variables, a folder for temporary files, and no editor on PATH."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("XDG_")}
    (tmp_path / "bin").mkdir()
    (tmp_path / "tmp").mkdir()
    return {
        **kept,
        "HOME": str(tmp_path),
        "PATH": str(tmp_path / "bin"),
        "PYTHONPATH": str(ROOT),
        "TMPDIR": str(tmp_path / "tmp"),
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
    }


@pytest.fixture
def terminal(tmp_path, environment):
    """Returns a function that starts the demo in a terminal."""
    started = []

    def start(*arguments, columns=80, rows=24, **variables):
        opened = Terminal(
            [*COMMAND, *arguments],
            cwd=str(tmp_path),
            environment={**environment, **variables},
            columns=columns,
            rows=rows,
        )
        started.append(opened)
        return opened

    yield start
    for one in started:
        one.close()


def go_to(terminal, number):
    """Goes through the steps before this one, taking whatever there is."""
    terminal.until("1 of 5")
    for step in range(1, number):
        terminal.until(f"{step} of 5")
        terminal.until(lambda: "Suggested after" in terminal.text or "Why:" in terminal.text)
        terminal.press("Tab")
        terminal.until(lambda step=step: f"{step} of 5" not in terminal.text)


def code_line(terminal, number):
    """Returns a line of the file; empty where it is not on the screen."""
    return next((line[6:] for line in terminal.lines if line.startswith(f"{number:>4}  ")), "")


def test_tab_takes_a_suggestion(terminal):
    demo = terminal()
    demo.until("Suggested after")
    row = next(i for i, line in enumerate(demo.lines) if "return len(self.values)" in line)
    ghost = [cell for cell in demo.cells(row) if cell.italics]
    assert "elf.values)" == "".join(cell.data for cell in ghost)
    demo.until(lambda: (row, demo.lines[row].index("elf.values)")) == demo.cursor)

    demo.press("Tab")
    demo.until("2 of 5")

    assert "        return len(self.values) == self.size" == code_line(demo, 20)


def test_words_are_taken_one_at_a_time(terminal):
    demo = terminal("--no-motion")
    go_to(demo, 2)
    demo.until("«lear()»")
    demo.press("Ctrl+Right")
    demo.until("«()»")
    demo.press("Alt+Right")
    demo.until("3 of 5")

    assert "        self.values.clear()" == code_line(demo, 23)


def test_silence_has_its_reason_and_a_remedy(terminal):
    demo = terminal("--no-motion")
    go_to(demo, 3)
    demo.until("Nothing is suggested. Why: not confident enough")
    demo.until("What to do: fimLsp.eagerness")
    demo.press("Enter")

    demo.until("4 of 5")


def test_esc_dismisses_a_suggestion_and_the_file_is_completed_by_hand(terminal):
    demo = terminal("--no-motion")
    go_to(demo, 4)
    demo.until("Suggested after")
    demo.press("Esc")
    demo.until("5 of 5")

    assert demo.lines[-1].startswith(" Tab: take")
    assert "        self.values[self.start] = value" == code_line(demo, 27)


def test_at_the_end_a_person_types_with_completions(terminal, tmp_path):
    demo = terminal("--no-motion")
    go_to(demo, 5)
    demo.press("return su")
    demo.until("Suggested after")
    demo.press("Tab")
    demo.until(lambda: "return su" != code_line(demo, 30).strip())
    demo.press("Enter", "# 名前 x", "Backspace")
    [written] = (tmp_path / "tmp").glob("fim-lsp-demo-*/*.py")
    demo.until(lambda: "# 名前 \n" in written.read_text("utf-8"))
    assert "# 名" in code_line(demo, 31)
    demo.press("Ctrl+C")

    assert 0 == demo.end()
    assert [] == list((tmp_path / "tmp").glob("fim-lsp-demo-*"))


def test_other_keys_say_what_the_step_waits_for(terminal):
    demo = terminal("--no-motion")
    demo.until("Suggested after")
    demo.press("x", "Up")

    demo.until("waits for a key of the last line")
    assert "        return len(self.values)" == code_line(demo, 20)


@pytest.mark.parametrize("seen", ["loads the model", "1 of 5", "Suggested after"])
def test_a_person_can_leave_at_any_time(terminal, tmp_path, seen):
    demo = terminal()
    demo.until(seen)
    demo.press("Ctrl+C")

    assert 0 == demo.end()
    assert demo.raw.rindex("\x1b[?1049l") > demo.raw.rindex("\x1b[?1049h")
    assert "fim-lsp setup" in demo.text
    assert [] == list((tmp_path / "tmp").glob("fim-lsp-demo-*"))


def test_a_smaller_terminal_is_drawn_anew(terminal):
    demo = terminal("--no-motion")
    demo.until("Suggested after")
    demo.resize(60, 20)

    demo.until(lambda: demo.lines[0].endswith("ring_buffer.py") and "Ctrl+C" in demo.lines[-1])


def test_without_colors_nothing_is_lost(terminal):
    demo = terminal("--no-motion", NO_COLOR="1")
    demo.until("Suggested after")

    assert "        return len(s«elf.values)»" == code_line(demo, 20)
    assert not any(color in demo.raw for color in COLORS)


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ((), {"TERM": "dumb"}),
        ((), {"columns": 40}),
        ((), {"rows": 10}),
        (("--plain",), {}),
    ],
    ids=["dumb", "narrow", "low", "plain"],
)
def test_where_no_screen_can_be_drawn_the_tour_is_printed(terminal, arguments, options):
    demo = terminal(*arguments, **options)

    assert 0 == demo.end()
    assert "\x1b[?1049h" not in demo.raw
    assert "return len(s«elf.values)»" in demo.raw


def test_in_a_pipe_the_tour_is_text_and_what_to_do_next_is_beside_it(environment, tmp_path):
    done = subprocess.run(
        COMMAND, capture_output=True, text=True, env=environment, cwd=tmp_path, check=True
    )

    assert "\x1b" not in done.stdout + done.stderr
    assert len(STEPS) == done.stdout.count(" of 4: ")
    assert "Why: " in done.stdout
    assert "No editor was found on PATH" in done.stderr


def test_the_lines_of_the_editors_on_this_machine_follow(environment, tmp_path):
    for program in ("hx", "nvim"):
        file = tmp_path / "bin" / program
        file.write_text("#!/bin/sh\n")
        file.chmod(0o755)
    done = subprocess.run(
        COMMAND, capture_output=True, text=True, env=environment, cwd=tmp_path, check=True
    )

    assert "[language-server.fim-lsp]" in done.stderr
    assert "vim.lsp.enable" in done.stderr
    assert "fim-lsp setup neovim --write adds them for you." in done.stderr
    assert "Neovim 0.11" not in done.stderr


def test_the_server_tells_a_person_in_a_terminal_what_to_run_instead(environment, tmp_path):
    command = [sys.executable, "-m", "fim_lsp"]
    with Terminal(command, cwd=str(tmp_path), environment=environment, columns=100) as server:
        server.until("fim-lsp demo")
        server.until("Ctrl+C ends it")
        server.press("Ctrl+C")

        assert 0 != server.end()


def test_a_model_that_is_not_there_is_one_sentence(environment, tmp_path):
    done = subprocess.run(
        [*COMMAND[:-1], "nix"], capture_output=True, text=True, env=environment, cwd=tmp_path,
        check=False,
    )  # fmt: skip

    assert 1 == done.returncode
    assert 1 == done.stderr.count("\n")
    assert "nix" in done.stderr
