"""Several editors in one process: apart from each other, and none can end it."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys

import pytest

from tests.protocol.conftest import Connect, recorded, token_file
from tests.support.wire import (
    Wire,
    ask,
    authorization,
    cancel,
    connect,
    connect_socket,
    did_change,
    did_open,
    frame,
    free_port,
    replace,
    span,
    texts,
)


@pytest.fixture
def two(connect_tcp: Connect) -> tuple[Wire, Wire]:
    """Two editors at once that count characters differently."""
    first, second = connect_tcp(), connect_tcp()
    first.initialize(recorded("vscode"))
    second.initialize(recorded("nvim"))
    return first, second


@pytest.mark.scripted
def test_two_editors_have_the_same_file_open_and_see_their_own_text(two: tuple[Wire, Wire]):
    """One server object for all connections would send the second's answers to the first."""
    first, second = two
    first.open("first")
    second.open("second")
    for wire, text in ((first, "first"), (second, "second"), (first, "first")):
        assert texts(wire.complete(0, 3)) == [f"SAW:{text}"]
    second.send(did_change(2, replace((0, 0), (0, 6), "changed")))
    assert texts(first.complete(0, 3)) == ["SAW:first"]
    assert texts(second.complete(0, 3)) == ["SAW:changed"]


@pytest.mark.scripted
def test_each_editor_has_its_own_units_ids_and_settings(two: tuple[Wire, Wire]):
    first, second = two
    settings = {"settings": {"fimLsp": {"candidates": 1}}}
    first.notify("workspace/didChangeConfiguration", settings)
    for wire, character in ((first, 2), (second, 4)):
        wire.open("😀bracket")
        [item, *more] = wire.complete(0, character, kind=1)["items"]
        assert item["range"] == span((0, character), (0, character))
        assert len(more) == (0 if wire is first else 2)


@pytest.mark.scripted
def test_a_request_of_one_editor_does_not_overtake_that_of_another(two: tuple[Wire, Wire]):
    first, second = two
    first.open("hang")
    second.open("hang")
    pending = first.start_completion(0, 4)
    assert texts(second.complete(0, 1)) == ["SAW:hang"]
    second.send(cancel(pending), did_change(2, {"text": "x"}))
    assert texts(second.complete(0, 1)) == ["SAW:x"]
    first.send(cancel(pending))
    assert first.response(pending)["error"]["code"] == -32800


@pytest.mark.parametrize("way", ["exit", "shutdown and exit", "close", "reset", "half a message"])
@pytest.mark.scripted
def test_an_editor_that_leaves_disturbs_nobody(
    connect_tcp: Connect, tcp_server, environment, way: str
):
    stays = connect_tcp()
    stays.initialize()
    stays.open("wait")
    port, process = tcp_server
    client, leaves = connect(port, token_file(environment, port))
    leaves.initialize()
    leaves.open("hang")
    leaves.start_completion(0, 4)
    pending = stays.start_completion(0, 4)
    if way == "exit":
        leaves.notify("exit")
        assert leaves.hung_up()
    elif way == "shutdown and exit":
        leaves.shut_down()
        assert leaves.hung_up()
    elif way == "half a message":
        leaves.send_bytes(b"Content-Length: 1000\r\n\r\n{")
    elif way == "reset":
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if way != "reset":
        client.shutdown(socket.SHUT_RDWR)
    client.close()
    assert texts(stays.response(pending)["result"]) == ["SAW:wait"]
    after = connect_tcp()
    after.initialize()
    after.open("x")
    assert texts(after.complete(0, 1)) == ["SAW:x"]
    assert process.poll() is None


def test_a_client_that_speaks_another_protocol_disturbs_nobody(connect_tcp: Connect, tcp_server):
    client, stranger = connect(tcp_server[0])
    stranger.send_bytes(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100 + b"\0" * 500_000)
    wire = connect_tcp()
    wire.initialize()
    assert wire.complete(0, 0) == {"items": []}
    client.close()


def test_an_editor_that_reads_nothing_holds_up_nobody(
    connect_tcp: Connect, tcp_server, environment
):
    port, _ = tcp_server
    silent = connect_socket(("127.0.0.1", port))
    if (token := token_file(environment, port)).exists():
        silent.sendall(authorization(token))
    params = {"processId": None, "rootUri": None, "capabilities": {}}
    silent.sendall(frame({"id": 1, "method": "initialize", "params": params}))
    silent.sendall(frame(did_open("x" * 100_000)))
    silent.sendall(b"".join(frame(ask(number, 0, 5)) for number in range(2, 100)))
    wire = connect_tcp()
    wire.initialize()
    assert wire.complete(0, 0) == {"items": []}
    silent.close()


@pytest.mark.scripted
def test_many_editors_are_served_at_once(connect_tcp: Connect):
    editors = [connect_tcp() for _ in range(12)]
    for number, wire in enumerate(editors):
        wire.initialize(recorded("emacs"))
        wire.open(f"{number} wait")
    pending = [wire.start_completion(0, 99) for wire in editors]
    for number, (wire, request) in enumerate(zip(editors, pending, strict=True)):
        assert texts(wire.response(request)["result"]) == [f"SAW:{number} wait"]


@pytest.mark.own
def test_a_port_in_use_is_said_in_one_sentence(server_command, environment, tcp_server):
    port = tcp_server[0]
    done = subprocess.run(
        [*server_command, "--tcp", f"127.0.0.1:{port}"],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        check=False,
    )
    assert done.returncode == 1
    assert f"127.0.0.1:{port} is in use" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.own
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", ""])
def test_an_address_that_others_can_reach_is_refused(server_command, environment, host: str):
    done = subprocess.run(
        [*server_command, "--tcp", f"{host}:{free_port()}"],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        check=False,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.own
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGTERM on Windows")
def test_the_process_ends_with_0_when_it_is_told_to(server_command, environment):
    port = free_port()
    process = subprocess.Popen(
        [*server_command, "--tcp", f"127.0.0.1:{port}"],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment,
    )
    client, wire = connect(port, token_file(environment, port))
    try:
        wire.initialize()
        wire.open("hang")
        wire.start_completion(0, 4)
        process.terminate()
        _, log = process.communicate(timeout=10)
        assert process.returncode == 0
        assert b"Traceback" not in log
        assert wire.hung_up()
    finally:
        process.kill()
        client.close()
        wire.close()
