"""`fim-lsp setup` prints the lines of the documentation, and adds them without losing anything."""

import json
import re
import sys
from pathlib import Path

import pytest

from fim_lsp import cli
from fim_lsp.commands.known_editors import EDITORS

DOCS = Path(__file__).parents[3] / "docs"
PROGRAMS = [editor for editor in EDITORS if editor.is_code]
OTHERS = [editor for editor in EDITORS if not editor.is_code]
COMMAND = re.compile(r"""(["'])[^"'\n]*[\\/]fim-lsp(\.exe)?\1""")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("editor", EDITORS, ids=lambda one: one.name)
def test_it_prints_the_lines_of_the_documentation(editor, capsys):
    names = ("editors.md", "clients.md", "distribution/README.md")
    pages = "".join((DOCS / name).read_text("utf-8") for name in names)

    assert cli.main(["setup", editor.name]) == 0

    lines = COMMAND.sub(r"\1fim-lsp\1", capsys.readouterr().out)
    if editor.name == "vscode":
        assert json.loads(lines) == {"fimLsp.interpreter": sys.executable}
    else:
        assert f"\n{lines}```" in pages


@pytest.mark.parametrize("editor", PROGRAMS, ids=lambda one: one.name)
def test_lines_start_this_installation_whatever_path_finds(editor, capsys, monkeypatch):
    monkeypatch.setenv("PATH", "")

    cli.main(["setup", editor.name])

    own = Path(sys.executable).with_name("fim-lsp")
    assert (str(own) if own.exists() else "fim-lsp") in capsys.readouterr().out


def test_editors_on_this_machine_come_first(tmp_path, monkeypatch, capsys):
    program = tmp_path / "hx"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")

    assert cli.main(["setup"]) == 0

    rows = capsys.readouterr().out.splitlines()
    assert "fim-lsp setup helix" in rows[1]
    assert str(program) in rows[1]
    assert all("not found" in row for row in rows[2 : len(EDITORS) + 1])


@pytest.mark.parametrize("editor", PROGRAMS, ids=lambda one: one.name)
@pytest.mark.parametrize("before", [None, "", "-- mine\n"])
def test_lines_are_added_behind_what_was_there_and_a_copy_is_kept(editor, before, capsys):
    if before is not None:
        editor.file.parent.mkdir(parents=True)
        editor.file.write_text(before)

    assert cli.main(["setup", editor.name, "--write"]) == 0

    text = editor.file.read_text()
    assert text.startswith(before or "")
    assert text.endswith(editor.text())
    copies = list(editor.file.parent.glob("*.before-fim-lsp-*"))
    assert [copy.read_text() for copy in copies] == ([] if before is None else [before])


@pytest.mark.parametrize("editor", PROGRAMS, ids=lambda one: one.name)
def test_a_second_time_changes_nothing_and_says_so(editor, capsys):
    cli.main(["setup", editor.name, "--write"])
    text = editor.file.read_text()

    assert cli.main(["setup", editor.name, "--write"]) == 1

    assert "names fim-lsp already; nothing was changed" in capsys.readouterr().err
    assert editor.file.read_text() == text
    assert list(editor.file.parent.iterdir()) == [editor.file]


def test_a_link_to_a_configuration_elsewhere_stays_one(tmp_path):
    (editor,) = (one for one in EDITORS if one.name == "neovim")
    real = tmp_path / "dotfiles.lua"
    real.write_text("-- mine\n")
    editor.file.parent.mkdir(parents=True)
    editor.file.symlink_to(real)

    assert cli.main(["setup", editor.name, "--write"]) == 0

    assert editor.file.is_symlink()
    assert real.read_text().startswith("-- mine\n")
    assert "fim_lsp" in real.read_text()


@pytest.mark.parametrize(
    ("content", "told"), [(b"\xff\xfe\x00", "not UTF-8"), (None, "Is a directory")]
)
def test_a_configuration_that_cannot_be_read_is_one_sentence(content, told, capsys):
    (editor,) = (one for one in EDITORS if one.name == "emacs")
    editor.file.parent.mkdir(parents=True)
    if content is None:
        editor.file.mkdir()
    else:
        editor.file.write_bytes(content)

    assert cli.main(["setup", "emacs", "--write"]) == 1

    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("editor", OTHERS, ids=lambda one: one.name)
def test_lines_that_go_between_others_are_left_to_the_user(editor, capsys):
    assert cli.main(["setup", editor.name, "--write"]) == 2
    assert "by hand" in capsys.readouterr().err


@pytest.mark.parametrize(("typed", "meant"), [("neovm", "neovim"), ("vs-code", "vscode")])
def test_a_mistyped_editor_is_told_with_the_one_that_was_meant(typed, meant, capsys):
    assert cli.main(["setup", typed]) == 2
    assert capsys.readouterr().err.endswith(f"did you mean {meant}?\n")


@pytest.mark.parametrize("arguments", [["vim"], ["--write"]])
def test_wrong_use_is_one_sentence(arguments, capsys):
    assert cli.main(["setup", *arguments]) == 2
    assert capsys.readouterr().err.count("\n") == 1
