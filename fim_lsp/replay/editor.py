"""Starts the real server as a process, with the little of an editor that typing needs.

Positions are asked for in utf-32, so that a character of LSP is a code point.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from fim_lsp.errors import FimLspError
from model_runtime.store.names import is_path

COMMAND = (sys.executable, "-m", "fim_lsp", "serve", "--log-level", "error",
           "--log-file", os.devnull)  # fmt: skip
"""Command that starts the server."""

_TIMEOUT_SECONDS = 120.0
"""Time for one answer; a slow model on a busy machine is slow, not gone."""

_MAX_OPEN = 8
"""Documents that stay open."""

Message = dict[str, Any]


class Editor:
    """One client of one server process; an asynchronous context manager."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        root: Path,
        command: tuple[str, ...],
        *,
        stderr: int | None = None,
    ) -> None:
        """Notes what to start; entering the context does it.

        Args:
            settings: those that the server is told.
            root: the only folder of the workspace.
            command: starts the server.
            stderr: where the server's errors go, as `subprocess` has it; None for the caller's.
        """
        self._stderr = stderr
        self._settings, self._root, self._command = dict(settings), root, command
        model = self._settings.get("model")
        if isinstance(model, str) and is_path(model):  # the server runs in another folder
            self._settings["model"] = os.path.abspath(os.path.expanduser(model))
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._version = 0
        self._open: list[str] = []
        self.status: Message = {}
        """Parameters of the last `fimLsp/status`."""
        self.warnings: list[str] = []
        """Messages that an editor would have shown in a window."""
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Editor:
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            # Not the folder that is replayed: Python would import from there first.
            cwd=Path(__file__).parents[2],
            stderr=self._stderr,
        )
        self._reading = asyncio.ensure_future(self._read())
        try:
            await self._start()
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            with contextlib.suppress(FimLspError):
                await self.request("shutdown", None)
                self.notify("exit", None)
        await self._end()

    def cpu_seconds(self) -> float | None:
        """Returns the processor time of the server so far; None where it is not known."""
        try:
            stat = Path(f"/proc/{self._process.pid}/stat").read_text()
        except OSError:
            return None
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    # Documents

    def open(self, uri: str, language: str, text: str) -> None:
        """Opens a document; the last few stay open, as with a person."""
        if uri in self._open:
            self.close(uri)
        elif len(self._open) == _MAX_OPEN:
            self.close(self._open[0])
        self._open.append(uri)
        self._version = 1
        document = {"uri": uri, "languageId": language, "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": document})

    def close(self, uri: str) -> None:
        """Closes a document."""
        self._open.remove(uri)
        self.notify("textDocument/didClose", {"textDocument": {"uri": uri}})

    def change(self, uri: str, start: Message, end: Message, text: str) -> None:
        """Replaces a part of a document."""
        self._version += 1
        change = {"range": {"start": start, "end": end}, "text": text}
        document = {"uri": uri, "version": self._version}
        self.notify(
            "textDocument/didChange", {"textDocument": document, "contentChanges": [change]}
        )

    def ask(self, uri: str, position: Message) -> asyncio.Future[Any]:
        """Asks for an inline completion as typing does; the result comes later."""
        return self._ask(
            "textDocument/inlineCompletion",
            {
                "textDocument": {"uri": uri},
                "position": position,
                "context": {"triggerKind": 2},
            },
        )

    def accepted(self, item: Message) -> asyncio.Future[Any]:
        """Runs the item's command, as editors do after an acceptance."""
        command = item["command"]
        return self._ask(
            "workspace/executeCommand",
            {"command": command["command"], "arguments": command["arguments"]},
        )

    # Messages

    async def request(self, method: str, params: Any) -> Any:
        """Sends a request, and returns its result.

        Raises:
            FimLspError: an error came back, or nothing.
        """
        return await asyncio.wait_for(self._ask(method, params), _TIMEOUT_SECONDS)

    def notify(self, method: str, params: Any) -> None:
        """Sends a notification."""
        self._send({"method": method, "params": params})

    def _ask(self, method: str, params: Any) -> asyncio.Future[Any]:
        number = next(self._ids)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._answers[number] = future
        # An answer that comes too late to matter may fail without anyone to hear of it.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        if self._reading.done():
            future.set_exception(FimLspError("the server ended; run `fim-lsp doctor`"))
        else:
            self._send({"id": number, "method": method, "params": params})
        return future

    async def _start(self) -> None:
        capabilities = {
            "general": {"positionEncodings": ["utf-32"]},
            "textDocument": {"inlineCompletion": {"dynamicRegistration": False}},
        }
        await self.request(
            "initialize",
            {
                "processId": None,
                "clientInfo": {"name": "fim-lsp"},
                "rootUri": self._root.as_uri(),
                "capabilities": capabilities,
                "initializationOptions": self._settings,
            },
        )
        self.notify("initialized", {})
        await self._until(lambda: self.status.get("state") in ("ready", "error"))
        if self.status["state"] == "error":
            raise FimLspError(self.status["message"])

    async def until_indexed(self) -> None:
        """Waits until the server has looked through the workspace."""
        await self._until(lambda: "indexedFiles" in self.status)

    async def _until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            self._changed.clear()
            await asyncio.wait_for(self._changed.wait(), _TIMEOUT_SECONDS)

    async def _end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), 10)
        except asyncio.TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._reading

    def _send(self, message: Message) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    async def _read(self) -> None:
        assert self._process.stdout is not None
        try:
            while True:
                header = await self._process.stdout.readuntil(b"\r\n\r\n")
                length = next(
                    int(line.partition(b":")[2])
                    for line in header.split(b"\r\n")
                    if line.lower().startswith(b"content-length")
                )
                self._take(json.loads(await self._process.stdout.readexactly(length)))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            for future in self._answers.values():
                if not future.done():
                    future.set_exception(FimLspError("the server ended; run `fim-lsp doctor`"))
            self.status = {"state": "error", "message": "the server ended; run `fim-lsp doctor`"}
            self._changed.set()

    def _take(self, message: Message) -> None:
        method = message.get("method")
        if method == "fimLsp/status":
            self.status = message["params"]
            self._changed.set()
        elif method == "window/showMessage":
            self.warnings.append(message["params"]["message"])
        elif method is not None and "id" in message:
            self._send({"id": message["id"], "result": None})
        elif method is None:
            future = self._answers.pop(message["id"], None)
            if future is None or future.done():
                return
            if "error" in message:
                future.set_exception(FimLspError(message["error"]["message"]))
            else:
                future.set_result(message["result"])
