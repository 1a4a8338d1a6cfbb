"""A connection lasts from the first message to the end of the process."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys

import pytest

from tests.protocol.conftest import EDITORS, Connect, over_both_transports, recorded
from tests.support.wire import (
    TIMEOUT_SECONDS,
    Wire,
    ask,
    cancel,
    completion_params,
    did_open,
    frame,
    wait_for_log,
)

INVALID_REQUEST, NOT_INITIALIZED, METHOD_NOT_FOUND = -32600, -32002, -32601


@pytest.mark.parametrize("editor", EDITORS)
def test_inline_completion_is_offered_in_an_encoding_that_the_editor_takes(
    connect_tcp: Connect, editor: str
):
    params = recorded(editor)
    capabilities = connect_tcp().initialize(params)["capabilities"]
    assert capabilities["inlineCompletionProvider"] not in (None, False)
    taken = params["capabilities"]["general"]["positionEncodings"]
    assert capabilities.get("positionEncoding", "utf-16") in taken


@pytest.mark.own
@pytest.mark.parametrize("editor", EDITORS)
def test_every_editor_is_offered_what_it_needs(connect_tcp: Connect, editor: str):
    result = connect_tcp().initialize(recorded(editor))
    capabilities = result["capabilities"]
    assert result["serverInfo"]["name"] == "fim-lsp"
    assert capabilities["inlineCompletionProvider"] in (True, {})
    assert capabilities["textDocumentSync"]["openClose"] is True
    assert capabilities["textDocumentSync"]["change"] == 2
    assert capabilities["executeCommandProvider"]["commands"] == [
        "fimLsp.accept",
        "fimLsp.addModel",
        "fimLsp.useModel",
    ]
    assert capabilities["workspace"]["workspaceFolders"]["supported"] is True
    assert ("notebookDocumentSync" in capabilities) is (editor == "vscode")
    unwanted = {"completionProvider", "hoverProvider", "diagnosticProvider"}
    assert unwanted.isdisjoint(capabilities)


def test_a_client_that_says_nothing_of_itself_is_served(fresh: Wire):
    result = fresh.initialize({"capabilities": {}})
    assert result["capabilities"]["positionEncoding"] == "utf-16"


@pytest.mark.own
@pytest.mark.parametrize(
    "capabilities",
    [
        {"workspace": {"symbol": {"symbolKind": {"valueSet": [1, 999]}}}},
        {"textDocument": {"completion": "new in LSP 4"}},
        {"general": {"positionEncodings": ["utf-8"], "markdown": 3}},
    ],
)
def test_capabilities_of_a_later_standard_do_not_keep_a_client_out(fresh: Wire, capabilities):
    params = {"capabilities": capabilities, "initializationOptions": {"debounceMs": "x"}}
    result = fresh.initialize(params)
    offered = capabilities.get("general", {}).get("positionEncodings", ["utf-16"])
    assert result["capabilities"]["positionEncoding"] == offered[0]
    assert "debounceMs" in fresh.notification("window/showMessage")["message"]


@over_both_transports
def test_before_initialize_only_initialize_is_served(fresh: Wire):
    fresh.send(did_open("x"))
    response = fresh.request("textDocument/inlineCompletion", completion_params(0, 0))
    assert response["error"]["code"] == NOT_INITIALIZED
    fresh.initialize()
    assert fresh.complete(0, 0) == {"items": []}


def test_initialize_is_served_once(wire: Wire):
    response = wire.request("initialize", {"processId": None, "rootUri": None, "capabilities": {}})
    assert response["error"]["code"] == INVALID_REQUEST


def test_an_unknown_request_is_refused_and_an_unknown_notification_ignored(wire: Wire):
    for params in ({"x": 1}, None, [1]):
        assert wire.request("no/such", params)["error"]["code"] == METHOD_NOT_FOUND
        assert wire.request("$/noSuch", params)["error"]["code"] == METHOD_NOT_FOUND
        wire.notify("no/such", params)
        wire.notify("$/noSuch", params)
    number = wire.new_id()
    wire.send({"id": number, "method": "no/params"})
    assert wire.response(number)["error"]["code"] == METHOD_NOT_FOUND
    assert wire.complete(0, 0) == {"items": []}


@pytest.mark.parametrize("value", ["off", "messages", "verbose"])
def test_the_trace_can_be_set(wire: Wire, value: str):
    wire.notify("$/setTrace", {"value": value})
    assert wire.complete(0, 0) == {"items": []}


def test_shutdown_and_exit_end_the_process_with_0(start):
    process, wire = start()
    wire.initialize()
    wire.shut_down()
    assert process.wait(TIMEOUT_SECONDS) == 0
    assert wire.hung_up()


def test_exit_without_shutdown_ends_it_with_1(start):
    process, wire = start()
    wire.initialize()
    wire.notify("exit")
    assert process.wait(TIMEOUT_SECONDS) == 1


def test_exit_before_initialize_ends_it_with_1(start):
    process, wire = start()
    wire.notify("exit")
    assert process.wait(TIMEOUT_SECONDS) == 1


@over_both_transports
@pytest.mark.scripted
def test_shutdown_answers_what_is_pending_with_null(fresh: Wire):
    """The error -32800 is for `$/cancelRequest` alone."""
    fresh.initialize()
    fresh.open("hang")
    pending = fresh.start_completion(0, 4)
    assert fresh.result("shutdown") is None
    assert fresh.response(pending) == {"jsonrpc": "2.0", "id": pending, "result": None}


def test_after_shutdown_only_exit_is_served(fresh: Wire):
    """lsp-mode cancels the shutdown's own id and asks for one more completion."""
    fresh.initialize()
    number = fresh.new_id()
    fresh.send({"id": number, "method": "shutdown"}, cancel(number))
    assert fresh.response(number)["result"] is None
    fresh.send(did_open("x"), ask(500, 0, 0))
    assert fresh.response(500)["result"] is None
    assert fresh.request("fimLsp/explain")["error"]["code"] == INVALID_REQUEST
    assert fresh.request("shutdown")["error"]["code"] == INVALID_REQUEST
    fresh.notify("exit")
    assert fresh.hung_up()


