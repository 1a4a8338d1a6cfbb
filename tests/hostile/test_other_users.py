"""Another user of this machine is kept out of the HTTP server, though he sends all that a client sends."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from fim_lsp.http.peer_user import is_another_user, user_of
from tests.support.http_server import serving
from tests.support.scripted_host import scripted_model

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="Linux alone tells users"
)
ASK = """
import os, socket, sys
"x".encode("idna")  # imported now: another user cannot read this Python's files
if sys.argv[2] != "own":
    os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
body = b'{"input_prefix": "x", "input_suffix": ""}'
with socket.create_connection((sys.argv[3], int(sys.argv[1])), 30) as connection:
    connection.sendall(b"POST /infill HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n"
        b"Content-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body)
    answer = b""
    while part := connection.recv(65536):
        answer += part
sys.stdout.write(answer.decode()[9:])
"""


def ask(port: int, user: str, host: str = "127.0.0.1") -> str:
    done = subprocess.run(
        [sys.executable, "-S", "-c", ASK, str(port), user, host],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )
    return done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_of_the_machine_is_refused():
    with serving(scripted_model("alpha")) as server:
        own, other = ask(server.port, "own"), ask(server.port, "other")
        seen = len(server.engine.prompts)

    assert own.startswith("200 ")
    assert other.startswith("403 ") and "another user" in other
    assert 1 == seen


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_who_knows_the_token_is_not():
    """The user has given it to him."""
    with serving(scripted_model("alpha"), token="t" * 20) as server:
        assert ask(server.port, "other").startswith("401 ")


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_the_kernel_tells_whose_a_connection_is(family):
    host = "127.0.0.1" if family == socket.AF_INET else "::1"
    with socket.create_server((host, 0), family=family) as listener:
        server = listener.getsockname()[:2]
        with socket.create_connection(server) as client:
            there, address = listener.accept()
            with there:
                assert os.getuid() == user_of(address[:2], server)
                assert not is_another_user(address[:2], server)
                assert client.getsockname()[:2] == address[:2]


@pytest.mark.parametrize(
    ("client", "server"),
    [
        (("127.0.0.1", 1), ("127.0.0.1", 2)),
        (("192.0.2.1", 4000), ("192.0.2.2", 80)),
        (("testclient", 50000), ("testserver", 80)),
        (("fe80::1%eth0", 1), ("::1", 2)),
    ],
)
def test_who_cannot_be_told_is_nobody_else(client, server):
    assert user_of(client, server) is None
    assert not is_another_user(client, server)
