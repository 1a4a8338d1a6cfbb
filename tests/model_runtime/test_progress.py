"""Progress of a preparation reaches those who asked for it."""

import contextlib
import os
import pty
import subprocess
import sys

import pytest

from model_runtime import progress
from model_runtime.engines import artifact_cache, open_engine
from tests.support.random_models import VARIANTS, make_bundle


def test_nobody_need_listen():
    with progress.step("baking"):
        progress.advance(0.5)


def test_all_listeners_of_the_context_are_told_of_a_step():
    inner, outer = [], []
    with progress.told_to(lambda *told: outer.append(told)):
        with progress.told_to(lambda *told: inner.append(told)), progress.step("baking"):
            progress.advance(0.5)
        progress.advance(0.7)

    assert inner == outer == [("baking", 0.0), ("baking", 0.5), ("baking", 1.0)]


def test_outside_of_a_step_nothing_advances():
    told = []
    with progress.told_to(lambda *said: told.append(said)):
        progress.advance(0.5)

    assert [] == told


def test_each_part_of_a_work_knows_only_itself_and_a_listener_learns_of_all():
    told = []

    def note(what, share):
        told.append((what, share, round(progress.whole(share), 3)))

    with progress.told_to(note):
        with progress.part(0, 0.4), progress.step("mixing"):
            progress.advance(0.5)
        with progress.part(0.4, 1):
            with progress.part(0, 0.5), progress.step("baking"):
                progress.advance(0.5)
            with progress.part(0.5, 1):
                progress.tell("cooling elsewhere", 0.9, 0.5)

    assert [
        ("mixing", 0.0, 0.0),
        ("mixing", 0.5, 0.2),
        ("mixing", 1.0, 0.4),
        ("baking", 0.0, 0.4),
        ("baking", 0.5, 0.55),
        ("baking", 1.0, 0.7),
        ("cooling elsewhere", 0.9, 0.85),
    ] == told


def test_a_sentence_that_is_announced_is_said_and_has_a_share():
    said, told = [], []
    with progress.told_to(lambda *one: told.append(one)), progress.announced(said.append, "baking"):
        progress.advance(0.5)

    assert ["baking"] == said
    assert [("baking", 0.0), ("baking", 0.5), ("baking", 1.0)] == told


BAR = """
from model_runtime import progress
from model_runtime.progress_bar import progress_bar

with progress_bar(), progress.step("baking bread"):
    progress.advance(0.42)
print("done")
"""


def test_a_terminal_shows_a_bar():
    reader, terminal = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", BAR], stdout=subprocess.PIPE, stderr=terminal)
    os.close(terminal)
    shown = b""
    with contextlib.suppress(OSError):  # Linux's end of a terminal
        while chunk := os.read(reader, 4096):
            shown += chunk
    os.close(reader)

    assert b"done\n" == process.communicate()[0]
    assert b"baking bread" in shown


def test_what_is_no_terminal_stays_quiet():
    done = subprocess.run([sys.executable, "-c", BAR], capture_output=True, check=True)

    assert (b"done\n", b"") == (done.stdout, done.stderr)


@pytest.mark.parametrize("engine", ["ctranslate2", "onnx"])
def test_making_an_engines_form_advances_from_nothing_to_all(engine, tmp_path, monkeypatch):
    monkeypatch.setattr(artifact_cache, "user_cache_path", lambda *_, **__: tmp_path / "cache")
    bundle = make_bundle(tmp_path, VARIANTS["rotary quarter"])
    told = []
    for _ in range(2):
        with progress.told_to(lambda *said: told.append(said)):
            open_engine(bundle, engine=engine, threads=1).close()

    assert 1 == len({what for what, _ in told})
    assert bundle.manifest.name in told[0][0]
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert 0.0 == shares[0] < 0.5 < shares[-2] <= shares[-1] == 1.0
    assert 2 >= shares.count(1.0)
