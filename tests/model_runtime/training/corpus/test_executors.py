"""The same corpus comes from one task and from many, here and on Ray, at once and after a kill."""

import hashlib
import json
import lzma
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from attrs import evolve

from model_runtime.training.corpus import store
from model_runtime.training.corpus.build import build_corpus
from model_runtime.training.corpus.executors import Phase, executor_of, run_phases
from model_runtime.training.corpus.source import CorpusError
from model_runtime.training.corpus.steps import Step
from model_runtime.training.recipe import CorpusRecipe, ExecutorRecipe
from tests.model_runtime.training.conftest import ALONE, python_text, write_wheel

RECIPE = CorpusRecipe(block_mb=0.05, valid_share=0.1)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine packages; each shares a file with the next one, and one nearly."""
    folder = tmp_path_factory.mktemp("wheels")
    for number in range(9):
        texts = {f"{i}.py": python_text(10 * number + i, 20) for i in range(6)}
        texts["same.py"] = python_text(10 * number + 10, 20)
        texts["near.py"] = python_text(10 * number + 11, 20).replace("Module", "The module")
        write_wheel(folder, f"package{number}", texts)
    (folder / "package9-1.0-py3-none-any.whl").write_bytes(b"no zip")
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package of plain files, some of them nearly the same."""
    folder = tmp_path_factory.mktemp("plain")
    (folder / "LICENSE").write_text("Permission is hereby granted, free of charge")
    for number in range(12):
        text = python_text(500 + number % 8, 20).replace("Module", "Module" + " too" * number)
        (folder / f"{number:02d}.py").write_text(text)
    return folder


def test_the_files_of_one_folder_are_dealt_to_all_tasks(plain: Path, tmp_path: Path):
    made = []
    for tasks in (1, 3, 5):
        executor = evolve(ALONE, tasks=tasks)
        manifest = build_corpus(RECIPE, [str(plain)], None, tmp_path / str(tasks), executor)
        made.append(digest(tmp_path / str(tasks)))
        assert 4 == manifest["counts"]["near-duplicate"]["documents"]

    assert made[0] == made[1] == made[2]


def digest(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
    }


