"""Whole folders or nothing, whoever else builds the same one."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from model_runtime.files import building, sweep


@pytest.mark.parametrize("attempt", range(10))
def test_of_many_who_build_the_same_folder_each_succeeds_and_one_folder_is_left(
    tmp_path: Path, attempt: int
):
    target = tmp_path / "target"

    def build(number: int) -> None:
        with building(target) as folder:
            for name in ("one", "two"):
                (folder / name).write_text(str(number))

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(build, range(48)))

    assert [target] == list(tmp_path.iterdir())
    assert (target / "one").read_text() == (target / "two").read_text()


def test_a_build_that_fails_leaves_the_earlier_folder(tmp_path: Path):
    target = tmp_path / "target"
    with building(target) as folder:
        (folder / "whole").touch()
    with pytest.raises(RuntimeError), building(target) as folder:
        (folder / "half").touch()
        raise RuntimeError

    assert [target] == list(tmp_path.iterdir())
    assert ["whole"] == [path.name for path in target.iterdir()]


WORKING = """
import sys, time
from pathlib import Path
from model_runtime.files import building
with building(Path(sys.argv[1])) as folder:
    (folder / "half").write_text("half")
    print("working", flush=True)
    sys.stdin.read()
"""


def working(target: Path) -> "subprocess.Popen[str]":
    """A process that is in the midst of building `target`."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORKING, str(target)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert "working" == process.stdout.readline().strip()
    return process


def test_what_a_killed_process_leaves_is_removed_by_the_next_that_builds_there(tmp_path: Path):
    for _ in range(3):
        process = working(tmp_path / "one")
        process.kill()
        process.communicate()
    assert list(tmp_path.iterdir())

    with building(tmp_path / "other"):
        pass

    assert [tmp_path / "other"] == list(tmp_path.iterdir())


def test_the_work_of_a_living_process_is_left_alone(tmp_path: Path):
    process = working(tmp_path / "one")
    with building(tmp_path / "other"):
        pass
    sweep(tmp_path)
    process.communicate()  # the end of its input lets it finish

    assert 0 == process.returncode
    assert {"one", "other"} == {path.name for path in tmp_path.iterdir()}
    assert (tmp_path / "one" / "half").is_file()


def test_folders_that_are_not_ours_are_never_swept(tmp_path: Path):
    names = [".git", ".m1.0123456789ab", ".fim-lsp.", ".fim-lsp.x", "fim-lsp.x.0123456789ab"]
    for name in names:
        (tmp_path / name).mkdir()
    (tmp_path / ".fim-lsp.link.0123456789ab").symlink_to(".git")
    sweep(tmp_path)

    assert {*names, ".fim-lsp.link.0123456789ab"} == {path.name for path in tmp_path.iterdir()}
    assert [] == list((tmp_path / ".git").iterdir())
