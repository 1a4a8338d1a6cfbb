"""Which files of a folder are looked at: the project's code, and nothing else."""

import os
import subprocess
from pathlib import Path

import pytest

from fim_lsp.workspace import listing
from fim_lsp.workspace.listing import is_project, source_files

FILES = {
    "app.py": "x = 1\n",
    "web/cart.ts": "let x = 1\n",
    "made/big.py": "x = 1\n",
    "node_modules/lib/index.js": "x = 1\n",
    ".env": "TOKEN=1\n",
    "secrets.py": "x = 1\n",
    "private/key.py": "x = 1\n",
    "picture.svg": "<svg/>",
    "README.md": "# words\n",
    "data.json": "{}",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


def test_without_git_heaps_of_other_peoples_files_are_left_out(folder):
    assert {"app.py", "web/cart.ts", "made/big.py", "private/key.py"} == set(source_files(folder))


def test_git_says_what_is_ignored(folder):
    git(folder, "init", "-q")
    (folder / ".gitignore").write_text("/made/\n/node_modules/\n")
    (folder / "web" / ".gitignore").write_text("*.js\n")
    (folder / "web" / "made.js").write_text("x = 1\n")
    git(folder, "add", "app.py")

    assert {"app.py", "web/cart.ts", "private/key.py"} == set(source_files(folder))


def test_what_the_user_excludes_is_left_out(folder):
    assert "private/key.py" not in source_files(folder, ("private",))


def test_the_last_changed_file_comes_first(folder):
    for age, name in enumerate(["web/cart.ts", "app.py", "made/big.py", "private/key.py"]):
        os.utime(folder / name, (1e9 - age, 1e9 - age))

    assert ["web/cart.ts", "app.py", "made/big.py", "private/key.py"] == source_files(folder)


def test_links_are_not_followed_even_in_circles(folder):
    (folder / "web" / "up").symlink_to(folder, target_is_directory=True)
    (folder / "linked.py").symlink_to("/etc/passwd")

    assert {"app.py", "web/cart.ts", "made/big.py", "private/key.py"} == set(source_files(folder))


def test_a_program_that_a_repository_names_does_not_run(folder):
    git(folder, "init", "-q")
    monitor = folder / "monitor.sh"
    monitor.write_text(f"#!/bin/sh\ntouch {folder}/ran\n")
    monitor.chmod(0o755)
    git(folder, "config", "core.fsmonitor", str(monitor))
    git(folder, "config", "core.hooksPath", str(folder))

    source_files(folder)

    assert not (folder / "ran").exists()


def test_no_more_than_so_many_files(folder, monkeypatch):
    monkeypatch.setattr(listing, "MOST_FILES", 2)

    assert 2 == len(source_files(folder))


def test_a_home_folder_is_no_project(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home" / "me"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home" / "me"))
    (tmp_path / "home" / "me" / "work").mkdir(parents=True)

    assert is_project(tmp_path / "home" / "me" / "work")
    assert not is_project(tmp_path / "home" / "me")
    assert not is_project(tmp_path / "home")
    assert not is_project(tmp_path / "nowhere")