@pytest.fixture(scope="module")
def expected(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Made by one task in this process."""
    out = tmp_path_factory.mktemp("alone")
    manifest = build_corpus(RECIPE, [str(wheels)], None, out, ALONE)

    reasons = ("exact duplicate", "near-duplicate")
    assert [8, 8] == [manifest["counts"][reason]["documents"] for reason in reasons]
    return digest(out)


SCRIPT = """
import sys
from pathlib import Path
from model_runtime.training.corpus import store
from model_runtime.training.corpus.build import build_corpus
from model_runtime.training.recipe import CorpusRecipe, ExecutorRecipe
if __name__ == "__main__":
    wheels, out, kind, tasks, workers = sys.argv[1:]
    recipe = CorpusRecipe(block_mb=0.05, valid_share=0.1)
    executor = ExecutorRecipe(kind=kind, tasks=int(tasks), workers=int(workers))
    build_corpus(recipe, [wheels], None, Path(out), executor)
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A program of its own: workers begin with a copy of it, and Ray is ended with it."""
    path = tmp_path_factory.mktemp("script") / "build.py"
    path.write_text(SCRIPT)
    return str(path)


@pytest.mark.parametrize(
    "executor",
    [
        ("local", "5", "1"),
        ("local", "3", "2"),
        pytest.param(("ray", "2", "2"), marks=pytest.mark.slow),
    ],
    ids=" ".join,
)
def test_neither_tasks_nor_workers_nor_executor_change_the_corpus(
    executor: tuple[str, ...], script: str, wheels: Path, expected: dict[str, str], tmp_path: Path
):
    command = [sys.executable, script, str(wheels), str(tmp_path / "out"), *executor]
    subprocess.run(command, check=True, timeout=300, capture_output=True)

    assert expected == digest(tmp_path / "out")


def test_a_build_that_was_killed_goes_on_with_the_tasks_that_are_left(
    script: str, wheels: Path, expected: dict[str, str], tmp_path: Path
):
    command = [sys.executable, script, str(wheels), str(tmp_path), "local", "5", "1"]
    process = subprocess.Popen(command, start_new_session=True)
    while len(list(tmp_path.glob("work/*/logs/read/completions/*"))) < 2:
        assert process.poll() is None
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = list(tmp_path.glob("work/*/logs/read/completions/*"))
    kept = tmp_path.glob("work/*/kept/*.zst")
    # What a finished task has left is read, not made again: a mark in it comes through.
    (first,) = (path for path in kept if path.name.startswith(done[0].name))
    documents = list(store.read(first))
    documents[0].metadata["licence"] = "marked"
    list(store.write(documents, first))

    assert not (tmp_path / "manifest.json").exists()
    subprocess.run(command, check=True)
    assert expected != digest(tmp_path)
    lines = b"".join(lzma.decompress(part.read_bytes()) for part in tmp_path.glob("*.tsv.xz"))
    assert 1 == lines.count(b"\tmarked\t")


def test_what_a_start_with_other_settings_has_left_is_not_taken(
    wheels: Path, expected: dict[str, str], tmp_path: Path
):
    (tmp_path / "work" / "other").mkdir(parents=True)
    (tmp_path / "work" / "other" / "notes").write_text("of another recipe")
    (tmp_path / "train-007.txt.xz").write_bytes(b"a part of a larger corpus")
    build_corpus(RECIPE, [str(wheels)], None, tmp_path, ALONE)

    assert expected == digest(tmp_path)


class Fails(Step):
    name = "fails"

    def run(self, data: None = None, rank: int = 0, world_size: int = 1) -> None:
        if rank == 1:
            raise OSError("disk is full")


def test_a_task_that_fails_ends_the_build(tmp_path: Path):
    with pytest.raises(OSError, match="disk is full"):
        run_phases(ALONE, [Phase("fails", [Fails()], 2)], tmp_path)


def test_an_empty_corpus_says_what_was_dropped(tmp_path: Path):
    write_wheel(tmp_path, "small", {"a.py": "x = 1\n"})
    write_wheel(tmp_path, "secret", {"a.py": python_text(1)}, "License: Proprietary\n")
    with pytest.raises(CorpusError) as error:
        build_corpus(RECIPE, [str(tmp_path)], None, tmp_path / "out", ALONE)

    assert "files read 1, of them dropped: smaller than 200 bytes 1" in str(error.value)
    assert "proprietary 1" in str(error.value)
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_a_single_package_holds_out_single_files(tmp_path: Path):
    texts = {f"{i}.py": python_text(i) for i in range(20)}
    write_wheel(tmp_path, "only", texts)
    manifest = build_corpus(
        evolve(RECIPE, valid_share=0.1), [str(tmp_path)], None, tmp_path / "out", ALONE
    )

    assert {"train-000": 18, "valid-000": 2} == {
        part["name"]: part["documents"] for part in manifest["parts"]
    }


def test_a_recipe_for_slurm_gives_its_options_to_the_submitted_job(tmp_path: Path):
    options = {"partition": "cpu", "time": "01:00:00", "mem_per_cpu_gb": "4"}
    recipe = ExecutorRecipe(kind="slurm", tasks=7, slurm=options)
    executor = executor_of(recipe, Phase("read", [Fails()], 7), tmp_path)
    arguments = executor.get_sbatch_args(7)

    assert ("cpu", "01:00:00") == (arguments["partition"], arguments["time"])
    assert executor.world_size == 7


def test_the_manifest_counts_what_scrubbing_took_out(tmp_path: Path):
    text = python_text(3) + "# by ann@host.org and bob@host.org\n"
    write_wheel(tmp_path, "names", {"a.py": text, "b.py": python_text(4)})
    manifest = build_corpus(RECIPE, [str(tmp_path)], None, tmp_path / "out", ALONE)
    untouched = build_corpus(
        evolve(RECIPE, scrub=False), [str(tmp_path)], None, tmp_path / "raw", ALONE
    )

    assert ({"e-mail address": 2}, {}) == (manifest["scrubbed"], untouched["scrubbed"])
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["settings"]["scrub"]
