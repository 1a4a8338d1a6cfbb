"""Scripts type files, and what commits of a real repository changed."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fim_lsp.errors import FimLspError
from fim_lsp.replay import rhythm, script
from fim_lsp.replay.script import insertions_between
from tests.support import hostile_repositories


def applied(before, insertions):
    text = before
    for edit in insertions:
        text = text[: edit.offset] + edit.text + text[edit.offset + edit.removed :]
    return text


texts = st.text("ab\n\f", max_size=30)


@given(texts, texts)
def test_typing_what_changed_gives_the_later_text(before, after):
    assert after == applied(before, insertions_between(before, after))


def test_only_what_differs_within_a_line_is_typed():
    (edit,) = insertions_between("a = one\n", "a = two\n")

    assert (4, 3, "two") == (edit.offset, edit.removed, edit.text)


def test_new_lines_are_typed_with_nothing_right_of_the_cursor():
    (edit,) = insertions_between("a\nc\n", "a\nb\nb\nc\n")

    assert (1, 0, "\nb\nb") == (edit.offset, edit.removed, edit.text)


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path):
    git(tmp_path, "init", "-q")
    for number, files in enumerate((
        {"a.py": "x = 1\n"},
        {"a.py": "x = 1\ny = 2\n", "b.go": "package b\n", "data.bin": "\0\1"},
        {"a.py": "y = 2\n", "notes": "no source\n"},
        {"größe.py": "z = 3\n"},
    )):  # fmt: skip
        for name, text in files.items():
            (tmp_path / name).write_text(text, encoding="utf-8")
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "-qm", f"step {number}")
    return tmp_path


def test_commits_are_replayed_oldest_first_without_what_only_deletes(repository):
    scripts = script.of_commits("HEAD~3..HEAD", repository)

    assert [("a.py", "\ny = 2"), ("b.go", "package b\n"), ("größe.py", "z = 3\n")] == [
        (typed.path.name, typed.insertions[0].text) for typed in scripts
    ]
    assert "x = 1\n" == scripts[0].before
    assert ["python", "go", "python"] == [typed.language for typed in scripts]


def test_the_first_commit_of_a_repository_can_be_replayed(repository):
    (first,) = script.of_commits("HEAD~3", repository)

    assert ("", "x = 1\n") == (first.before, first.insertions[0].text)


def test_the_files_are_written_as_they_were_before_the_first_commit(repository, tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    script.write_tree_before("HEAD~2..HEAD", repository, root)
    scripts = script.of_commits("HEAD~2..HEAD", repository, root)

    assert {"a.py": "x = 1\ny = 2\n", "b.go": "package b\n"} == {
        path.name: path.read_text() for path in root.iterdir() if path.suffix in (".py", ".go")
    }
    assert [root / "größe.py"] == [typed.path for typed in scripts]


def test_before_the_very_first_commit_there_is_nothing(repository, tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    script.write_tree_before("HEAD~3", repository, root)

    assert [] == list(root.iterdir())


def test_a_range_that_git_does_not_know_is_said_in_gits_words(repository):
    with pytest.raises(FimLspError, match=r"git rev-list: .*nonsense"):
        script.of_commits("nonsense..HEAD", repository)


def test_a_folder_stands_for_its_source_files(tmp_path):
    for name in ("b.py", "a.js", "picture.png", ".hidden/c.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")

    assert ["a.js", "b.py"] == [typed.path.name for typed in script.of_files([tmp_path])]


@pytest.mark.parametrize("content", [None, b"\xff\xfe\0", b"x" * 300_000])
def test_what_cannot_be_typed_is_named(tmp_path, content):
    path = tmp_path / "a.py"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(FimLspError, match=r"a\.py"):
        script.of_files([path])


def test_pauses_are_those_of_people_and_the_same_each_time():
    pauses = [rhythm.Rhythm("seed").pause() for _ in range(2)]
    many = rhythm.Rhythm("seed")
    mean = sum(many.pause() for _ in range(5000)) / 5000

    assert pauses[0] == pauses[1]
    assert 230 < mean < 250


@pytest.mark.parametrize("content", ["{}", "[]", "[1, true]", "[-1]", "no"])
def test_a_recording_must_be_a_list_of_milliseconds(tmp_path, content):
    path = tmp_path / "gaps.json"
    path.write_text(content)

    with pytest.raises(FimLspError, match=r"gaps\.json"):
        rhythm.recorded(path)


def test_recorded_pauses_are_drawn_from(tmp_path):
    path = tmp_path / "gaps.json"
    path.write_text("[100, 200.5]")
    drawn = rhythm.Rhythm("seed", rhythm.recorded(path))

    assert {100.0, 200.5} == {drawn.pause(begins_line=True) for _ in range(50)}


def test_to_read_commits_runs_nothing_that_the_repository_names(tmp_path):
    witness, before = tmp_path / "RAN", tmp_path / "before"
    folder = hostile_repositories.with_programs(tmp_path, witness)
    (found,) = script.of_commits("HEAD~..HEAD", folder)
    script.write_tree_before("HEAD~..HEAD", folder, before)

    assert "x = 1\n" == found.before
    assert "x = 1\n" == (before / "a.py").read_text()
    assert not witness.exists()


def test_secrets_are_neither_typed_nor_written(repository, tmp_path_factory):
    before = tmp_path_factory.mktemp("before")
    for text in ("x = 1\n", "x = 1\ny = 2\n"):
        for name in ("c.py", "secrets/api.py"):
            (repository / name).parent.mkdir(exist_ok=True)
            (repository / name).write_text(text)
        git(repository, "add", "-f", ".")
        git(repository, "commit", "-qm", "more")
    script.write_tree_before("HEAD~..HEAD", repository, before)

    assert ["c.py"] == [one.path.name for one in script.of_commits("HEAD~..HEAD", repository)]
    assert (before / "c.py").exists()
    assert not (before / "secrets").exists()
    assert "api.py" not in {one.path.name for one in script.of_files([repository])}


def test_a_file_that_the_repository_lacks_is_not_written(repository, tmp_path_factory):
    before = tmp_path_factory.mktemp("before")
    named = ["git", "-C", str(repository), "rev-parse", "HEAD~:b.go"]
    blob = subprocess.run(named, check=True, capture_output=True, text=True).stdout.strip()
    stored = repository / ".git/objects" / blob[:2] / blob[2:]
    stored.chmod(0o600)
    stored.unlink()
    script.write_tree_before("HEAD~..HEAD", repository, before)

    assert "y = 2\n" == (before / "a.py").read_text()
    assert not (before / "b.go").exists()
