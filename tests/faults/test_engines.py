"""Engines that hang, raise, or answer what is no number: the editor gets an answer all the same."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from model_runtime.files import sha256_of
from model_runtime.models.bundle import MANIFEST, WEIGHTS, ModelBundle
from model_runtime.models.manifest import signed
from tests.faults.misbehaving_server import ANSWER, FAULTS, HANGS
from tests.faults.servers import ROOT, Home, Server, serving
from tests.faults.tally import Tally
from tests.faults.test_disks import leave, shown
from tests.support.wire import TIMEOUT_SECONDS, did_change, replace, texts

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
        assert [ANSWER] == texts(wire.response(pending[-1])["result"])[:1]
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


def test_suggestions_come_back_without_a_restart_where_an_engine_hangs(home: Home, tally: Tally):
    count = tally.of("engine: hangs for ever")
    options = ("hangs", "--after", "1", "--give-up", "0.5")
    with serving(home, MISBEHAVING, *options, env={"GO_ON": "/nowhere"}) as server:
        settings = {"debounceMs": 0, "projectMemory": False, "idleWork": False, "timeLimitMs": 0}
        wire = server.become_ready(**settings).wire
        wire.open("x = \n")
        assert [ANSWER] == texts(wire.complete(0, 4))
        wire.send(did_change(2, replace((0, 0), (0, 1), "y")))
        hung = wire.start_completion(0, 4)
        wait_for_hang(server)
        count.injected += 1
        wire.send(did_change(3, replace((0, 0), (0, 1), "z")))
        waiting = wire.start_completion(0, 4)
        assert wire.response(hung)["result"] is None
        assert [ANSWER] == texts(wire.response(waiting)["result"])
        (sentence,) = shown(server)
        assert "the engine torch failed (it has not returned for 0.5 s); " in sentence
        assert "restart the server to use torch again" in sentence
        wire.send(did_change(4, replace((0, 0), (0, 1), "a")))
        assert [ANSWER] == texts(wire.complete(0, 4))
        count.requests, count.answered = count.requests + 4, count.answered + 4
        count.errors_shown += 1
        leave(server)
        count.survived += 1


def test_a_request_that_an_engine_hangs_on_is_answered_with_the_reason(home: Home, tally: Tally):
    count = tally.of("engine: hangs for ever")
    options = ("hangs", "--after", "0", "--give-up", "0.5")
    with serving(home, MISBEHAVING, *options, env={"GO_ON": "/nowhere"}) as server:
        settings = {"debounceMs": 0, "projectMemory": False, "idleWork": False, "timeLimitMs": 50}
        wire = server.become_ready(**settings).wire
        wire.open("x = \n")
        count.injected += 1
        assert [] == texts(wire.complete(0, 4))
        (trace,) = wire.traces()
        assert "engineError" == trace["reasonCode"]
        assert "it has not returned for 0.5 s" in trace["reason"]
        assert [ANSWER] == texts(wire.complete(0, 4))
        count.requests, count.answered = count.requests + 2, count.answered + 2
        leave(server)
        count.survived += 1


def test_an_engine_is_not_given_up_for_the_time_in_which_the_server_was_stopped(
    home: Home, tally: Tally, tmp_path: Path
):
    count = tally.of("engine: hangs while the server is stopped")
    go_on, give_up = tmp_path / "go on", 4.0
    options = ("hangs", "--after", "0", "--give-up", str(give_up))
    with serving(home, MISBEHAVING, *options, env={"GO_ON": str(go_on)}) as server:
        wire = server.become_ready(debounceMs=0, projectMemory=False, idleWork=False).wire
        wire.open("x = \n")
        overtaken = wire.start_completion(0, 4, kind=1)
        wait_for_hang(server)
        wire.send(did_change(2, replace((0, 0), (0, 1), "y")))
        assert wire.response(overtaken)["result"] is None
        time.sleep(0.3)  # the engine has been looked at a few times
        server.process.send_signal(signal.SIGSTOP)
        count.injected += 1
        time.sleep(give_up + 1)
        server.process.send_signal(signal.SIGCONT)
        wire.traces()  # the server goes on
        go_on.touch()
        assert [ANSWER] == texts(wire.complete(0, 4, kind=1))
        assert [] == shown(server)
        count.requests, count.answered = 2, 2
        leave(server)
        count.survived += 1


def wait_for_hang(server: Server) -> None:
    """Returns when the engine hangs."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while HANGS not in server.read_log():
        assert time.monotonic() < deadline
        time.sleep(0.01)


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
