"""A server that several editors share serves its own user, and nobody else; none can fill it up."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from tests.protocol.conftest import hang_up, token_file
from tests.support.wire import (
    URI,
    Wire,
    ask,
    authorization,
    connect,
    connect_socket,
    did_open,
    frame,
    free_port,
    start_stdio,
    texts,
    wire_of,
)

pytestmark = [
    pytest.mark.own,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no Unix sockets"),
]

INITIALIZE = {"processId": None, "rootUri": None, "capabilities": {}}
STRANGERS = 64
EDITORS = 32

Serve = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def serve(server_command: list[str], environment: dict[str, str], log: BinaryIO) -> Iterator[Serve]:
    """Start a shared server with arguments; without, the scripted one."""
    started: list[subprocess.Popen[bytes]] = []

    def serve(*arguments: str, command: list[str] = server_command) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [*command, *arguments], stdin=subprocess.DEVNULL, stderr=log, env=environment
        )
        started.append(process)
        return process

    yield serve
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def path() -> Iterator[Path]:
    """Path of a socket, in a folder that is not there yet."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "new" / "server.sock"


@pytest.fixture
def join(path: Path) -> Iterator[Callable[[], Wire]]:
    """Connect one more editor to the socket."""
    opened: list[tuple[socket.socket, Wire]] = []

    def join() -> Wire:
        client = connect_socket(path)
        opened.append((client, wire_of(client)))
        return opened[-1][1]

    yield join
    for client, wire in opened:
        hang_up(client, wire)


@pytest.fixture
def port(serve: Serve, environment: dict[str, str]) -> int:
    """Returns the port at which a scripted server listens."""
    port = free_port()
    serve("--tcp", f"127.0.0.1:{port}")
    connect_socket(("127.0.0.1", port)).close()
    return port


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def answer_to(port: int, data: bytes) -> bytes:
    """All that comes back before the server closes the connection."""
    received = b""
    with connect_socket(("127.0.0.1", port)) as client, contextlib.suppress(ConnectionError):
        client.sendall(data)
        while more := client.recv(4096):
            received += more
    return received


# Who is let in


def test_nobody_else_can_open_the_socket_which_is_gone_when_the_server_is(
    serve: Serve, path: Path, join: Callable[[], Wire]
):
    process = serve("--socket", str(path))
    join().initialize()
    assert mode(path) == 0o600
    assert mode(path.parent) == 0o700
    process.terminate()
    assert process.wait(10) == 0
    assert not path.exists()


def test_the_socket_of_a_server_that_was_killed_is_taken_over(
    serve: Serve, path: Path, join: Callable[[], Wire]
):
    killed = serve("--socket", str(path))
    join().initialize()
    killed.kill()
    killed.wait()
    serve("--socket", str(path))
    join().initialize()


@pytest.mark.parametrize("place", ["in use", "a file", "open to others", "too long"])
def test_where_no_safe_socket_can_be_bound_one_sentence_says_why(
    serve: Serve, path: Path, join: Callable[[], Wire], read_log: Callable[[], str], place: str
):
    said = place
    if place == "in use":
        serve("--socket", str(path))
        join().initialize()
    else:
        path.parent.mkdir(mode=0o700)
    if place == "a file":
        path.write_text("keep me")
        said = "is no socket"
    elif place == "open to others":
        path.parent.chmod(0o755)
        said = f"chmod 700 {path.parent}"
    elif place == "too long":
        path, said = path.with_name("x" * 120), "AF_UNIX path too long"
    assert serve("--socket", str(path)).wait(20) == 1
    assert said in read_log()
    assert "Traceback" not in read_log()
    assert place != "a file" or path.read_text() == "keep me"


AS_NOBODY = """
import os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
client = socket.socket(socket.AF_UNIX)
client.settimeout(20)
client.connect(sys.argv[1])
try:
    client.sendall(sys.stdin.buffer.read())
    print(client.recv(1))
except ConnectionError:
    print(b"")
"""


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root can be another user"
)
def test_another_user_is_refused_though_the_permissions_would_let_him_in(
    serve: Serve, path: Path, join: Callable[[], Wire]
):
    serve("--socket", str(path))
    join().initialize()
    path.parent.parent.chmod(0o755)
    path.parent.chmod(0o755)
    path.chmod(0o666)
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, str(path)],
        input=frame({"id": 1, "method": "initialize", "params": INITIALIZE}),
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert (done.stdout.strip(), done.stderr) == (b"b''", b"")


