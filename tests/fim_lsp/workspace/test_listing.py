"""The listing has the project's code, and nothing else."""

import os
from pathlib import Path

import pytest

from fim_lsp.workspace import listing
from fim_lsp.workspace.listing import is_project, source_files
from tests.support import hostile_repositories
from tests.support.hostile_repositories import git

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


def test_without_git_heaps_of_other_peoples_files_are_left_out(folder):
    assert {"app.py", "web/cart.ts", "made/big.py", "private/key.py"} == set(source_files(folder))


def test_what_git_ignores_is_left_out(folder):
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


@pytest.mark.parametrize(
    ("make", "files"),
    [
        (hostile_repositories.sparse, {"a/x.py", "z.py"}),
        (hostile_repositories.bare_inside, {"main.py"}),
        (hostile_repositories.with_programs, {"a.py"}),
    ],
)
def test_a_program_that_a_repository_names_does_not_run(tmp_path, make, files):
    witness = tmp_path / "RAN"
    hostile = make(tmp_path, witness)

    assert files == set(source_files(hostile))
    assert not witness.exists()


def test_rules_hold_above_and_below_the_folder_that_is_open(folder):
    git(folder, "init", "-q")
    (folder / ".gitignore").write_text("/web/made/\nbig.py\n")
    (folder / "web" / "made").mkdir()
    (folder / "web" / "made" / "a.py").write_text("x = 1\n")
    (folder / "web" / "deep").mkdir()
    (folder / "web" / "deep" / ".gitignore").write_text("*.py\n!b.py\n")
    for name in ("a.py", "b.py", "big.py"):
        (folder / "web" / "deep" / name).write_text("x = 1\n")

    assert {"cart.ts", "deep/b.py"} == set(source_files(folder / "web"))
    assert [] == source_files(folder / "web" / "made")


def test_in_a_work_tree_hidden_folders_count_and_other_work_trees_do_not(folder):
    git(folder, "init", "-q")
    for name in (".github/check.py", "module/sub.py", ".git/hooks/hook.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x = 1\n")
    (folder / "module" / ".git").write_text("gitdir: ../.git/modules/module\n")

    found = set(source_files(folder))

    assert ".github/check.py" in found
    assert not {"module/sub.py", ".git/hooks/hook.py"} & found


def test_folders_of_secrets_are_not_entered(folder):
    git(folder, "init", "-q")
    (folder / ".env").unlink()
    for name in (
        ".env/prod.py",
        ".env.d/a.py",
        "in/secrets/api.py",
        ".aws/sso/cache.py",
        ".ssh/a.py",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("KEY = 1\n")

    assert not any("KEY" in (folder / name).read_text() for name in source_files(folder))


def test_a_root_that_is_a_link_to_secrets_holds_none(folder):
    (folder / "secrets").mkdir()
    (folder / "secrets" / "api.py").write_text("KEY = 1\n")
    (folder / "innocent").symlink_to("secrets", target_is_directory=True)

    assert [] == source_files(folder / "innocent")


def test_no_more_than_so_many_files(folder, monkeypatch):
    monkeypatch.setattr(listing, "MAX_FILES", 2)

    assert 2 == len(source_files(folder))


def test_a_home_folder_is_no_project(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home" / "me"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home" / "me"))
    (tmp_path / "home" / "me" / "work").mkdir(parents=True)

    assert is_project(tmp_path / "home" / "me" / "work")
    assert not is_project(tmp_path / "home" / "me")
    assert not is_project(tmp_path / "home")
    assert not is_project(tmp_path / "nowhere")
