"""A minimal editor: starts the real server as a process and speaks JSON-RPC over its pipes."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any


class Editor:
    """A client of one server process, as a context manager."""

    def __init__(
        self,
        settings: dict[str, Any] | None = None,
        options: Sequence[str] = ("--log-level", "error"),
        environment: Mapping[str, str] | None = None,
        root: Path | None = None,
    ) -> None:
        self._root = root
        self._ids = itertools.count(1)
        self._settings = settings or {}
        self.statuses: list[tuple[float, dict[str, Any]]] = []
        """Each fimLsp/status, and when it came."""
        # An installed package has its modules compiled.
        environment = {**os.environ, **(environment or {}), "PYTHONDONTWRITEBYTECODE": ""}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fim_lsp", "serve", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )

    def __enter__(self) -> Editor:
        self.request(
            "initialize",
            {
                "processId": None,
                "rootUri": None if self._root is None else self._root.as_uri(),
                "capabilities": {"general": {"positionEncodings": ["utf-32"]}},
                "initializationOptions": self._settings,
            },
        )
        self.notify("initialized", {})
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.request("shutdown", None)
            self.notify("exit", None)
        self.process.wait(timeout=10)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    def open(self, uri: str, text: str, language: str = "python") -> None:
        """Sends textDocument/didOpen."""
        document = {"uri": uri, "languageId": language, "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": document})

    def type(self, uri: str, version: int, line: int, character: int, text: str) -> None:
        """Sends textDocument/didChange: an insertion."""
        self.replace(uri, version, (line, character), (line, character), text)

    def replace(
        self, uri: str, version: int, start: tuple[int, int], end: tuple[int, int], text: str
    ) -> None:
        """Sends textDocument/didChange: a text in the place of another."""
        first, last = ({"line": line, "character": character} for line, character in (start, end))
        change = {"range": {"start": first, "end": last}, "text": text}
        self.notify(
            "textDocument/didChange",
            {"textDocument": {"uri": uri, "version": version}, "contentChanges": [change]},
        )

    def complete(
        self, uri: str, line: int, character: int, trigger: int = 2
    ) -> list[dict[str, Any]]:
        """Sends textDocument/inlineCompletion; returns the items."""
        answer = self.request(
            "textDocument/inlineCompletion",
            {
                "textDocument": {"uri": uri},
                "position": {"line": line, "character": character},
                "context": {"triggerKind": trigger},
            },
        )
        return list(answer["items"]) if answer else []

    def wait_until_ready(self) -> None:
        """Reads messages until fimLsp/status says that the model is loaded."""
        self.wait_for_status(lambda status: status["state"] == "ready")

    def wait_for_status(self, is_meant: Callable[[dict[str, Any]], bool]) -> None:
        """Reads messages until the last fimLsp/status is one that is meant."""
        while not (self.statuses and is_meant(self.statuses[-1][1])):
            self._receive()

    def request(self, method: str, params: Any) -> Any:
        """Sends a request and waits for its answer; the server's own requests are answered null."""
        id_ = next(self._ids)
        self._send({"id": id_, "method": method, "params": params})
        while True:
            message = self._receive()
            if message.get("id") == id_ and "method" not in message:
                if "error" in message:
                    raise RuntimeError(message["error"])
                return message["result"]

    def notify(self, method: str, params: Any) -> None:
        """Sends a notification."""
        self._send({"method": method, "params": params})

    def memory_mb(self, kind: str = "VmHWM") -> float:
        """Returns the resident set of the server (Linux), 10^6 bytes: VmHWM, the largest so far, or
        VmRSS.
        """
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(kind):
                return int(line.split()[1]) * 1024 / 1e6
        return 0.0

    def cpu_seconds(self) -> float:
        """Returns the processor time of the server so far (Linux)."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text()
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self.process.stdin is not None
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        length = 0
        while (line := self.process.stdout.readline()) != b"\r\n":
            if not line:
                raise RuntimeError("the server has gone")
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        message: dict[str, Any] = json.loads(self.process.stdout.read(length))
        if "method" in message:
            if message["method"] == "fimLsp/status":
                self.statuses.append((time.perf_counter(), message["params"]))
            if "id" in message:
                self._send({"id": message["id"], "result": None})
        return message