def test_the_token_lies_where_only_its_user_can_read_it_and_is_another_one_each_time(
    serve: Serve, environment: dict[str, str]
):
    tokens = []
    for _ in range(2):
        port = free_port()
        process = serve("--tcp", f"127.0.0.1:{port}")
        connect_socket(("127.0.0.1", port)).close()
        file = token_file(environment, port)
        assert (mode(file), mode(file.parent)) == (0o600, 0o700)
        tokens.append(file.read_text())
        assert len(tokens[-1]) >= 43
        process.terminate()
        assert process.wait(10) == 0
        assert not file.exists()
    assert tokens[0] != tokens[1]


@pytest.mark.parametrize(
    "first_line",
    [
        b"",
        b"Authorization: Bearer \r\n",
        b"Authorization: Bearer %s\r\n" % (b"x" * 43),
        b"Authorization: Basic TOKEN\r\n",
        b"Content-Type: TOKEN\r\n",
        b"TOKEN\r\n",
        b"Authorization: Bearer TOKENx\r\n",
        b"\r\nAuthorization: Bearer TOKEN\r\n",
        b"Authorization: Bearer \xff\xfe\r\n",
    ],
)
def test_who_does_not_show_the_token_first_of_all_gets_no_answer(
    port: int, environment: dict[str, str], first_line: bytes
):
    line = first_line.replace(b"TOKEN", token_file(environment, port).read_bytes())
    initialize = frame({"id": 1, "method": "initialize", "params": INITIALIZE})
    assert answer_to(port, line + initialize) == b""
    right = authorization(token_file(environment, port))
    client, wire = connect(port)
    client.sendall(right.replace(b"Authorization", b"authorization").replace(b"\r\n", b"\n"))
    wire.initialize()
    hang_up(client, wire)


def test_who_is_slow_to_show_the_token_is_disconnected(port: int):
    client = connect_socket(("127.0.0.1", port))
    with client, contextlib.suppress(ConnectionError):
        client.settimeout(0.3)
        for letter in b"Authorization: Bearer " + b"x" * 100:
            client.sendall(bytes([letter]))
            try:
                assert client.recv(1) == b""
            except TimeoutError:
                continue
            return
        raise AssertionError("the server has waited for 36 seconds")


def test_strangers_who_wait_keep_no_editor_out(port: int, environment: dict[str, str]):
    strangers = [connect_socket(("127.0.0.1", port)) for _ in range(STRANGERS + 1)]
    assert strangers[0].recv(1) == b""
    client, wire = connect(port, token_file(environment, port))
    wire.initialize()
    hang_up(client, wire)
    for stranger in strangers:
        stranger.close()


# Web pages


def browsers_post(**options: str) -> bytes:
    """Returns a request that a web page may send to any address without a preflight."""
    params = {**INITIALIZE, "initializationOptions": options}
    header, _, body = frame({"id": 1, "method": "initialize", "params": params}).partition(
        b"\r\n\r\n"
    )
    return (
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: https://evil.example\r\n"
        b"Content-Type: text/plain;charset=UTF-8\r\n" + header + b"\r\n\r\n" + body
    )


