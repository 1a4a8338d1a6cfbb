"""Broken input is answered or logged, and the server goes on."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest

from tests.protocol.conftest import over_both_transports, over_stdio
from tests.support.rubbish import NO_FRAMES, RUBBISH, body
from tests.support.wire import URI, Wire, completion_params, did_change, frame, replace

INVALID_REQUEST, INVALID_PARAMS = -32600, -32602


@over_both_transports
def test_rubbish_between_messages_does_no_harm(fresh: Wire):
    assert_harmless(fresh, RUBBISH)


@over_stdio
def test_what_is_no_message_does_no_harm_on_standard_input(fresh: Wire):
    """Something that a program printed by mistake."""
    assert_harmless(fresh, NO_FRAMES)


@pytest.mark.own
@pytest.mark.parametrize("data", NO_FRAMES.values(), ids=NO_FRAMES)
def test_what_is_no_message_ends_a_connection_at_once(wire: Wire, data: bytes):
    """Bytes of another protocol, or of somebody who tries what is possible, end the connection."""
    before = wire.new_id()
    wire.send_bytes(frame({"id": before, "method": "fimLsp/explain"}) + data)
    with contextlib.suppress(OSError):
        wire.send({"id": wire.new_id(), "method": "fimLsp/explain"})
    assert wire.response(before)
    assert wire.hung_up()


def assert_harmless(fresh: Wire, rubbish: dict[str, bytes]) -> None:
    fresh.initialize()
    for data in rubbish.values():
        fresh.send_bytes(data)
        assert fresh.complete(0, 0) == {"items": []}
    assert [m for m in fresh.seen() if m.get("method", "").startswith("window/")] == []


@pytest.mark.parametrize("data", RUBBISH.values(), ids=RUBBISH)
def test_rubbish_before_initialize_does_no_harm(fresh: Wire, data: bytes):
    fresh.send_bytes(data)
    fresh.initialize()


@over_stdio
@pytest.mark.parametrize("data", NO_FRAMES.values(), ids=NO_FRAMES)
def test_what_is_no_message_before_initialize_does_no_harm(fresh: Wire, data: bytes):
    fresh.send_bytes(data)
    fresh.initialize()


@pytest.mark.parametrize(
    ("method", "params", "named"),
    [
        ("textDocument/inlineCompletion", {}, "textDocument"),
        ("textDocument/inlineCompletion", None, "params"),
        ("textDocument/inlineCompletion", [], ""),
        (
            "textDocument/inlineCompletion",
            {"textDocument": {"uri": URI}, "position": {"line": 0, "character": 0}},
            "context",
        ),
        (
            "textDocument/inlineCompletion",
            {**completion_params(0, 0), "position": {"line": -1, "character": 0}},
            "position",
        ),
        (
            "textDocument/inlineCompletion",
            {**completion_params(0, 0), "position": {"line": "a", "character": 0}},
            "position",
        ),
        (
            "textDocument/inlineCompletion",
            {**completion_params(0, 0), "context": {"triggerKind": 9}},
            "triggerKind",
        ),
        ("workspace/executeCommand", {}, "command"),
    ],
)
def test_a_request_that_does_not_fit_its_type_is_answered(wire: Wire, method, params, named):
    """pygls alone sends no answer at all, and the client waits for ever."""
    response = wire.request(method, params)
    assert response["error"]["code"] == INVALID_PARAMS
    assert named.lower() in response["error"]["message"].lower().replace("_", "")
    assert "data" not in response["error"]


def test_a_request_of_another_protocol_is_answered(wire: Wire):
    data = frame({"id": 901, "method": "shutdown"}).replace(b'"2.0"', b'"1.0"')
    wire.send_bytes(data)
    assert wire.response(901)["error"]["code"] == INVALID_REQUEST
    wire.send({"id": 902, "method": 5})
    assert wire.response(902)["error"]["code"] == INVALID_REQUEST


@pytest.mark.own
def test_a_notification_that_has_an_id_is_refused_and_does_nothing(wire: Wire):
    wire.open("before")
    response = wire.request("textDocument/didChange", did_change(2, {"text": "after"})["params"])
    assert response["error"]["code"] == INVALID_REQUEST
    assert "notification" in response["error"]["message"]


@pytest.mark.own
def test_text_ids_are_kept(wire: Wire):
    wire.send({"id": "first", "method": "fimLsp/explain"})
    assert [] == wire.response("first")["result"]["traces"]


ODD = {
    "id is a list": {"id": [1, 2], "method": "shutdown"},
    "id is an object": {"id": {}, "method": "textDocument/inlineCompletion"},
    "id is true": {"id": True, "method": "shutdown"},
    "id is a fraction": {"id": 1.5, "method": "shutdown"},
    "id is null": {"id": None, "method": "shutdown"},
    "method is a list": {"method": [1]},
    "reply with a long code": {"id": 4711, "error": {"code": 2**31, "message": "x"}},
    "reply with a code of text": {"id": 4711, "error": {"code": "x", "message": 5}},
    "reply to nothing": {"id": 4711, "result": None},
    "cancelled after its answer": {"method": "$/cancelRequest", "params": {"id": 4711}},
    "cancelled without an id": {"method": "$/cancelRequest", "params": {"id": [1]}},
    "unknown method": {"id": 4711, "method": "textDocument/ofALaterStandard"},
    "unknown command": {
        "id": 4712,
        "method": "workspace/executeCommand",
        "params": {"command": "no.such"},
    },
}


@pytest.mark.scripted
@pytest.mark.parametrize("message", ODD.values(), ids=ODD)
def test_an_odd_message_is_at_most_a_warning_and_does_nothing(start, read_log, message):
    _, wire = start()
    wire.initialize()
    wire.open("x")
    wire.send(message)
    assert [item["insertText"] for item in wire.complete(0, 1)["items"]] == ["SAW:x"]
    answered = [m["id"] for m in wire.seen() if "method" not in m]
    assert answered == ([message["id"]] if message.get("method") and answered else [])
    log = read_log()
    assert "Traceback" not in log and "ERROR" not in log


@pytest.mark.scripted
def test_methods_that_nobody_knows_do_not_fill_the_log(start, read_log):
    """Some clients ask for what a later standard has, at each key."""
    _, wire = start()
    wire.initialize()
    for number in range(100):
        wire.request(f"textDocument/ofALaterStandard{number}")
    assert "ofALaterStandard" not in read_log()


@pytest.mark.own
def test_an_object_inside_a_message_is_not_taken_for_one(wire: Wire):
    """pygls alone takes any object that says "jsonrpc", anywhere in the parameters, for a message."""
    inner = {"jsonrpc": "2.0", "id": 1, "method": "shutdown", "params": {}}
    wire.notify("workspace/didChangeConfiguration", {"settings": {"other": inner}})
    response = wire.request(
        "workspace/executeCommand", {"command": "fimLsp.accept", "arguments": [inner]}
    )
    assert response["result"] is None


@pytest.mark.parametrize(
    "params",
    [
        {"textDocument": {"uri": URI, "version": 2}},
        {"textDocument": {"uri": URI}, "contentChanges": [{"text": "x"}]},
        {"textDocument": {"uri": URI, "version": 2}, "contentChanges": [{}]},
        {"textDocument": {"uri": URI, "version": 2}, "contentChanges": None},
        {
            "textDocument": {"uri": URI, "version": 2},
            "contentChanges": [
                {"text": "x", "range": {"start": {"line": -1, "character": 0}, "end": {}}}
            ],
        },
    ],
)
@pytest.mark.scripted
def test_a_broken_edit_leaves_the_document_as_it_was(wire: Wire, params: Any):
    wire.open("before")
    wire.notify("textDocument/didChange", params)
    [item] = wire.complete(0, 6)["items"]
    assert item["insertText"] == "SAW:before"


@pytest.mark.scripted
def test_an_edit_of_an_unknown_document_is_dropped(wire: Wire):
    other = "file:///project/never-opened.py"
    wire.open("x")
    wire.send(did_change(2, replace((0, 0), (0, 0), "y"), uri=other))
    wire.notify("textDocument/didClose", {"textDocument": {"uri": other}})
    assert wire.complete(0, 0, uri=other) == {"items": []}
    assert [item["insertText"] for item in wire.complete(0, 1)["items"]] == ["SAW:x"]
    assert [m for m in wire.seen() if m.get("method", "").startswith("window/")] == []


@pytest.mark.scripted
def test_an_error_tells_no_paths_and_no_code(start, read_log):
    """pygls alone puts the traceback into the answer; the user's code is for the debug log only."""
    _, wire = start()
    wire.initialize()
    wire.open("raise CANARY_IN_TEXT raise")
    wire.complete(0, 26)
    wire.notify("textDocument/didChange", {"textDocument": {"uri": URI}, "text": "CANARY_IN_TEXT"})
    broken = {**completion_params(0, 0), "position": "CANARY_IN_TEXT"}
    response = wire.request("textDocument/inlineCompletion", broken)
    assert "CANARY" not in json.dumps(response)
    assert "Traceback" not in json.dumps(response)
    wire.send_bytes(body(b'{"CANARY_IN_TEXT": '))
    wire.result("fimLsp/explain")
    log = read_log()
    assert "RuntimeError" in log
    assert "CANARY_IN_TEXT" not in log.replace("secret text raise CANARY_IN_TEXT raise", "")
