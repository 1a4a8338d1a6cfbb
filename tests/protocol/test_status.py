"""The client is told of the model."""

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
        "adding": None,
    }
    assert wire.notification("fimLsp/status") == {
        "state": "ready",
        "model": "default",
        "engine": "scripted",
        "message": "",
        "adding": None,
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
    trace = wire.traces()[0]
    assert [None, None] == [trace["probability"], trace["leastProbability"]]


def test_explain_tells_the_last_traces(wire: Wire):
    wire.open("x")
    wire.complete(0, 1)
    (trace,) = wire.traces()
    assert ("file:///project/x.py", "shown") == (trace["uri"], trace["outcome"])


def test_explain_tells_of_one_document_and_of_as_many_requests_as_are_wanted(wire: Wire):
    for uri in ("file:///project/x.py", "file:///project/a%20b.py"):
        wire.open("x", uri=uri)
        wire.complete(0, 1, uri=uri)

    assert [2] == [trace["number"] for trace in wire.traces(limit=1)]
    assert [1] == [trace["number"] for trace in wire.traces(uri="file:///project/x.py")]
    assert [2] == [trace["number"] for trace in wire.traces(uri="file:///project/a b.py")]
    assert [] == wire.traces(uri="file:///project/other.py")


@pytest.mark.parametrize("params", [None, [], {}, {"uri": 3, "limit": "all"}, {"limit": 0}])
def test_explain_takes_strange_parameters_for_none(wire: Wire, params: object):
    wire.open("x")
    wire.complete(0, 1)
    wire.send({"id": "explain", "method": "fimLsp/explain", "params": params})
    answer = wire.response("explain")["result"]

    assert 1 == len(answer["traces"])


def test_explain_says_it_in_markdown_with_the_path_of_the_document(wire: Wire):
    assert "Type something" in wire.result("fimLsp/explain", {})["markdown"]
    wire.open("x")
    wire.complete(0, 1)
    text = wire.result("fimLsp/explain", {})["markdown"]

    assert "**A suggestion was shown.**" in text
    assert "- file: x.py" in text
