"""Real server processes, over standard input and output and over TCP.

pytest tests/protocol                                        the scripted server beside this file
pytest tests/protocol --server-cmd "python -m fim_lsp"       any other one; see README.md
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from tests.support.wire import Wire, connect, free_port, start_stdio

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
EDITORS = ("vscode", "nvim", "emacs")

StartStdio = Callable[..., tuple[subprocess.Popen[bytes], Wire]]
Connect = Callable[[], Wire]

over_both_transports = pytest.mark.parametrize("fresh", ["stdio", "tcp"], indirect=True)
"""Marks what the transport could change; a process per test is dear."""

over_stdio = pytest.mark.parametrize("fresh", ["stdio"], indirect=True)
"""Marks what is another matter on a socket."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--server-cmd", help="command of the server under test, without --tcp")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "scripted: needs the answers of scripted_server.py")
    config.addinivalue_line("markers", "own: about what only fim-lsp promises")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--server-cmd"):
        skip = pytest.mark.skip(
            reason="asks for more than any server of inline completion promises"
        )
        for item in items:
            if not {"scripted", "own"}.isdisjoint(item.keywords):
                item.add_marker(skip)


def recorded(editor: str) -> dict[str, Any]:
    """Returns what that editor sends with `initialize`."""
    text = (HERE / "fixtures" / f"initialize_{editor}.json").read_text("utf-8")
    params: dict[str, Any] = json.loads(text)
    return params


@pytest.fixture(scope="session")
def server_command(pytestconfig: pytest.Config) -> list[str]:
    given = pytestconfig.getoption("--server-cmd")
    return shlex.split(given) if given else [sys.executable, str(HERE / "scripted_server.py")]


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Environment of the servers: their log, sockets and tokens are not the user's."""
    state = str(tmp_path_factory.mktemp("state"))
    python = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with tempfile.TemporaryDirectory() as runtime:  # the path of a socket must be short
        yield {**os.environ, **python, "XDG_STATE_HOME": state, "XDG_RUNTIME_DIR": runtime}


def token_file(environment: dict[str, str], port: int) -> Path:
    """Returns the file in which a server leaves the token of a port."""
    return Path(environment["XDG_RUNTIME_DIR"]) / "fim-lsp" / f"tcp-{port}.token"


@pytest.fixture
def log() -> Iterator[BinaryIO]:
    """Standard error of the servers that the test starts."""
    with tempfile.TemporaryFile() as file:
        yield file


@pytest.fixture
def read_log(log: BinaryIO) -> Callable[[], str]:
    def read() -> str:
        log.seek(0)
        return log.read().decode("utf-8", "replace")

    return read


@pytest.fixture
def start(
    server_command: list[str], environment: dict[str, str], log: BinaryIO
) -> Iterator[StartStdio]:
    """Start a server on pipes, with arguments; all are gone after the test."""
    started: list[tuple[subprocess.Popen[bytes], Wire]] = []

    def start(*arguments: str) -> tuple[subprocess.Popen[bytes], Wire]:
        process, wire = start_stdio([*server_command, *arguments], stderr=log, env=environment)
        started.append((process, wire))
        return process, wire

    yield start
    for process, wire in started:
        process.kill()
        process.wait()
        wire.close()


@pytest.fixture(scope="session")
def tcp_server(server_command: list[str], environment: dict[str, str]) -> Iterator[Any]:
    """Port and process of one server that all tests of the session share, as editors would."""
    port = free_port()
    process = subprocess.Popen(
        [*server_command, "--tcp", f"127.0.0.1:{port}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    yield port, process
    process.kill()
    process.wait()


@pytest.fixture
def connect_tcp(tcp_server: tuple[int, object], environment: dict[str, str]) -> Iterator[Connect]:
    """Connect one more editor to the shared server."""
    opened: list[Any] = []

    def open_connection() -> Wire:
        port = tcp_server[0]
        client, wire = connect(port, token_file(environment, port))
        opened.append((client, wire))
        return wire

    yield open_connection
    for client, wire in opened:
        hang_up(client, wire)


def hang_up(client: Any, wire: Wire) -> None:
    """Leave as an editor that crashes does."""
    with contextlib.suppress(OSError):
        client.shutdown(socket.SHUT_RDWR)
    wire.close()
    client.close()


@pytest.fixture
def fresh(request: pytest.FixtureRequest) -> Wire:
    """A connection before `initialize`: over TCP, or over what `over_both_transports` says."""
    if getattr(request, "param", "tcp") == "tcp":
        wire: Wire = request.getfixturevalue("connect_tcp")()
        return wire
    _, wire = request.getfixturevalue("start")()
    return wire


@pytest.fixture
def wire(fresh: Wire) -> Wire:
    """An initialized connection."""
    fresh.initialize()
    return fresh
