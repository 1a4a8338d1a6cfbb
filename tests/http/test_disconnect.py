"""Work for clients that are gone ends within a token, and leaves the engine to others."""

import json
import socket
import struct

import pytest

from tests.http.conftest import Serve
from tests.support.http_server import RunningServer

ENDLESS = 3600.0
"""Seconds that no test waits: a pause that ends when the engine is told to stop."""
GOOD = {"input_prefix": "y = ", "input_suffix": ""}


def request(server: RunningServer, number: int, *, is_streamed: bool) -> bytes:
    sent = {"input_prefix": f"x{number} = ", "input_suffix": "", "stream": is_streamed}
    body = json.dumps(sent).encode()
    head = (
        f"POST /infill HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def vanish(connection: socket.socket, *, at_once: bool) -> None:
    if at_once:  # a reset, as of a program that was killed
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize("at_once", [False, True])
def test_two_hundred_clients_vanish_and_the_next_one_is_served_at_once(
    is_streamed, at_once, serve: Serve
):
    """The second token of each of them takes an hour, unless the engine is told to stop."""

    def answer(prompt: str) -> str:
        server.engine.token_seconds = 0.0 if "y = " in prompt else ENDLESS
        return "first + second"

    server = serve(answer)
    clients = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(200)]
    for number, client in enumerate(clients):
        client.sendall(request(server, number, is_streamed=is_streamed))
    while server.engine.tokens_decoded < 1:
        pass
    for client in clients:
        vanish(client, at_once=at_once)

    last = server.post("/infill", GOOD).json()
    assert "first + second" == last["content"]
    # Some may have begun before the server saw that they were gone; each wrote one token at most.
    num_begun = len(server.engine.prompts) - 1
    assert server.engine.tokens_decoded - last["tokens_predicted"] <= num_begun <= 200
    outcomes = [trace["outcome"] for trace in server.traces()]
    assert ["shown", *["cancelled"] * (len(outcomes) - 1)] == outcomes


def test_a_client_that_leaves_while_the_prompt_is_read_stops_the_reading(serve: Serve):
    server = serve(prefill_seconds=ENDLESS)
    client = socket.create_connection(("127.0.0.1", server.port))
    client.sendall(request(server, 1, is_streamed=False))
    while not server.engine.prompts:
        pass
    client.close()
    server.engine.prefill_seconds = 0.0
    assert "first + second" == server.post("/infill", GOOD).json()["content"]


def test_a_warm_up_whose_client_leaves_stops(serve: Serve):
    server = serve(prefill_seconds=ENDLESS)
    client = socket.create_connection(("127.0.0.1", server.port))
    body = request(server, 1, is_streamed=False).replace(b'"stream": false', b'"n_predict": 0 ')
    client.sendall(body)
    while not server.engine.prompts:
        pass
    client.close()
    server.engine.prefill_seconds = 0.0
    assert "first + second" == server.post("/infill", GOOD).json()["content"]


def test_others_are_served_while_one_leaves(serve: Serve):
    server = serve(token_seconds=0.01)
    client = socket.create_connection(("127.0.0.1", server.port))
    client.sendall(request(server, 1, is_streamed=True))
    client.close()
    assert "first + second" == server.post("/infill", GOOD).json()["content"]
