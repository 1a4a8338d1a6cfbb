"""kill -9 at random moments leaves everything whole or absent.

A quarter of the kills is for each kind of work.  The moments are drawn from the seed, as shares of
the time that the whole work takes here.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from fim_lsp.feedback import acceptance_store
from model_runtime.files import sha256_of
from model_runtime.models.bundle import ModelBundle
from model_runtime.training.checkpoint import PROGRESS, find, newest, read_progress, read_weights
from tests.faults import forked
from tests.faults.servers import Home, is_settled
from tests.faults.tally import Tally
from tests.faults.work_to_kill import NAMED, save_another, save_checkpoints
from tests.support.wire import Wire, did_change, replace


@pytest.fixture
def kills(pytestconfig: pytest.Config) -> int:
    return max(2, pytestconfig.getoption("--kills") // 4)


def seconds_of(work: Callable[[], object]) -> float:
    """Time of the quicker of two runs; the first one may also start the fork server."""
    times = []
    for _ in range(2):
        begun = time.monotonic()
        work()
        times.append(time.monotonic() - begun)
    return min(times)


def leftovers(folder: Path) -> list[str]:
    """Names of hidden and unfinished files and folders."""
    found = list(folder.iterdir()) if folder.exists() else []
    unfinished = re.compile(r"\..*|.*\.json\.\d+-.*")
    return [path.name for path in found if unfinished.fullmatch(path.name)]


@pytest.mark.parametrize(("kind", "share"), [("bundle", 0.8), ("checkpoint", 0.2)])
def test_a_model_that_is_being_added_is_whole_or_absent(
    home: Home,
    tiny: ModelBundle,
    tally: Tally,
    chance: random.Random,
    kills: int,
    kind: str,
    share: float,
):
    """A checkpoint takes seconds to convert and to examine, so there are fewer kills of that."""
    source = {"bundle": tiny.path, "checkpoint": tiny.path.parent / "source"}[kind]
    add = ["models", "add", str(source), "--name", "mine", "--quantization", "float32"]
    count, target = tally.of(f"kill -9 while a {kind} is added"), home.models / "mine"
    kills = max(2, round(kills * share))

    def start():
        return forked.start(forked.run_program, "model_runtime.cli", add, home)

    whole = seconds_of(lambda: start().join())
    expected = hashes(target)
    middle = absent = 0
    while count.injected < kills:
        if count.injected % 2:  # every other one replaces a model
            shutil.rmtree(target, ignore_errors=True)
        was_there = target.exists()
        process = start()
        time.sleep(chance.uniform(0, whole))
        count.injected += forked.kill(process)
        middle += bool(leftovers(home.models))
        if target.exists():
            assert expected == hashes(target)
            ModelBundle.open(target).verify_weights()
        else:
            absent += 1
            assert not was_there
        count.survived += process.exitcode == -9
    start().join()
    assert expected == hashes(target)
    assert [] == leftovers(home.models)
    count.note = f"{middle} left work behind, which the next one removed; absent after {absent}"


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.name: sha256_of(path)
        for path in sorted(folder.iterdir())
        if path.name != "manifest.json"  # which has the time that it took
    }


def test_an_engines_form_that_is_being_made_is_whole_or_absent(
    home: Home, tiny: ModelBundle, tally: Tally, chance: random.Random, kills: int
):
    count = tally.of("kill -9 while an engine's form is made")
    settings = {"model": str(tiny.path), "engine": "onnx", "threads": 1}

    def ready() -> None:
        process, wire = start()
        assert "ready" == wire.receive(is_settled)["params"]["state"]
        wire.shut_down()
        process.join()
        wire.close()

    def start():
        process, wire = forked.start_server(home)
        wire.send(
            {
                "id": "first",
                "method": "initialize",
                "params": {
                    "processId": None,
                    "rootUri": None,
                    "capabilities": {},
                    "initializationOptions": settings,
                },
            },
            {"method": "initialized", "params": {}},
        )
        return process, wire

    whole = seconds_of(ready)
    (form,) = home.derived.iterdir()
    expected = hashes(form)
    middle = absent = 0
    while count.injected < kills:
        shutil.rmtree(form, ignore_errors=True)
        process, wire = start()
        if count.injected % 2:  # every other one within a few milliseconds of the work
            while process.is_alive() and not form.exists() and not leftovers(home.derived):
                time.sleep(0.0002)
            time.sleep(chance.uniform(0, 0.02))
        else:
            time.sleep(chance.uniform(0, whole))
        count.injected += forked.kill(process)
        wire.close()
        middle += bool(leftovers(home.derived))
        absent += not form.exists()
        assert not form.exists() or expected == hashes(form)
        count.survived += process.exitcode == -9
    ready()
    assert [form.name] == [path.name for path in home.derived.iterdir()]
    assert expected == hashes(form)
    count.note = f"{middle} left work behind, which the next one removed; absent after {absent}"


def test_counts_that_are_being_written_are_those_before_or_after(
    home: Home, tally: Tally, chance: random.Random, kills: int
):
    count = tally.of("kill -9 while counts are written")
    accepted = known = 0
    for _ in range(kills):
        process, wire = forked.start_server(home, main_of="tests.protocol.engine_server")
        wire.initialize(initializationOptions={"debounceMs": 0, "projectMemory": False})
        wire.notification("fimLsp/status", state="ready")
        ends = time.monotonic() + chance.uniform(0.02, 0.4)
        for _ in accepting(wire):
            accepted += 1
            if time.monotonic() > ends:
                break
        count.injected += forked.kill(process)
        wire.close()
        counted = total(home.counts)
        assert known <= counted <= accepted
        assert not home.counts.exists() or json.loads(home.counts.read_text("utf-8"))
        known = counted
        count.requests, count.answered = accepted, accepted
        count.survived += process.exitcode == -9
    assert known
    count.note = f"{known} of {accepted} acceptances counted; at most those of one start were not"
    for name in leftovers(home.counts.parent):  # nobody's once they are a minute old
        os.utime(home.counts.with_name(name), (time.time() - 3600,) * 2)
    write_whole(home)
    assert [] == leftovers(home.counts.parent)


def accepting(wire: Wire) -> Iterator[None]:
    """Accepts suggestions of the scripted engine, without end."""
    wire.open("x = \n")
    version = 1
    while True:
        for item in wire.complete(0, 4, kind=2)["items"]:
            wire.result("workspace/executeCommand", item["command"])
            yield
        version += 1
        wire.send(did_change(version, replace((0, 0), (0, 1), chr(97 + version % 26))))


def write_whole(home: Home) -> None:
    """Lets a server count and leave as it should."""
    process, wire = forked.start_server(home, main_of="tests.protocol.engine_server")
    wire.initialize(initializationOptions={"debounceMs": 0, "projectMemory": False})
    wire.notification("fimLsp/status", state="ready")
    next(accepting(wire))
    wire.shut_down()
    process.join()
    wire.close()


def total(path: Path) -> int:
    return sum(acceptance_store.read(path).values())


def test_a_checkpoint_that_is_being_saved_is_whole_or_absent(
    tmp_path: Path, tally: Tally, chance: random.Random, kills: int
):
    count = tally.of("kill -9 while a checkpoint is saved")
    steps, step, middle = 6, 1, 0
    folder = tmp_path / "checkpoints"
    whole = seconds_of(lambda: forked.start(save_checkpoints, folder, step, step + steps).join())
    while count.injected < kills:
        known = newest_step(folder)
        process = forked.start(save_checkpoints, folder, known + 1, known + 1 + steps)
        time.sleep(chance.uniform(0, whole))
        count.injected += forked.kill(process)
        middle += bool(leftovers(folder))
        for path in folder.iterdir():
            if (path / PROGRESS).exists() and not path.name.startswith("."):
                assert_whole(path)
        assert known <= newest_step(folder)
        assert_whole(find(folder / NAMED))
        count.survived += process.exitcode == -9
    last = newest_step(folder) + 1
    forked.start(save_another, folder, last).join()
    assert_whole(folder / NAMED)
    assert [] == leftovers(folder)
    count.note = f"{middle} left work behind, which the next one removed; step {last} is the last"


def newest_step(folder: Path) -> int:
    found = newest(folder)
    return 0 if found is None else read_progress(found)[0].step


def assert_whole(checkpoint: Path) -> None:
    """A checkpoint can be read, and is of one step."""
    step = read_progress(checkpoint)[0].step
    for tensor in read_weights(checkpoint).values():
        assert torch.all(tensor == step)
