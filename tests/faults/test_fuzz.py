"""Fuzzed messages: every request is answered, no document is changed by what is broken, none ends it.

Half of the messages are those of an editor that knows what each text has to be (`model_editor`);
the others have the structure of LSP and any content (`lsp_messages`), or are spoiled, or no
messages at all.  The seed and the number of messages are options.
"""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.faults.fuzz_client import FuzzClient
from tests.faults.lsp_messages import json_values, messages, misshapen
from tests.faults.model_editor import END, ModelEditor
from tests.faults.servers import ENGINE, SCRIPTED, Home
from tests.faults.tally import Count, Tally
from tests.support.rubbish import NO_FRAMES, RUBBISH
from tests.support.wire import authorization, cancel, connect_socket, frame, free_port

POOL, SPARE = 1500, 300
"""Messages and values that hypothesis makes once; they are then sent in any order, and spoiled."""
LOOK_EVERY = 200
"""Messages between two looks at the texts."""
MAX_GROWTH_MB = 60.0

Target = tuple[FuzzClient, "subprocess.Popen[bytes]"]


@pytest.fixture(scope="module")
def pool(pytestconfig: pytest.Config) -> tuple[list[dict[str, Any]], list[Any]]:
    """Messages with the structure of LSP, and values to spoil them with."""
    number = pytestconfig.getoption("--fault-seed")
    return drawn(messages(), POOL, number), drawn(json_values, SPARE, number)


