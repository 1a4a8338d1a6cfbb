"""A client that writes and does not read is not read from either, and then loses nothing."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.protocol.conftest import StartStdio, token_file
from tests.support.wire import (
    authorization,
    connect_socket,
    did_change,
    did_open,
    frame,
    read_frame,
    replace,
    send_while_taken,
)

pytestmark = [
    pytest.mark.own,
    pytest.mark.scripted,
    pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc"),
]

TEXT = "x" * 100_000
REQUESTS = 800
INITIALIZE = {"processId": None, "rootUri": None, "capabilities": {}}
START = frame({"id": 0, "method": "initialize", "params": INITIALIZE}) + frame(did_open(TEXT))
# Answers are as long as the requests: what is sent is what would have to be kept.
FLOOD = b"".join(
    frame(
        {
            "id": number,
            "method": "textDocument/inlineCompletion",
            "params": {
                "textDocument": {"uri": "file:///project/x.py"},
                "position": {"line": 0, "character": 5},
                "context": {"triggerKind": 2},
                "padding": TEXT,
            },
        }
    )
    for number in range(1, REQUESTS + 1)
)
MAX_TAKEN = 40_000_000
"""Bytes kept of the 80 MB of the flood: 4 MB that wait for the client, and what the system keeps."""


class Silent(NamedTuple):
    """A client whose two directions are descriptors; and the server's process."""

    process: subprocess.Popen[bytes]
    output: int
    input: int


@pytest.fixture(params=["stdio", "tcp"])
def silent(request: pytest.FixtureRequest, environment: dict[str, str]) -> Iterator[Silent]:
    """A client that has sent the flood as far as it was taken, and has read nothing."""
    if request.param == "stdio":
        command: list[str] = request.getfixturevalue("server_command")
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        assert process.stdin is not None and process.stdout is not None
        yield Silent(process, process.stdin.fileno(), process.stdout.fileno())
        process.kill()
        process.communicate()
        return
    port, process = request.getfixturevalue("tcp_server")
    with connect_socket(("127.0.0.1", port)) as client:
        client.setblocking(True)
        client.sendall(authorization(token_file(environment, port)))
        yield Silent(process, client.fileno(), client.fileno())


def memory_of(process: subprocess.Popen[bytes]) -> int:
    """Bytes that the process has in memory."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_what_a_silent_client_asks_for_is_not_kept(silent: Silent):
    taken = send_while_taken(silent.output, START + FLOOD)
    assert taken < MAX_TAKEN
    assert memory_of(silent.process) < 200_000_000


def test_a_client_that_reads_late_gets_every_answer(silent: Silent):
    everything = START + FLOOD
    taken = send_while_taken(silent.output, everything)
    assert taken < MAX_TAKEN
    os.set_blocking(silent.output, True)

    def send_rest() -> None:
        rest = memoryview(everything)[taken:]
        while rest:
            rest = rest[os.write(silent.output, rest) :]

    sender = threading.Thread(target=send_rest, daemon=True)
    sender.start()
    answered = set()
    with os.fdopen(os.dup(silent.input), "rb") as reader:
        while answered != set(range(REQUESTS + 1)):
            message = read_frame(reader)
            assert message is not None
            if "method" not in message:
                answered.add(message["id"])
                assert "error" not in message
    sender.join()


@pytest.mark.parametrize("ending", ["the input", "both"])
def test_the_end_of_the_input_ends_the_process_though_a_write_is_stuck(
    server_command, environment, ending: str
):
    process = subprocess.Popen(
        server_command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        assert send_while_taken(process.stdin.fileno(), START + FLOOD) < MAX_TAKEN
        process.stdin.close()
        if ending == "both":
            process.stdout.close()
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_socket_as_standard_input_is_the_same(server_command, environment):
    """Programs that run on Node have one there."""
    here, there = socket.socketpair()
    process = subprocess.Popen(
        server_command, stdin=there, stdout=there, stderr=subprocess.DEVNULL, env=environment
    )
    there.close()
    try:
        assert send_while_taken(here.fileno(), START + FLOOD) < MAX_TAKEN
        here.shutdown(socket.SHUT_WR)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
        here.close()


def test_a_message_that_is_too_long_is_left_out_and_the_next_one_is_served(start: StartStdio):
    _, wire = start()
    wire.initialize()
    wire.open("x" * (33 << 20), uri="file:///project/huge.py")
    wire.open("small")
    assert wire.complete(0, 5)["items"][0]["insertText"] == "SAW:small"
    assert wire.complete(0, 5, uri="file:///project/huge.py") == {"items": []}


def test_changes_of_documents_that_are_not_open_leave_nothing_behind(start: StartStdio):
    process, wire = start()
    wire.initialize()
    wire.complete(0, 0)
    before = memory_of(process)
    for number in range(100):
        uri = f"file:///{number}{'x' * 1_000_000}"
        wire.send(did_change(2, replace((0, 0), (0, 0), "x"), uri=uri))
    wire.complete(0, 0)
    assert memory_of(process) - before < 60_000_000