@pytest.mark.scripted
@pytest.mark.parametrize("text", ["x", "hang"], ids=["idle", "request in flight"])
def test_the_end_of_the_input_ends_the_process_with_0(start, text: str):
    process, wire = start()
    wire.initialize()
    wire.open(text)
    wire.start_completion(0, 4)
    wire.result("fimLsp/explain")
    wire.close_input()
    assert process.wait(TIMEOUT_SECONDS) == 0


def test_the_end_of_the_input_inside_a_message_ends_it_too(start, read_log):
    process, wire = start()
    wire.initialize()
    wire.send_bytes(b'Content-Length: 100\r\n\r\n{"jsonrpc"')
    wire.close_input()
    assert process.wait(TIMEOUT_SECONDS) == 0
    assert "Traceback" not in read_log()


def test_an_editor_that_is_gone_before_its_answers_ends_it_quietly(
    server_command, environment, log, read_log
):
    read_end, write_end = os.pipe()
    process = subprocess.Popen(
        server_command, stdin=subprocess.PIPE, stdout=write_end, stderr=log, env=environment
    )
    os.close(write_end)
    os.close(read_end)
    params = {"processId": None, "rootUri": None, "capabilities": {}}
    messages = [{"id": 1, "method": "initialize", "params": params}, did_open("x")]
    messages += [ask(number, 0, 0) for number in range(2, 20)]
    with contextlib.suppress(BrokenPipeError):
        process.communicate(b"".join(map(frame, messages)), timeout=10)
    assert process.wait(TIMEOUT_SECONDS) == 0
    assert "Traceback" not in read_log()


@pytest.mark.own
@pytest.mark.skipif(sys.platform == "win32", reason="the process is not watched on Windows")
def test_when_the_editors_process_dies_the_server_ends_though_its_input_is_open(start, read_log):
    editor = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process, wire = start()
    wire.initialize({"processId": editor.pid})
    wait_for_log(read_log, f"process {editor.pid}, which this server belongs to, is watched")
    editor.kill()
    editor.communicate()
    assert process.wait(TIMEOUT_SECONDS) == 0


@pytest.mark.own
@pytest.mark.skipif(sys.platform == "win32", reason="the process is not watched on Windows")
def test_a_process_that_cannot_be_seen_from_here_is_not_watched(start, read_log):
    """An editor outside the container that the server runs in."""
    _, wire = start()
    wire.initialize({"processId": 2**22 + 12345})
    wait_for_log(read_log, "cannot be seen from here and is not watched")
    assert wire.complete(0, 0) == {"items": []}


@pytest.mark.scripted
def test_what_is_printed_or_read_by_a_library_does_not_reach_the_wire(start, read_log):
    """One line that a library prints there would break the framing of all that follow."""
    _, wire = start("--noisy")
    wire.initialize()
    wire.open("x")
    assert wire.complete(0, 1)["items"]
    assert "noise from Python" in read_log()
    assert "noise from below" in read_log()
    assert "read: b''" in read_log()
