"""The whole server when its engine is slow, breaks, or has to be prepared."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.protocol.conftest import StartStdio
from tests.support.wire import Wire, ask, cancel, did_change, did_close, replace, wait_for_log

pytestmark = pytest.mark.own

SHOW = "window/showMessage"
PROGRESS = {"capabilities": {"window": {"workDoneProgress": True}}}


@pytest.fixture(scope="session")
def server_command() -> list[str]:
    return [sys.executable, str(Path(__file__).with_name("engine_server.py"))]


def shown(wire: Wire) -> list[str]:
    """Returns what the user has been shown in a window since the last look."""
    return [m["params"]["message"] for m in wire.seen() if m.get("method") == SHOW]


@pytest.mark.parametrize("token", [0, 2], ids=["at its first token", "in the middle"])
def test_an_engine_that_breaks_is_replaced_and_that_is_said_once(
    start: StartStdio, read_log, token
):
    _, wire = start("--break-after", str(token))
    wire.initialize()
    assert "torch" == wire.notification("fimLsp/status", state="ready")["engine"]
    wire.open("x = \n")
    (item,) = wire.complete(0, 4)["items"]

    assert "alpha + beta" == item["insertText"]
    status = wire.notification("fimLsp/status", state="ready", engine="onnx")
    assert "the engine torch failed (the GPU is gone)" in status["message"]
    assert [f"fim-lsp: {status['message']}"] == shown(wire)
    wire.send(did_change(2, replace((0, 0), (0, 1), "y")))
    assert wire.complete(0, 4)["items"]
    assert wire.complete(0, 4, kind=1)["items"]
    assert [] == shown(wire)
    assert 1 == read_log().count("the engine torch failed")


def test_when_the_other_one_breaks_too_each_request_says_why(start: StartStdio):
    _, wire = start("--break-always")
    wire.initialize()
    wire.notification("fimLsp/status", state="ready")
    wire.open("x = \n")

    for _ in range(2):
        assert {"items": []} == wire.complete(0, 4, kind=1)
        trace = wire.traces()[0]
        assert "engine error: the GPU is gone" == trace["reason"]
        assert trace["remedy"]
    assert 1 == len(shown(wire))


@pytest.mark.parametrize(
    ("event", "outcome"),
    [
        (did_change(2, replace((0, 4), (0, 8), "")), "superseded"),
        (did_close(), "superseded"),
        (cancel(77), "cancelled"),
    ],
    ids=["edited", "closed", "cancelled"],
)
@pytest.mark.parametrize("kind", [1, 2], ids=["asked", "typed"])
def test_a_prefill_that_nobody_wants_any_more_is_interrupted(
    start: StartStdio, event, outcome, kind
):
    """Reading would take ten minutes, and the next request is answered."""
    _, wire = start()
    wire.initialize()
    wire.notification("fimLsp/status", state="ready")
    wire.open("x = slow\n")
    wire.send(ask(77, 0, 8, kind=kind))
    wire.notification("fimLsp/status", state="busy")
    wire.send(event)

    response = wire.response(77)
    assert (
        response["error"]["code"] == -32800
        if outcome == "cancelled"
        else response["result"] is None
    )
    wire.open("y = \n", uri="file:///project/y.py")
    assert wire.complete(0, 4, uri="file:///project/y.py")["items"]
    assert outcome == wire.traces()[1]["outcome"]


def test_the_preparation_of_a_model_shows_how_far_it_is(start: StartStdio, tmp_path: Path):
    go_on = tmp_path / "go on"
    _, wire = start("--prepare", str(go_on))
    wire.initialize(PROGRESS)
    created = wire.receive(lambda m: m.get("method") == "window/workDoneProgress/create")
    token = created["params"]["token"]
    assert "begin" == wire.notification("$/progress", token=token)["value"]["kind"]
    reports = [wire.notification("$/progress", token=token)["value"]]
    while reports[-1]["percentage"] < 42:
        reports.append(wire.notification("$/progress", token=token)["value"])
    assert {"report"} == {report["kind"] for report in reports}
    message = "preparing scripted for tests, once: 42 %"
    assert message == reports[-1]["message"]
    wire.notification("fimLsp/status", state="starting", message=message)
    wire.open("x = \n")
    assert {"items": []} == wire.complete(0, 4)
    assert wire.traces()[0]["reason"].startswith("loading")
    go_on.touch()

    while (value := wire.notification("$/progress", token=token)["value"])["kind"] == "report":
        pass
    assert "end" == value["kind"]
    assert "" == wire.notification("fimLsp/status", state="ready")["message"]
    assert wire.complete(0, 4)["items"]


def test_after_an_edit_the_model_reads_up_to_it_before_it_is_asked(start: StartStdio, read_log):
    _, wire = start()
    wire.initialize()
    wire.notification("fimLsp/status", state="ready")
    text = "import os\n\n" + "value = os.sep\n" * 40
    wire.open(text)
    wire.send(did_change(2, replace((42, 0), (42, 0), "x = ")))
    wait_for_log(read_log, "idle work took")
    assert wire.complete(42, 4)["items"]

    (trace,) = wire.traces()
    assert "model" == trace["source"]
    assert trace["promptTokens"] > 100
    assert 1 == trace["promptTokens"] - trace["cachedTokens"]


def test_switched_off_it_reads_nothing_before_it_is_asked(start: StartStdio, read_log):
    _, wire = start()
    wire.initialize({"initializationOptions": {"idleWork": False}})
    wire.notification("fimLsp/status", state="ready")
    wire.open("x = \n")
    for version in range(2, 5):
        (item,) = wire.complete(0, 4)["items"]
        wire.result("workspace/executeCommand", item["command"])
        wire.send(did_change(version, replace((0, 0), (0, 0), "y")))

    assert "idle work took" not in read_log()


def test_what_follows_an_accepted_suggestion_is_there_when_it_is_asked_for(start: StartStdio):
    _, wire = start()
    wire.initialize()
    wire.notification("fimLsp/status", state="ready")
    wire.open("x = \n")
    (item,) = wire.complete(0, 4)["items"]
    wire.send(did_change(2, replace((0, 4), (0, 4), item["insertText"])))
    wire.result("workspace/executeCommand", item["command"])

    assert wire.complete(0, 16)["items"]
    assert wire.traces()[0]["source"] in ("cache", "running")


@pytest.mark.parametrize("word", ["alpha", "alpha +"])
def test_after_a_word_is_accepted_the_rest_is_there_and_after_deleting_it_the_whole(
    start: StartStdio, word
):
    _, wire = start()
    wire.initialize()
    wire.notification("fimLsp/status", state="ready")
    wire.open("f()\n")
    (item,) = wire.complete(0, 2)["items"]
    wire.send(did_change(2, replace((0, 2), (0, 2), word)))
    wire.notify("textDocument/didPartiallyAcceptCompletion", {"item": item, "acceptedLength": 5})
    (rest,) = wire.complete(0, 2 + len(word))["items"]
    wire.send(did_change(3, replace((0, 2), (0, 2 + len(word)), "")))
    (whole,) = wire.complete(0, 2)["items"]

    assert item["insertText"] == word + rest["insertText"] == whole["insertText"]
    traces = wire.traces()
    assert ["cache", "cache", "model"] == [trace["source"] for trace in traces]
