"""A client made of pipes: JSON-RPC over two byte streams, and nothing that could hide a fault."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import queue
import select
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

TIMEOUT_SECONDS = float(os.environ.get("FIM_LSP_TEST_PATIENCE", "20"))
"""Patience for one answer; only a busy machine needs more than a fraction of it."""

NOTHING_TAKEN_SECONDS = 4.0
"""A server that reads would have taken something by then."""

URI = "file:///project/x.py"
Message = dict[str, Any]


class Wire:
    """One connection.  A thread reads, and answers the server's requests as modest clients do."""

    def __init__(self, reader: BinaryIO, writer: BinaryIO) -> None:
        self._reader, self._writer = reader, writer
        self._messages: queue.Queue[Message | None] = queue.Queue()
        self._put_back: list[Message] = []
        self._ids = itertools.count(1)
        self.answers: dict[str, Callable[[Any], Any]] = {
            "workspace/configuration": lambda params: [None] * len(params["items"])
        }
        """Answers to requests of the server, by method; null otherwise."""
        self.unanswered: set[str] = set()
        """Methods of requests that stay without an answer."""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    # Sending

    def send(self, *messages: Message) -> None:
        """Write all of them at once."""
        self.send_bytes(b"".join(frame(message) for message in messages))

    def send_bytes(self, data: bytes) -> None:
        self._writer.write(data)
        self._writer.flush()

    def notify(self, method: str, params: Any = None) -> None:
        self.send(notification(method, params))

    def request(self, method: str, params: Any = None) -> Message:
        """Send and wait; gives the whole response."""
        number = self.new_id()
        self.send({"id": number, "method": method, "params": params})
        return self.response(number)

    def result(self, method: str, params: Any = None) -> Any:
        """The result of a request that must not fail."""
        response = self.request(method, params)
        assert "error" not in response, response
        return response["result"]

    def new_id(self) -> int:
        return next(self._ids)

    def close_input(self) -> None:
        self._writer.close()

    def close(self) -> None:
        """Free both streams; the other side must have ended, or the wait is long."""
        self._thread.join(TIMEOUT_SECONDS)
        for stream in (self._reader, self._writer):
            with contextlib.suppress(OSError):
                stream.close()

    # Receiving

    def receive(self, wanted: Callable[[Message], bool], patience: float | None = None) -> Message:
        """The next message that is wanted; the others stay for later."""
        for index, message in enumerate(self._put_back):
            if wanted(message):
                return self._put_back.pop(index)
        deadline = time.monotonic() + (TIMEOUT_SECONDS if patience is None else patience)
        while True:
            try:
                message = self._messages.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise TimeoutError(f"no such message; got {self._put_back}") from None
            if message is None:
                self._messages.put(None)
                raise ConnectionError(f"the server has hung up; got {self._put_back}")
            if wanted(message):
                return message
            self._put_back.append(message)

    def response(self, number: Any, patience: float | None = None) -> Message:
        return self.receive(lambda m: "method" not in m and m.get("id") == number, patience)

    def notification(self, method: str, **params: Any) -> Any:
        """Parameters of the next notification of that method that has these parameters."""

        def wanted(message: Message) -> bool:
            given = message.get("params")
            return message.get("method") == method and (
                not params or all(given.get(name) == value for name, value in params.items())
            )

        return self.receive(wanted)["params"]

    def traces(self, **params: Any) -> list[Message]:
        """Returns the traces of the last requests, newest first."""
        traces: list[Message] = self.result("fimLsp/explain", params)["traces"]
        return traces

    def seen(self) -> list[Message]:
        """All that has come and was not asked for; empties the list."""
        self.request("fimLsp/explain")  # all that came before its answer is there now
        messages, self._put_back = self._put_back, []
        return messages

    def hung_up(self) -> bool:
        """Whether the server ends the connection, soon."""
        try:
            self.receive(lambda _: False)
        except ConnectionError:
            return True
        except TimeoutError:
            return False
        raise AssertionError

    def _read(self) -> None:
        try:
            while (message := read_frame(self._reader)) is not None:
                if "method" in message and "id" in message:
                    self._messages.put(message)
                    if message["method"] not in self.unanswered:
                        answer = self.answers.get(message["method"], lambda params: None)
                        self.send({"id": message["id"], "result": answer(message.get("params"))})
                else:
                    self._messages.put(message)
        except (OSError, ValueError):
            pass
        self._messages.put(None)

    # The protocol

    def initialize(self, params: Message | None = None, **more: Any) -> Message:
        """Shake hands; gives the result of `initialize`."""
        params = {"processId": None, "rootUri": None, "capabilities": {}, **(params or {}), **more}
        result: Message = self.result("initialize", params)
        self.notify("initialized", {})
        return result

    def open(self, text: str, uri: str = URI, language: str = "python", version: int = 1) -> None:
        self.send(did_open(text, uri, language, version))

    def complete(
        self, line: int, character: int, uri: str = URI, kind: int = 2, **more: Any
    ) -> Any:
        """The result of an inline completion that must not fail."""
        params = completion_params(line, character, uri, kind)
        params.update(more)
        return self.result("textDocument/inlineCompletion", params)

    def start_completion(self, line: int, character: int, uri: str = URI, kind: int = 2) -> int:
        """Ask without waiting; gives the request's id."""
        number = self.new_id()
        self.send(ask(number, line, character, uri, kind))
        return number

    def shut_down(self) -> None:
        self.result("shutdown")
        self.notify("exit")


