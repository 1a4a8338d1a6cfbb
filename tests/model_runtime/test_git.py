"""Git is asked to read, and runs nothing that the repository names."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_runtime.errors import GitError
from model_runtime.git import git
from tests.support import hostile_repositories

HOSTILE = {
    "a tree that has to be fetched": hostile_repositories.sparse,
    "a repository inside a plain clone": hostile_repositories.bare_inside,
    "programs in its settings": hostile_repositories.with_programs,
}
READING = [
    ["ls-files", "-z"],
    ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"],
    ["rev-parse", "--short=12", "HEAD"],
    ["rev-parse", "--show-toplevel"],
    ["rev-list", "--reverse", "--no-merges", "HEAD", "--"],
    ["diff-tree", "-r", "-z", "--root", "--no-renames", "--name-status", "HEAD"],
    ["ls-tree", "-r", "-z", "HEAD"],
    ["cat-file", "blob", "HEAD:a.py"],
]


@pytest.mark.parametrize("kind", HOSTILE)
def test_nothing_that_a_repository_names_is_run(tmp_path: Path, kind: str):
    witness = tmp_path / "RAN"
    folder = HOSTILE[kind](tmp_path, witness)
    for arguments in READING:
        try:
            git(folder, *arguments)
        except GitError as error:
            assert f"git {arguments[0]}: " in str(error)

        assert not witness.exists(), arguments


def test_the_users_environment_does_not_reach_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    witness = tmp_path / "RAN"
    folder = hostile_repositories.with_programs(tmp_path, tmp_path / "unused")
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", f"touch {witness}")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))

    assert b"a.py" in git(folder, "ls-files")
    assert not witness.exists()


def test_what_is_read_is_as_it_was_committed(tmp_path: Path):
    folder = hostile_repositories.with_programs(tmp_path, tmp_path / "unused")

    assert b"x = 1\n" == git(folder, "cat-file", "blob", "HEAD~:a.py")
    assert b"hello" in git(folder, "cat-file", "--batch", given=b"hello\n")


def test_a_command_that_converts_files_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="git archive may run"):
        git(tmp_path, "archive", "HEAD")


def test_without_git_the_message_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(GitError, match="there is no git; install it"):
        git(tmp_path, "ls-files")
