"""A replacement or a removal that is killed before any one of its steps loses nothing.

Random moments (`test_killed`) hardly ever meet the two system calls between which nothing is in
place; here every step is met.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from model_runtime.files import building, sweep
from model_runtime.training.checkpoint import find, read_progress
from tests.faults import forked, work_to_kill
from tests.faults.tally import Tally
from tests.faults.test_killed import assert_whole, leftovers
from tests.faults.work_to_kill import FILES, NAMED

MAX_STEPS = 200


def killed_at_each_step(folder: Path, *work: object) -> Iterator[int]:
    """Runs the work anew for each of its steps, and kills it there; ends when one run ends well."""
    for step in range(1, MAX_STEPS):
        process = forked.start(forked.run_until, step, folder, *work)
        process.join()
        if process.exitcode == 0:
            assert step > 2, "the work has no steps"
            return
        assert process.exitcode == -9
        yield step
    raise AssertionError("the work has no end")


def content(folder: Path) -> set[str]:
    return {(folder / name).read_text() for name in FILES}


def test_a_folder_that_is_being_replaced_is_the_old_one_or_the_new_one(
    tmp_path: Path, tally: Tally
):
    count, target = tally.of("kill -9 at each step of replacing a folder"), tmp_path / "model"
    with building(target) as folder:
        for name in FILES:
            (folder / name).write_text("old")
    for _ in killed_at_each_step(tmp_path, work_to_kill.replace_folder, target, "new"):
        count.injected += 1
        sweep(tmp_path)
        assert content(target) in ({"old"}, {"new"})
        assert [target] == list(tmp_path.iterdir())
        count.survived += 1
        work_to_kill.replace_folder(target, "old")
    assert {"new"} == content(target)


def test_a_folder_that_is_being_removed_is_whole_or_gone(tmp_path: Path, tally: Tally):
    count, target = tally.of("kill -9 at each step of removing a folder"), tmp_path / "model"
    work_to_kill.replace_folder(target, "old")
    for _ in killed_at_each_step(tmp_path, work_to_kill.remove, target):
        count.injected += 1
        assert not target.exists() or {"old"} == content(target)
        sweep(tmp_path)
        assert [] == leftovers(tmp_path)
        count.survived += 1
        work_to_kill.replace_folder(target, "old")
    assert not target.exists()


def test_a_file_that_is_being_replaced_is_the_old_one_or_the_new_one(tmp_path: Path, tally: Tally):
    count, target = tally.of("kill -9 at each step of replacing a file"), tmp_path / "counts.json"
    target.write_text("old")
    for _ in killed_at_each_step(tmp_path, work_to_kill.replace_file, target, "new"):
        count.injected += 1
        assert target.read_text() in ("old", "new")
        target.write_text("old")
        for left in set(tmp_path.iterdir()) - {target}:
            os.utime(left, (0, time.time() - 3600))
        count.survived += 1
    assert "new" == target.read_text()
    assert [target] == list(tmp_path.iterdir())


def test_a_checkpoint_that_is_being_replaced_is_the_old_one_or_the_new_one(
    tmp_path: Path, tally: Tally
):
    count = tally.of("kill -9 at each step of replacing a checkpoint")
    run(work_to_kill.save_one, tmp_path, 1)
    steps = set()
    for _ in killed_at_each_step(tmp_path, work_to_kill.save_one, tmp_path, 2):
        count.injected += 1
        for path in tmp_path.glob("[!.]*"):
            assert_whole(path)
        assert_whole(find(tmp_path / NAMED))  # also by who only reads
        run(work_to_kill.save_another, tmp_path)  # puts back what has lost its place
        steps.add(read_progress(tmp_path / NAMED)[0].step)
        count.survived += 1
        run(work_to_kill.save_one, tmp_path, 1)
    assert {1, 2} == steps


def run(work: Callable[..., None], *arguments: object) -> None:
    process = forked.start(work, *arguments)
    process.join()
    assert 0 == process.exitcode


@pytest.mark.parametrize("age_seconds", [0, 3600])
def test_the_unfinished_text_of_another_writer_is_removed_when_it_is_old(
    tmp_path: Path, age_seconds: int
):
    left = tmp_path / "counts.json.4711-0123abcd"
    left.write_text("half")
    os.utime(left, (0, time.time() - age_seconds))
    work_to_kill.replace_file(tmp_path / "counts.json", "whole")

    assert left.exists() is (age_seconds == 0)