@pytest.mark.parametrize("is_on_tcp", [True, False], ids=["TCP", "Unix socket"])
def test_a_web_page_gets_nothing_done(
    serve: Serve, path: Path, environment: dict[str, str], read_log: Callable[[], str], is_on_tcp
):
    port = free_port()
    place = ["--tcp", f"127.0.0.1:{port}"] if is_on_tcp else ["--socket", str(path)]
    serve(*place)
    address = ("127.0.0.1", port) if is_on_tcp else path
    token = token_file(environment, port)

    def editor() -> tuple[socket.socket, Wire]:
        client = connect_socket(address)
        if is_on_tcp:
            client.sendall(authorization(token))
        return client, wire_of(client)

    victim, wire = editor()
    wire.initialize()
    model = wire.notification("fimLsp/status", state="ready")["model"]
    page = connect_socket(address)
    with contextlib.suppress(ConnectionError):
        page.sendall(browsers_post(model="ATTACKERS-MODEL"))
        assert page.recv(1) == b""
    page.close()
    other, later = editor()
    later.initialize()
    assert later.notification("fimLsp/status", state="ready")["model"] == model
    assert "ATTACKERS-MODEL" not in read_log()
    assert "client unknown" in read_log()
    assert read_log().count("positions in") == 2
    hang_up(victim, wire)
    hang_up(other, later)


# What all editors have in common


def test_no_editor_changes_what_all_have_in_common_and_each_is_told_once(
    serve: Serve, join: Callable[[], Wire], path: Path
):
    command = [sys.executable, "-m", "fim_lsp", "serve"]
    serve("--socket", str(path), "--engine", "onnx", "--threads", "1", command=command)
    wire, other = join(), join()
    theirs = {"model": "no-such-model", "engine": "torch", "threads": 3, "logLevel": "debug"}
    theirs["unloadAfterMinutes"] = 0.001
    wire.initialize({"initializationOptions": {**theirs, "candidates": 2}})
    said = wire.notification("window/logMessage")["message"]
    assert all(name in said for name in theirs)
    status = wire.notification("fimLsp/status", state="ready")
    assert status["engine"] == "onnx"
    settings = {"settings": {"fimLsp": {**theirs, "threads": 7}}}
    wire.notify("workspace/didChangeConfiguration", settings)
    other.initialize()
    assert other.notification("fimLsp/status", state="ready")["model"] == status["model"]
    wire.open("def add(a, b):\n    ")
    assert wire.complete(1, 4, kind=1)["items"]
    assert [m for m in wire.seen() if m.get("method") == "window/logMessage"] == []
    assert [m for m in other.seen() if m.get("method", "").startswith("window/")] == []


# The command that joins an editor


@pytest.fixture
def run_bridge(environment: dict[str, str], log: BinaryIO) -> Iterator[Callable[..., Wire]]:
    """Run `fim-lsp connect` with arguments as an editor runs its server."""
    started: list[tuple[subprocess.Popen[bytes], Wire]] = []

    def run(*arguments: str) -> tuple[subprocess.Popen[bytes], Wire]:
        command = [sys.executable, "-m", "fim_lsp", "connect", *arguments]
        started.append(start_stdio(command, stderr=log, env=environment))
        return started[-1]

    yield run
    for process, wire in started:
        process.kill()
        process.wait()
        wire.close()


@pytest.mark.parametrize("where", ["named socket", "usual socket", "TCP"])
def test_an_editor_is_joined_by_one_command(
    serve: Serve, path: Path, environment: dict[str, str], run_bridge, where: str
):
    arguments: list[str] = []
    if where == "TCP":
        port = free_port()
        serve("--tcp", f"127.0.0.1:{port}")
        connect_socket(("127.0.0.1", port)).close()
        arguments = [f"localhost:{port}"]
    elif where == "named socket":
        serve("--socket", str(path))
        connect_socket(path).close()
        arguments = [str(path)]
    else:
        serve("serve", "--socket", command=[sys.executable, "-m", "fim_lsp"])
        connect_socket(Path(environment["XDG_RUNTIME_DIR"]) / "fim-lsp" / "server.sock").close()
    process, wire = run_bridge(*arguments)
    wire.initialize()
    text = "# " + "é" * 300_000 + "\n"
    wire.open(text)
    completed = wire.complete(1, 0, kind=1)
    if where != "usual socket":
        assert texts(completed)[0] == f"SAW:{text}"
    wire.shut_down()
    assert process.wait(10) == 0


def test_the_bridge_ends_with_its_editor(serve: Serve, path: Path, run_bridge):
    serve("--socket", str(path))
    connect_socket(path).close()
    process, wire = run_bridge(str(path))
    wire.initialize()
    wire.close_input()
    assert process.wait(10) == 0


