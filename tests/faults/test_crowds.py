"""Many documents, many editors, and one that floods the others."""

from __future__ import annotations

import random
import socket
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.servers import ENGINE, FUNCTIONS, SCRIPTED, Home, serving
from tests.faults.tally import Tally
from tests.support.wire import (
    TIMEOUT_SECONDS,
    Wire,
    ask,
    authorization,
    connect,
    connect_socket,
    did_change,
    did_close,
    did_open,
    frame,
    free_port,
    replace,
    texts,
)

DOCUMENTS, VISITORS, KEYS = 10_000, 200, 200


def test_ten_thousand_documents_are_open_at_once(home: Home, tally: Tally):
    count = tally.of(f"{DOCUMENTS} documents open")
    with serving(home, ENGINE) as server:
        wire = server.become_ready(debounceMs=0).wire
        before = server.memory_mb("VmRSS")
        for number in range(DOCUMENTS):
            wire.open(f"x = {number}\n", uri=f"file:///project/{number}.py")
            if number % 500 == 0:
                wire.traces()
        count.injected += 1
        for number in range(0, DOCUMENTS, 1000):
            count.requests += 1
            items = wire.complete(0, 9, uri=f"file:///project/{number}.py", kind=1)["items"]
            assert items
            count.answered += 1
        count.memory_mb = server.memory_mb()
        opened = server.memory_mb("VmRSS")
        for number in range(DOCUMENTS):
            wire.send(did_close(f"file:///project/{number}.py"))
        wire.open("x = \n")
        assert wire.complete(0, 4, kind=1)["items"]
        count.note = f"{(opened - before) * 1e3 / DOCUMENTS:.1f} kB each"
        assert opened - before < 150
        wire.shut_down()
        assert 0 == server.process.wait(20)
        count.survived += 1


@pytest.mark.parametrize("far", [1, 10**6, 2**31 - 1, 2**31, 2**53])
def test_a_cursor_beyond_everything_is_answered(home: Home, tally: Tally, far: int):
    count = tally.of("cursor beyond everything")
    with serving(home, ENGINE) as server:
        wire = server.become_ready(debounceMs=0).wire
        wire.open("x = \n")
        for line, character in ((0, far), (far, 0), (far, far)):
            count.injected += 1
            count.requests += 1
            response = wire.request(
                "textDocument/inlineCompletion",
                {
                    "textDocument": {"uri": "file:///project/x.py"},
                    "position": {"line": line, "character": character},
                    "context": {"triggerKind": 1},
                },
            )
            assert "items" in (response.get("result") or {}) or response["error"]["code"] == -32602
            count.answered += 1
            count.survived += 1


@pytest.fixture
def shared(home: Home) -> Iterator[tuple[int, Path, subprocess.Popen[bytes]]]:
    """Port, token and process of a server for many editors."""
    port = free_port()
    with (home.path / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [*SCRIPTED, "--tcp", f"127.0.0.1:{port}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            env=home.environment,
            cwd=home.path,
        )
        connect_socket(("127.0.0.1", port)).close()
        yield port, home.runtime / "fim-lsp" / f"tcp-{port}.token", process
        process.kill()
        process.wait()


def status(process: subprocess.Popen[bytes]) -> tuple[int, float]:
    """Number of descriptors, and megabytes in memory."""
    folder = Path(f"/proc/{process.pid}")
    lines = (folder / "status").read_text().splitlines()
    memory = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
    return len(list((folder / "fd").iterdir())), memory * 1024 / 1e6


def test_two_hundred_editors_that_connect_and_vanish_disturb_nobody(
    shared: tuple[int, Path, subprocess.Popen[bytes]], tally: Tally, chance: random.Random
):
    count = tally.of("editors that connect and vanish (TCP)")
    port, token, process = shared
    client, stays = connect(port, token)
    stays.initialize()
    stays.open("x")
    assert ["SAW:x"] == texts(stays.complete(0, 1))
    descriptors, _ = status(process)
    params = {"processId": None, "rootUri": None, "capabilities": {}}
    whole = b"".join(
        [
            authorization(token),
            frame({"id": 1, "method": "initialize", "params": params}),
            frame({"method": "initialized", "params": {}}),
            frame(did_open("hang")),
            frame(ask(2, 0, 4)),
        ]
    )
    for _ in range(VISITORS):
        visitor = connect_socket(("127.0.0.1", port))
        visitor.sendall(whole[: chance.randrange(len(whole) + 1)])
        if chance.random() < 0.5:  # without a farewell
            visitor.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        visitor.close()
        count.injected += 1
        count.requests += 1
        assert ["SAW:x"] == texts(stays.complete(0, 1))
        count.answered += 1
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while status(process)[0] > descriptors:
        assert time.monotonic() < deadline, "connections of editors that are gone are kept"
        time.sleep(0.05)
    count.memory_mb = status(process)[1]
    count.survived = count.injected
    hang_up(client, stays)


def hang_up(client: socket.socket, wire: Wire) -> None:
    client.shutdown(socket.SHUT_RDWR)
    wire.close()
    client.close()


def type_keys(wire: Wire) -> list[float]:
    """Types, and returns the milliseconds of each answer."""
    took = []
    wire.open("")
    for place in range(KEYS):
        begun = time.perf_counter()
        wire.send(did_change(place + 2, replace((0, place), (0, place), "k")))
        answer = wire.complete(0, place + 1)
        took.append((time.perf_counter() - begun) * 1e3)
        assert [f"SAW:{'k' * (place + 1)}"] == texts(answer)
    return took


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def test_an_editor_that_floods_costs_others_time_and_nothing_else(
    shared: tuple[int, Path, subprocess.Popen[bytes]], tally: Tally
):
    count = tally.of("one editor floods, one types (TCP)")
    port, token, process = shared
    client, typist = connect(port, token)
    typist.initialize()
    alone = type_keys(typist)
    other, flood = connect(port, token)
    flood.initialize()
    flood.open(FUNCTIONS)
    is_over = threading.Event()
    sent = 0

    def run() -> None:
        nonlocal sent
        version = 2
        while not is_over.is_set():
            numbers = [flood.new_id() for _ in range(20)]
            for number in numbers:
                flood.send(
                    did_change(version, replace((0, 0), (0, 0), "x" * 100)), ask(number, 0, 1)
                )
                version += 1
            for number in numbers:
                flood.response(number)
            flood.send(did_change(version, {"text": FUNCTIONS}))
            sent += 41

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    beside = type_keys(typist)
    is_over.set()
    thread.join()
    count.injected = count.survived = sent
    count.requests = count.answered = 2 * KEYS
    count.memory_mb = status(process)[1]
    count.note = f"p95 {p95(alone):.1f} ms alone, {p95(beside):.1f} ms beside the flood"
    hang_up(client, typist)
    hang_up(other, flood)
