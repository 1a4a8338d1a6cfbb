"""Engines that hang, raise, or answer what is no number: the editor gets an answer all the same."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from model_runtime.files import sha256_of
from model_runtime.models.bundle import MANIFEST, WEIGHTS, ModelBundle
from model_runtime.models.manifest import signed
from tests.faults.misbehaving_server import FAULTS
from tests.faults.servers import ROOT, Home, serving
from tests.faults.tally import Tally
from tests.faults.test_disks import leave, shown
from tests.support.wire import did_change, replace, texts

MISBEHAVING = (sys.executable, str(ROOT / "tests" / "faults" / "misbehaving_server.py"))
REQUESTS = 8


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "hangs"])
def test_an_engine_that_fails_costs_no_answer(home: Home, tally: Tally, fault: str):
    count = tally.of(f"engine: {fault}")
    with serving(home, MISBEHAVING, fault) as server:
        server.become_ready(debounceMs=0, projectMemory=False)
        server.wire.open("x = \n")
        for number in range(REQUESTS):
            server.wire.send(did_change(number + 2, replace((0, 0), (0, 1), chr(97 + number))))
            count.requests += 1
            assert isinstance(server.wire.complete(0, 4, kind=1)["items"], list)
            count.answered += 1
        server.wire.traces()  # which the editor can read: JSON has no NaN
        count.injected += 1
        count.errors_shown += len(shown(server))
        assert count.errors_shown <= 1
        server.wire.shut_down()
        assert 0 == server.process.wait(20)
        count.survived += 1


def test_an_engine_that_hangs_holds_up_neither_the_editor_nor_the_end(
    home: Home, tally: Tally, tmp_path: Path
):
    count = tally.of("engine: hangs")
    go_on = tmp_path / "go on"
    with serving(home, MISBEHAVING, "hangs", env={"GO_ON": str(go_on)}) as server:
        wire = server.become_ready(debounceMs=0, projectMemory=False).wire
        wire.open("x = \n")
        pending = []
        for number in range(REQUESTS):
            wire.send(did_change(number + 2, replace((0, 0), (0, 1), chr(97 + number))))
            pending.append(wire.start_completion(0, 4, kind=1))
            count.requests += 1
            wire.traces()  # the server reads, and answers what needs no engine
        for number in pending[:-1]:
            response = wire.response(number)
            assert "error" not in response
            count.answered += 1
        count.injected += 1
        go_on.touch()
        assert ["alpha + beta"] == texts(wire.response(pending[-1])["result"])[:1]
        count.answered += 1
        leave(server)
        count.survived += 1


def test_a_server_whose_engine_hangs_ends_when_it_is_told_to(
    home: Home, tally: Tally, tmp_path: Path
):
    count = tally.of("engine: hangs")
    with serving(home, MISBEHAVING, "hangs", "--after", "0", env={"GO_ON": "/nowhere"}) as server:
        wire = server.become_ready(debounceMs=0).wire
        wire.open("x = \n")
        pending = wire.start_completion(0, 4, kind=1)
        wire.notification("fimLsp/status", state="busy")
        count.injected += 1
        wire.result("shutdown")
        assert wire.response(pending).get("result") is None
        wire.notify("exit")
        assert 0 == server.process.wait(20)
        count.survived += 1


def with_nan(bundle: ModelBundle, target: Path) -> Path:
    """A copy of a bundle whose weights hold what is no number."""
    shutil.copytree(bundle.path, target)
    tensors = load_file(target / WEIGHTS)
    for name, tensor in tensors.items():
        if tensor.dtype == np.float32:
            tensors[name] = np.full_like(tensor, np.nan)
    save_file(tensors, target / WEIGHTS)
    manifest = json.loads((target / MANIFEST).read_text("utf-8"))
    weights = target / WEIGHTS
    manifest["weights"] |= {"sha256": sha256_of(weights), "size": weights.stat().st_size}
    (target / MANIFEST).write_text(signed(manifest), encoding="utf-8")
    return target


@pytest.mark.parametrize("engine", ["onnx", "ctranslate2"])
def test_weights_that_are_no_numbers_cost_no_answer(
    home: Home, tiny: ModelBundle, tally: Tally, tmp_path: Path, engine: str
):
    count = tally.of("weights: NaN")
    folder = with_nan(tiny, tmp_path / "nan")
    with serving(home) as server:
        server.become_ready(model=str(folder), engine=engine, threads=1, debounceMs=0)
        server.wire.open("x = \n")
        for number in range(REQUESTS):
            server.wire.send(did_change(number + 2, replace((0, 0), (0, 1), chr(97 + number))))
            count.requests += 1
            kind = 1 + number % 2
            assert isinstance(server.wire.complete(0, 4, kind=kind)["items"], list)
            count.answered += 1
        assert server.wire.traces()
        count.injected += 1
        count.errors_shown += len(shown(server))
        leave(server)
        count.survived += 1
