"""What the client hears of the model."""

from __future__ import annotations

import pytest

from tests.protocol.conftest import EDITORS, recorded
from tests.support.wire import Wire

pytestmark = pytest.mark.scripted

PROGRESS = {"capabilities": {"window": {"workDoneProgress": True}}}


def test_the_state_is_told_at_the_start_and_at_each_change(start):
    _, wire = start("--load-seconds", "0.3")
    wire.initialize()
    assert wire.notification("fimLsp/status") == {
        "state": "starting",
        "model": "default",
        "engine": "",
        "message": "",
    }
    assert wire.notification("fimLsp/status") == {
        "state": "ready",
        "model": "default",
        "engine": "scripted",
        "message": "",
    }


@pytest.mark.parametrize("editor", EDITORS)
def test_a_progress_bar_is_shown_while_the_model_loads(start, editor: str):
    _, wire = start("--load-seconds", "0.5")
    wire.initialize(recorded(editor))
    created = wire.receive(lambda m: m.get("method") == "window/workDoneProgress/create")
    token = created["params"]["token"]
    begin = wire.notification("$/progress", token=token)["value"]
    assert begin["kind"] == "begin"
    assert begin["title"] == "Loading default"
    wire.open("x")
    assert wire.complete(0, 1) == {"items": []}
    assert wire.notification("$/progress", token=token)["value"]["kind"] == "end"
    assert wire.complete(0, 1)["items"]


def test_a_client_without_progress_bars_gets_none(start):
    _, wire = start("--load-seconds", "0.1")
    wire.initialize()
    wire.notification("fimLsp/status", state="ready")
    methods = {m.get("method") for m in wire.seen()}
    assert methods.isdisjoint({"$/progress", "window/workDoneProgress/create"})


def test_a_client_that_refuses_or_forgets_the_progress_bar_is_served(start):
    _, wire = start("--load-seconds", "0.2")
    wire.unanswered.add("window/workDoneProgress/create")
    wire.initialize(PROGRESS)
    created = wire.receive(lambda m: m.get("method") == "window/workDoneProgress/create")
    wire.notification("fimLsp/status", state="ready")
    wire.open("x")
    assert wire.complete(0, 1)["items"]
    wire.send({"id": created["id"], "error": {"code": -32603, "message": "no"}})
    assert wire.complete(0, 1)["items"]
    assert "$/progress" not in {m.get("method") for m in wire.seen()}


def test_the_client_may_cancel_a_progress_bar(start):
    _, wire = start("--load-seconds", "0.4")
    wire.initialize(PROGRESS)
    created = wire.receive(lambda m: m.get("method") == "window/workDoneProgress/create")
    for token in (created["params"]["token"], "no such"):
        wire.notify("window/workDoneProgress/cancel", {"token": token})
    wire.notification("fimLsp/status", state="ready")
    wire.open("x")
    assert wire.complete(0, 1)["items"]


def test_shutdown_while_the_model_loads_ends_at_once(start):
    process, wire = start("--load-seconds", "60")
    wire.initialize(PROGRESS)
    wire.shut_down()
    assert process.wait(5) == 0


def test_numbers_that_json_does_not_have_are_null(wire: Wire):
    wire.open("x", language="endless")
    wire.complete(0, 1)
    assert wire.result("fimLsp/explain")[0] == {"NaN": [None, None]}


def test_explain_tells_the_last_decisions(wire: Wire):
    wire.open("x")
    wire.complete(0, 1)
    assert wire.result("fimLsp/explain") == [{"uri": "file:///project/x.py", "outcome": "answered"}]
