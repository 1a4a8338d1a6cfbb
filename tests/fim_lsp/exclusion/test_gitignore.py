"""Files that git ignores are found without git, and compared with what git says."""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

import pytest

from fim_lsp.exclusion import gitignore
from fim_lsp.exclusion.gitignore import is_ignored
from tests.support.hostile_repositories import git

NAMES = ["a", "b", "ab", "a.b", "x[", "*", "a b", "#c", "!d", "b ", "build"]
PIECES = ["a", "b", "*", "?", "/", "/", "/", "[ab]", "[!a]", "[^b]", "\\", "!", "#", " ", ".", "[",
          "]", "[a-", "[[:alpha:]]", "[]a]", "/**/", "/**", "**/", "a*", "\\*", "\\ ", "build/",
          "\r"]  # fmt: skip


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    folder = tmp_path / "tree"
    folder.mkdir()
    git(folder, "init", "-q")
    return folder


def write(folder: Path, name: str, text: str = "") -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, newline="")
    return str(path)


@pytest.mark.parametrize("seed", range(8))
def test_any_rules_mean_what_they_mean_to_git(tree: Path, seed: int):
    draw = random.Random(seed)
    files = []
    for _ in range(60):
        name = "/".join(draw.choice(NAMES) for _ in range(draw.randint(1, 4)))
        if not any(part.is_file() for part in (tree / name).parents) and not (tree / name).is_dir():
            write(tree, name)
            files.append(name)
    folders = ["", *sorted({os.path.dirname(name) for name in files})]
    for number in range(12):
        for old in tree.rglob(".gitignore"):
            old.unlink()
        texts = {}
        for folder in draw.sample(folders, 3):
            lines = [
                "".join(draw.choice(PIECES) for _ in range(draw.randint(1, 5)))
                for _ in range(draw.randint(1, 4))
            ]
            texts[folder] = "\n".join(lines) + f"\n#{number}\n"
            write(tree, f"{folder}/.gitignore".lstrip("/"), texts[folder])
        asked = "\0".join(files) + "\0"
        command = ["git", "check-ignore", "-z", "--stdin", "--no-index"]
        done = subprocess.run(command, cwd=tree, input=asked, capture_output=True, text=True)

        ours = {name for name in files if is_ignored(str(tree / name))}

        assert set(filter(None, done.stdout.split("\0"))) == ours, texts


def test_rules_come_from_all_places_that_git_reads_by_default(tree: Path, tmp_path: Path):
    write(tmp_path, "config/git/ignore", "of_user.py\n")
    write(tree, ".git/info/exclude", "of_clone.py\n")
    write(tree, ".gitignore", "of_top.py\n")
    write(tree, "in/.gitignore", "of_folder.py\n!of_top.py\n")
    names = ["of_user.py", "of_clone.py", "of_top.py", "of_folder.py", "free.py"]

    assert names[:3] == [name for name in names if is_ignored(str(tree / name))]
    assert [names[0], names[1], names[3]] == [
        name for name in names if is_ignored(str(tree / "in" / name))
    ]


def test_nothing_can_be_taken_back_in_a_folder_that_is_ignored(tree: Path):
    write(tree, ".gitignore", "made/\n!made/keep.py\n")
    write(tree, "made/.gitignore", "!keep.py\n")

    assert is_ignored(str(tree / "made" / "keep.py"))


def test_gits_own_folder_is_ignored_and_a_place_without_git_is_not(tree: Path, tmp_path: Path):
    write(tmp_path, ".gitignore", "*\n")

    assert is_ignored(str(tree / ".git" / "description"))
    assert not is_ignored(str(tmp_path / "a.py"))


def test_rules_that_change_are_read_again(tree: Path):
    write(tree, ".gitignore", "a.py\n")
    before = is_ignored(str(tree / "a.py"))
    write(tree, ".gitignore", "another.py\n")

    assert (True, False) == (before, is_ignored(str(tree / "a.py")))


def test_a_git_file_marks_a_work_tree_and_is_not_followed(tree: Path, tmp_path: Path):
    other = tmp_path / "other"
    write(other, ".git", f"gitdir: {tree / '.git'}\n")
    write(other, ".gitignore", "a.py\n")
    write(tree, ".git/info/exclude", "b.py\n")

    assert is_ignored(str(other / "a.py"))
    assert not is_ignored(str(other / "b.py"))


def test_rules_behind_a_link_are_not_read(tree: Path, tmp_path: Path):
    write(tmp_path, "elsewhere/rules", "*\n")
    (tree / ".gitignore").symlink_to(tmp_path / "elsewhere" / "rules")
    (tree / ".git" / "info" / "exclude").unlink()
    (tree / ".git" / "info" / "exclude").symlink_to(tmp_path / "elsewhere" / "rules")

    assert not is_ignored(str(tree / "a.py"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes in folders")
def test_a_pipe_in_the_place_of_rules_holds_up_nobody(tree: Path):
    os.mkfifo(tree / ".gitignore")

    assert not is_ignored(str(tree / "a.py"))


@pytest.mark.parametrize(
    "text",
    ["x\n" * gitignore.MAX_BYTES, "x" * (gitignore.MAX_CHARACTERS_OF_LINE + 1)],
    ids=["too long", "a line that is too long"],
)
def test_rules_that_nobody_writes_ignore_their_whole_folder(tree: Path, text: str):
    write(tree, "in/.gitignore", text)

    assert is_ignored(str(tree / "in" / "deep" / "a.py"))
    assert not is_ignored(str(tree / "a.py"))


def test_bytes_that_are_no_text_are_rules_like_others(tree: Path):
    (tree / ".gitignore").write_bytes(b"\xff\xfe*\na.py\n")

    assert is_ignored(str(tree / "a.py"))