def frame(message: Message) -> bytes:
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def read_frame(reader: BinaryIO) -> Message | None:
    length = 0
    while True:
        line = reader.readline()
        if not line:
            return None
        if line == b"\r\n":
            break
        name, _, value = line.partition(b":")
        assert name in (b"Content-Length", b"Content-Type"), f"the server sent {line!r}"
        if name == b"Content-Length":
            length = int(value)
    message: Message = json.loads(reader.read(length))
    return message


def notification(method: str, params: Any = None) -> Message:
    return {"method": method} if params is None else {"method": method, "params": params}


def did_open(text: str, uri: str = URI, language: str = "python", version: int = 1) -> Message:
    document = {"uri": uri, "languageId": language, "version": version, "text": text}
    return notification("textDocument/didOpen", {"textDocument": document})


def did_change(version: int, *changes: Message, uri: str = URI) -> Message:
    return notification(
        "textDocument/didChange",
        {"textDocument": {"uri": uri, "version": version}, "contentChanges": list(changes)},
    )


def did_close(uri: str = URI) -> Message:
    return notification("textDocument/didClose", {"textDocument": {"uri": uri}})


def cancel(number: Any) -> Message:
    return notification("$/cancelRequest", {"id": number})


def replace(start: tuple[int, int], end: tuple[int, int], text: str) -> Message:
    return {"range": span(start, end), "text": text}


def span(start: tuple[int, int], end: tuple[int, int]) -> Message:
    return {
        "start": {"line": start[0], "character": start[1]},
        "end": {"line": end[0], "character": end[1]},
    }


def completion_params(line: int, character: int, uri: str = URI, kind: int = 2) -> Message:
    return {
        "textDocument": {"uri": uri},
        "position": {"line": line, "character": character},
        "context": {"triggerKind": kind},
    }


def ask(number: Any, line: int, character: int, uri: str = URI, kind: int = 2) -> Message:
    return {
        "id": number,
        "method": "textDocument/inlineCompletion",
        "params": completion_params(line, character, uri, kind),
    }


def texts(result: Any) -> list[str]:
    """Returns the texts that the items of a result would insert."""
    return [item["insertText"] for item in result["items"]]


def start_stdio(command: Sequence[str], **options: Any) -> tuple[subprocess.Popen[bytes], Wire]:
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)
    assert process.stdin is not None and process.stdout is not None
    return process, Wire(process.stdout, process.stdin)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def connect(port: int, token_file: Path | None = None) -> tuple[socket.socket, Wire]:
    """Connect to a server that may still be starting, and show it its token if it has one."""
    client = connect_socket(("127.0.0.1", port))
    if token_file is not None and token_file.exists():
        client.sendall(authorization(token_file))
    return client, wire_of(client)


def wire_of(client: socket.socket) -> Wire:
    return Wire(client.makefile("rb"), client.makefile("wb"))


def authorization(token_file: Path) -> bytes:
    """The first line of a connection to a shared server on TCP."""
    return b"Authorization: Bearer %b\r\n" % token_file.read_bytes()


def connect_socket(address: tuple[str, int] | Path) -> socket.socket:
    """Connect to a server that may still be starting, at a port or a path."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        is_path = isinstance(address, Path)
        client = socket.socket(socket.AF_UNIX if is_path else socket.AF_INET)
        client.settimeout(TIMEOUT_SECONDS)
        try:
            client.connect(str(address) if is_path else address)
        except (ConnectionRefusedError, FileNotFoundError):
            client.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return client


def send_while_taken(descriptor: int, data: bytes) -> int:
    """Write until nothing is taken for some seconds; gives the number of bytes that were."""
    os.set_blocking(descriptor, False)
    sent = 0
    while sent < len(data) and select.select([], [descriptor], [], NOTHING_TAKEN_SECONDS)[1]:
        sent += os.write(descriptor, data[sent : sent + 65_536])
    return sent


def wait_for_log(read_log: Callable[[], str], text: str) -> None:
    """Returns when a server's log contains a text."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while text not in read_log():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the log does not say {text!r}; it says:\n{read_log()}")
        time.sleep(0.02)