def drawn(strategy: Any, count: int, number: int) -> list[Any]:
    found: list[Any] = []

    @seed(number)
    @settings(
        max_examples=count,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def take(value: Any) -> None:
        found.append(value)

    take()
    return found


@contextmanager
def target(kind: str, home: Home, chance: random.Random) -> Iterator[Target]:
    """A server of that kind: over pipes or TCP, with a scripted answer or a scripted engine."""
    log = (home.path / "server.log").open("wb")
    common: dict[str, Any] = {"stderr": log, "env": home.environment, "cwd": home.path}
    if kind == "tcp":
        port = free_port()
        process = subprocess.Popen(
            [*SCRIPTED, "--tcp", f"127.0.0.1:{port}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            **common,
        )
        client = connect_socket(("127.0.0.1", port))
        client.settimeout(None)
        client.sendall(authorization(home.runtime / "fim-lsp" / f"tcp-{port}.token"))
        streams = client.makefile("rb"), client.makefile("wb")
    else:
        client = None
        command = SCRIPTED if kind == "stdio" else ENGINE
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **common)
        assert process.stdin is not None and process.stdout is not None
        streams = process.stdout, process.stdin
    fuzz = FuzzClient(*streams, chance)
    try:
        yield fuzz, process
    finally:
        process.kill()
        process.wait()
        fuzz.close()
        log.close()
        if client is not None:
            client.close()


class Fuzzing:
    """One conversation: what is sent, and what has to come of it."""

    def __init__(
        self,
        fuzz: FuzzClient,
        chance: random.Random,
        pool: tuple[list[dict[str, Any]], list[Any]],
        encoding: Any,
        rubbish: list[bytes],
    ) -> None:
        self.fuzz, self._chance = fuzz, chance
        self._messages, self._spare = pool
        self._rubbish = rubbish
        self.editor = ModelEditor(chance, encoding)
        self._encoding = encoding
        self._number = 0

    def begin(self) -> None:
        general = {"positionEncodings": [self._encoding]}
        params = {"processId": None, "rootUri": None, "capabilities": {"general": general}}
        answer = self.fuzz.request("first", "initialize", params)
        assert self._encoding == answer["result"]["capabilities"]["positionEncoding"]
        self.fuzz.send({"method": "initialized", "params": {}})

    def send_one(self) -> None:
        """Sends one message of any kind."""
        drawn = self._chance.random()
        if drawn < 0.45:
            self.fuzz.send(self.editor.message())
        elif drawn < 0.6:
            params = self.editor.place() | {"context": {"triggerKind": self._chance.choice([1, 2])}}
            self._request("textDocument/inlineCompletion", params)
        elif drawn < 0.85:
            self._send_of_pool()
        elif drawn < 0.92:
            self.fuzz.send(cancel(self._chance.choice([0, "x", self._number, self._number - 1])))
        elif drawn < 0.97:
            accept = {"command": "fimLsp.accept", "arguments": [self._chance.choice(self._spare)]}
            self._request("workspace/executeCommand", accept)
        else:
            self.fuzz.send_bytes(self._chance.choice(self._rubbish))

    def compare(self) -> int:
        """Returns how many texts were compared; each must be what the editor has."""
        for uri in self.editor.texts:
            number = self._next()
            line, character = END
            params = {
                "textDocument": {"uri": uri},
                "position": {"line": line, "character": character},
                "context": {"triggerKind": 1},
            }
            items = self.fuzz.request(number, "textDocument/inlineCompletion", params)["result"][
                "items"
            ]
            assert self.editor.expected(uri) == json.loads(items[0]["insertText"]), uri
        return len(self.editor.texts)

    def _send_of_pool(self) -> None:
        message = self._chance.choice(self._messages)
        if self._chance.random() < 0.5:
            message = misshapen(message, self._chance, self._spare)
        if self._chance.random() < 0.6:
            message = {**message, "id": self._next()}
        self.fuzz.send(message)

    def _request(self, method: str, params: Any) -> None:
        self.fuzz.send({"id": self._next(), "method": method, "params": params})

    def _next(self) -> Any:
        self._number += 1
        return self._number if self._number % 7 else f"text {self._number}"


def memory_mb(process: subprocess.Popen[bytes]) -> float:
    with open(f"/proc/{process.pid}/status") as status:
        return next(int(x.split()[1]) * 1024 / 1e6 for x in status if x.startswith("VmRSS"))


@pytest.mark.parametrize(
    ("kind", "encoding", "share"),
    [("stdio", "utf-16", 0.4), ("tcp", "utf-8", 0.4), ("engine", "utf-32", 0.2)],
    ids=["stdio", "tcp", "with an engine"],
)
def test_fuzzed_messages_are_answered_and_change_no_text(
    home: Home,
    tally: Tally,
    chance: random.Random,
    pool: tuple[list[dict[str, Any]], list[Any]],
    pytestconfig: pytest.Config,
    kind: str,
    encoding: str,
    share: float,
):
    count = tally.of(f"fuzzed messages: {kind}")
    wanted = int(pytestconfig.getoption("--messages") * share)
    rubbish = [*RUBBISH.values()]
    if kind != "tcp":  # there, what is no frame ends the connection
        rubbish += NO_FRAMES.values()
    with target(kind, home, chance) as (fuzz, process):
        fuzzing = Fuzzing(fuzz, chance, pool, encoding, rubbish)
        fuzzing.begin()
        texts = 0
        early = 0.0
        while fuzz.sent < wanted:
            for _ in range(LOOK_EVERY):
                fuzzing.send_one()
            fuzz.wait_for_all()
            texts += fuzzing.compare() if kind != "engine" else 0
            if not early and fuzz.sent > wanted * 0.2:
                early = memory_mb(process)
        late = memory_mb(process)
        assert process.poll() is None
        end(fuzz)
        if kind != "tcp":
            assert 0 == process.wait(20)
    record(count, fuzz, texts, late)
    count.note += f"; {early:.0f} MB after a fifth"
    assert [] == fuzz.twice
    assert late - early < MAX_GROWTH_MB
    assert count.errors_shown <= 20


def end(fuzz: FuzzClient) -> None:
    fuzz.request("last", "shutdown", None)
    fuzz.send_bytes(frame({"method": "exit"}))


def record(count: Count, fuzz: FuzzClient, texts: int, memory: float) -> None:
    count.injected = count.survived = fuzz.sent
    count.requests, count.answered = len(fuzz.asked), len(fuzz.asked.keys() & fuzz.answers.keys())
    count.errors_shown = fuzz.seen["window/showMessage"]
    count.memory_mb = memory
    refused = sum("error" in answer for answer in fuzz.answers.values())
    count.note = f"{texts} texts compared, {refused} requests refused"