@pytest.mark.parametrize("trouble", ["nobody", "no socket", "no token", "old token", "no server"])
def test_what_keeps_an_editor_out_is_said_with_the_next_step(
    serve: Serve, environment: dict[str, str], run_bridge, read_log: Callable[[], str], trouble: str
):
    port = free_port()
    address, file = f"127.0.0.1:{port}", token_file(environment, port)
    other = socket.create_server(("127.0.0.1", port)) if trouble != "nobody" else None
    file.parent.mkdir(mode=0o700, exist_ok=True)
    said = f"No server answers at {address} (nothing listens there). Start one with: fim-lsp serve --tcp {address}"
    if trouble in ("old token", "no server"):
        file.touch(mode=0o600)
        file.write_text("x" * 43)
    if trouble == "no socket":
        address = "/no/such.sock"
        said = "Start one with: fim-lsp serve --socket /no/such.sock"
    elif trouble == "no token":
        said = f"{file} cannot be read"
    elif trouble == "old token":
        other.close()
        serve("--tcp", address)
        connect_socket(("127.0.0.1", port)).close()
        file.write_text("x" * 43)
        said = "the token is not its own"
    elif trouble == "no server":
        said = "is no language server: it wrote b'220 mail'"
    process, _ = run_bridge(address)
    if trouble == "no server":
        client, _ = other.accept()
        client.sendall(b"220 mail.example.org ESMTP\r\n")
        client.close()
    assert process.wait(20) == 1
    assert said in read_log()
    assert "Traceback" not in read_log()
    if other is not None:
        other.close()
    file.unlink(missing_ok=True)


def test_a_token_that_others_can_read_is_not_shown(
    environment: dict[str, str], run_bridge, read_log: Callable[[], str]
):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        file = token_file(environment, port)
        file.parent.mkdir(mode=0o700, exist_ok=True)
        file.write_text("x" * 43)
        file.chmod(0o644)
        process, _ = run_bridge(f"127.0.0.1:{port}")
        client, _ = server.accept()
        with client:
            assert client.recv(1) == b""
        assert process.wait(20) == 1
        assert f"{file} is not yours alone" in read_log()
        file.unlink()


# Bounds


def test_there_is_an_end_to_the_number_of_editors(
    serve: Serve, path: Path, join: Callable[[], Wire]
):
    serve("--socket", str(path))
    editors = [join() for _ in range(EDITORS)]
    for wire in editors:
        wire.initialize()
    assert join().hung_up()
    editors[0].notify("exit")
    assert editors[0].hung_up()
    join().initialize()
    assert editors[1].complete(0, 0) == {"items": []}


def test_an_editor_that_never_reads_what_it_asked_for_is_given_up(
    serve: Serve, path: Path, join: Callable[[], Wire], read_log: Callable[[], str]
):
    """All of it was asked for before the first answer came."""
    serve("--socket", str(path))
    silent = connect_socket(path)
    silent.sendall(frame({"id": 0, "method": "initialize", "params": INITIALIZE}))
    text = "x" * (1 << 20) + "wait"
    for number in range(1, 31):
        silent.sendall(frame(did_open(text, uri=f"{URI}{number}")))
    asked = [frame(ask(number, 0, len(text), uri=f"{URI}{number}")) for number in range(1, 31)]
    silent.sendall(b"".join(asked))
    wire = join()
    wire.initialize()
    while "16 MB wait to be read" not in read_log():
        wire.complete(0, 0)
    received = 0
    with contextlib.suppress(ConnectionError):
        while more := silent.recv(1 << 20):
            received += len(more)
    assert received < 30 << 20
    silent.close()


def test_a_message_of_unreasonable_length_ends_the_connection(
    serve: Serve, path: Path, join: Callable[[], Wire]
):
    serve("--socket", str(path))
    wire, other = join(), join()
    other.initialize()
    wire.initialize()
    wire.send_bytes(b"Content-Length: %d\r\n\r\n" % (40 << 20))
    assert wire.hung_up()
    assert other.complete(0, 0) == {"items": []}
