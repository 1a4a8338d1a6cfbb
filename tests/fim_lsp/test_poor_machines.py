"""Machines and folders that are worse than usual: a completion all the same, from the whole program."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.demo import place

ROOT = Path(__file__).parents[2]
ENGINES = ["onnx", "ctranslate2"]
COMMAND = [sys.executable, "-m", "fim_lsp", "complete", place()]
GIBIBYTE = 2**30


def complete(cache, *arguments, before=lambda: None, **environment):
    """Returns what `fim-lsp complete --json` prints in a process with a cache folder of its own."""
    done = subprocess.run(
        [*COMMAND, "--json", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
        preexec_fn=before,
        env={**os.environ, "XDG_CACHE_HOME": str(cache), **environment},
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    """A cache with the forms of both engines, and what each of them suggests."""
    cache = tmp_path_factory.mktemp("cache")
    return cache, {name: texts(complete(cache, "--engine", name)) for name in ENGINES}


def texts(told):
    found = [item["insertText"] for item in told["items"]]
    assert found
    return found


@pytest.mark.parametrize("engine", ENGINES)
def test_one_core_is_enough(usual, engine):
    cache, expected = usual

    def on_one_core():
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

    told = complete(cache, "--engine", engine, before=on_one_core)

    assert expected[engine] == texts(told)


@pytest.mark.parametrize("engine", ENGINES)
def test_more_threads_than_cores_are_as_good_as_there_are_cores(usual, engine):
    cache, expected = usual

    assert expected[engine] == texts(complete(cache, "--engine", engine, "--threads", "1000"))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_gibibyte_of_address_space_is_enough(usual, engine):
    """Address space is more than the memory that is used: libraries are counted whole."""
    cache, expected = usual

    def with_little_memory():
        resource.setrlimit(resource.RLIMIT_AS, (GIBIBYTE, GIBIBYTE))

    told = complete(cache, "--engine", engine, before=with_little_memory)

    assert expected[engine] == texts(told)


def test_ctranslate2_completes_with_the_kernels_for_processors_without_avx(usual):
    """Runs with its generic kernels; docs/notes/poor-machines.md has what else was tried."""
    cache, _ = usual
    told = complete(cache, "--engine", "ctranslate2", CT2_FORCE_CPU_ISA="GENERIC")

    assert texts(told)
    assert "ctranslate2" == told["engine"]


@pytest.mark.parametrize("engine", [*ENGINES, "auto"])
@pytest.mark.parametrize("place", ["a file in its place", "no such file system"])
def test_a_cache_that_cannot_be_written_costs_time_only(usual, tmp_path, engine, place):
    _, expected = usual
    (tmp_path / "file").write_text("")
    cache = tmp_path / "file" if place == "a file in its place" else Path("/proc/fim-lsp")

    told = complete(cache, "--engine", engine)

    assert expected[told["engine"]] == texts(told)


def test_a_read_only_cache_that_is_filled_is_used(usual, tmp_path):
    """Makes the cache read-only, as an administrator may provide it."""
    cache, expected = usual
    folders = [cache, *(path for path in cache.rglob("*") if path.is_dir())]
    modes = {folder: folder.stat().st_mode for folder in folders}
    for folder in folders:
        folder.chmod(0o555)
    try:
        told = complete(cache, "--engine", "onnx")
    finally:
        for folder, mode in modes.items():
            folder.chmod(mode)

    assert expected["onnx"] == texts(told)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("harm", ["zeros", "cut", "letters", "gone"])
def test_a_corrupted_cache_is_made_again(usual, tmp_path, engine, harm):
    """Also where the files have the right size: a backend would answer with nonsense."""
    _, expected = usual
    complete(tmp_path, "--engine", engine)
    files = [path for path in tmp_path.rglob("*") if path.is_file() and "engines" not in path.parts]
    assert len(files) >= 2
    for path in files:
        content = path.read_bytes()
        half = len(content) // 2
        if harm == "zeros":
            path.write_bytes(content[:half] + bytes(len(content) - half))
        elif harm == "cut":
            path.write_bytes(content[:half])
        elif harm == "letters":
            path.write_bytes(b"x" * len(content))
        else:
            path.unlink()

    assert expected[engine] == texts(complete(tmp_path, "--engine", engine))


def test_a_corrupted_memory_of_the_fastest_engine_is_measured_again(usual, tmp_path):
    _, expected = usual
    complete(tmp_path)
    (choice,) = (tmp_path / "fim-lsp" / "engines").iterdir()
    choice.write_text('{"engine": "onnx", "speeds": ')

    told = complete(tmp_path)

    assert expected[told["engine"]] == texts(told)
    assert told["engine"] == json.loads(choice.read_text())["engine"]
