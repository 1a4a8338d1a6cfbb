"""Limits of memory and of open files, at the start and in the middle of work."""

from __future__ import annotations

import contextlib
import resource
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.servers import CHARACTER, LINE, SERVER, TEXT, Home, is_settled, serving
from tests.faults.tally import Tally
from tests.faults.test_disks import SETTINGS, leave, shown
from tests.support.wire import TIMEOUT_SECONDS, Wire, connect, free_port

MEGABYTE = 10**6


def limited(kind: int, value: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(kind, (value, resource.getrlimit(kind)[1]))


@pytest.mark.parametrize("megabytes", [250, 350, 450, 600, 800, 1200])
def test_too_little_memory_at_the_start_is_said(home: Home, tally: Tally, megabytes: int):
    """The server answers, or it says why not: in the editor, or on standard error before it ends."""
    count = tally.of("little address space at the start (RLIMIT_AS)")
    limit = limited(resource.RLIMIT_AS, megabytes * MEGABYTE)
    with serving(home, preexec_fn=limit) as server:
        count.injected += 1
        try:
            server.wire.initialize(initializationOptions=SETTINGS)
            status = server.wire.receive(is_settled)["params"]
        except ConnectionError:
            assert 0 != server.process.wait(20)
            assert "memory" in server.read_log(), server.read_log()
            count.note += f"{megabytes} MB: ends with a sentence. "
        else:
            if status["state"] == "ready":
                count.requests += 1
                assert server.complete()
                count.answered += 1
                count.note += f"{megabytes} MB: answers. "
            else:
                assert "memory" in status["message"]
                count.errors_shown += len(shown(server))
                count.note += f"{megabytes} MB: says so. "
            server.wire.shut_down()
            assert 0 == server.process.wait(20)
        count.survived += 1


def test_memory_that_runs_out_in_the_middle_costs_what_needed_it(home: Home, tally: Tally):
    """A limit of 100 MB above what is used: huge documents are refused, the others go on."""
    count = tally.of("address space that runs out at work (RLIMIT_AS)")
    with serving(home) as server:
        server.become_ready(**SETTINGS)
        usual = server.complete()
        soft, hard = resource.prlimit(server.process.pid, resource.RLIMIT_AS)
        used = int(server.memory_mb("VmSize") * MEGABYTE)
        resource.prlimit(server.process.pid, resource.RLIMIT_AS, (used + 100 * MEGABYTE, hard))
        count.injected += 1
        for number in range(12):
            server.wire.open("x = 1\n" * 2 * MEGABYTE, uri=f"file:///project/huge{number}.py")
            count.requests += 1
            server.wire.result("fimLsp/explain")
            count.answered += 1
        count.memory_mb = server.memory_mb()
        for number in range(12):
            document = {"textDocument": {"uri": f"file:///project/huge{number}.py"}}
            server.wire.notify("textDocument/didClose", document)
        resource.prlimit(server.process.pid, resource.RLIMIT_AS, (soft, hard))
        assert usual == server.complete()
        server.wire.shut_down()
        assert 0 == server.process.wait(20)
        count.survived += 1


def test_no_descriptor_left_in_the_middle_costs_no_suggestion(home: Home, tally: Tally):
    count = tally.of("open files used up (RLIMIT_NOFILE)")
    with serving(home) as server:
        server.become_ready(**SETTINGS)
        usual = server.complete()
        soft, hard = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (0, hard))
        count.injected += 1
        assert usual == server.complete()
        settings = {"settings": {"fimLsp": {**SETTINGS, "threads": 2}}}
        server.wire.notify("workspace/didChangeConfiguration", settings)
        server.wire.receive(lambda message: tells_of_loading(message) is True)
        server.wire.receive(lambda message: tells_of_loading(message) is False)
        assert usual == server.complete()
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (soft, hard))
        assert usual == server.complete()
        count.requests, count.answered = 3, 3
        count.errors_shown = len(shown(server))
        leave(server)
        count.survived += 1


def tells_of_loading(message: dict[str, Any]) -> bool | None:
    """Whether a status says that a model is being loaded; None for other messages."""
    if message.get("method") != "fimLsp/status":
        return None
    return str(message["params"]["message"]).startswith(("loading", "preparing"))


def test_more_editors_than_descriptors_disturb_none_that_is_connected(home: Home, tally: Tally):
    count = tally.of("open files used up (RLIMIT_NOFILE)")
    port, limit = free_port(), limited(resource.RLIMIT_NOFILE, 40)
    command = [*SERVER, "serve", "--tcp", f"127.0.0.1:{port}", "--model", "default"]
    token = home.runtime / "fim-lsp" / f"tcp-{port}.token"
    opened: list[tuple[socket.socket, Wire]] = []
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command,
            env=home.environment,
            cwd=home.path,
            preexec_fn=limit,
            stdin=subprocess.DEVNULL,
            stderr=log,
        )
        try:
            client, first = connect(port, token)
            opened.append((client, first))
            first.initialize(initializationOptions=SETTINGS)
            first.notification("fimLsp/status", state="ready")
            first.open(TEXT)
            usual = first.complete(LINE, CHARACTER, kind=1)["items"]
            assert usual
            for _ in range(60):
                opened.append(connect(port, token))
                count.injected += 1
                assert first.complete(LINE, CHARACTER, kind=1)["items"]
                count.requests, count.answered = count.requests + 1, count.answered + 1
            for client, _ in opened[1:]:
                with contextlib.suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)
            after = one_more(port, token, opened)
            after.open(TEXT)
            assert after.complete(LINE, CHARACTER, kind=1)["items"]
            count.survived += 60
            process.terminate()
            assert 0 == process.wait(20)
        finally:
            process.kill()
            process.wait()
            for client, wire in opened:
                hang_up(client, wire)
        log.seek(0)
        text = log.read().decode()
    assert "Traceback" not in text
    assert text.count("\n") < 60, text


def one_more(port: int, token: Path, opened: list[tuple[socket.socket, Wire]]) -> Wire:
    """Connects as soon as the server has noticed that others have left."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        client, wire = connect(port, token)
        opened.append((client, wire))
        try:
            wire.initialize()
            return wire
        except (ConnectionError, OSError):
            assert time.monotonic() < deadline
            time.sleep(0.1)


def hang_up(client: socket.socket, wire: Wire) -> None:
    with contextlib.suppress(OSError):
        client.shutdown(socket.SHUT_RDWR)
    wire.close()
    client.close()
