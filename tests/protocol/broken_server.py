"""A small server that suggests nothing, does that properly, and gets one thing wrong when asked to.

    python tests/protocol/broken_server.py [--fault NAME] [--tcp HOST:PORT]

`test_harness.py` proves with it that the suite fails where it should.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Callable
from typing import Any

from fim_lsp.lsp.framing import read_message

FAULTS = (
    "inline completion is not offered",
    "counts in utf-8 whatever the client takes",
    "prints to standard output",
    "wrong parameters get no answer",
    "unknown requests get null",
    "a traceback in the error",
    "dies of rubbish",
    "null for a place beyond the text",
    "serves before initialize",
    "serves after shutdown",
    "leaves with 0 without shutdown",
    "goes on when the input has ended",
)
NOT_INITIALIZED, INVALID_REQUEST, NO_METHOD, INVALID_PARAMS = -32002, -32600, -32601, -32602


class Refused(Exception):
    """Carries the error's code."""


class Conversation:
    """One client."""

    def __init__(self, write: Callable[[bytes], object], fault: str) -> None:
        self._write, self._fault = write, fault
        self._state = "new"
        self.exit_code: int | None = None

    def receive(self, body: bytes) -> None:
        try:
            message = json.loads(body)
        except (ValueError, RecursionError):
            if self._fault == "dies of rubbish":
                raise
            return
        if not isinstance(message, dict):
            return
        number, method = message.get("id"), message.get("method")
        if "method" not in message or ("id" in message and not isinstance(number, str | int)):
            return
        try:
            result = self._handle(method, message)
        except Refused as refusal:
            error = {"code": refusal.args[0], "message": str(refusal.args[1])}
            if self._fault == "a traceback in the error":
                error["data"] = {"traceback": [f"File {__file__}"]}
            if "id" in message:
                self._answer({"id": number, "error": error})
        else:
            if "id" in message and result is not NOTHING:
                self._answer({"id": number, "result": result})

    def _answer(self, answer: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **answer}).encode()
        if self._fault == "prints to standard output":
            self._write(b"loading weights...\n")
        self._write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    def _handle(self, method: Any, message: dict[str, Any]) -> Any:
        params = message.get("params")
        if method == "exit":
            without = 0 if self._fault == "leaves with 0 without shutdown" else 1
            self.exit_code = 0 if self._state == "shut down" else without
            return None
        if message.get("jsonrpc") != "2.0" or not isinstance(method, str):
            raise Refused(INVALID_REQUEST, "not JSON-RPC 2.0")
        if self._state == "new" and method != "initialize":
            if self._fault != "serves before initialize":
                raise Refused(NOT_INITIALIZED, "initialize comes first")
        elif self._state == "shut down":
            if method == "textDocument/inlineCompletion":
                return None
            if self._fault != "serves after shutdown":
                raise Refused(INVALID_REQUEST, "shut down")
        elif method == "initialize" and self._state != "new":
            raise Refused(INVALID_REQUEST, "initialized already")
        if method == "initialize":
            self._state = "serving"
            return {"capabilities": self._capabilities(params if isinstance(params, dict) else {})}
        if method == "shutdown":
            self._state = "shut down"
            return None
        if method == "textDocument/inlineCompletion":
            return self._complete(params)
        if method == "workspace/executeCommand":
            raise Refused(INVALID_PARAMS, "message.params.command: there is no command")
        if "id" in message and self._fault != "unknown requests get null":
            raise Refused(NO_METHOD, f"no method {method}")
        return None

    def _capabilities(self, params: dict[str, Any]) -> dict[str, Any]:
        general = params.get("capabilities", {}).get("general", {})
        offered = general.get("positionEncodings") or ["utf-16"]
        encoding = "utf-8" if self._fault.startswith("counts in utf-8") else offered[0]
        capabilities: dict[str, Any] = {
            "positionEncoding": encoding,
            "textDocumentSync": {"openClose": True, "change": 2},
            "inlineCompletionProvider": {},
        }
        if self._fault == "inline completion is not offered":
            del capabilities["inlineCompletionProvider"]
        return capabilities

    def _complete(self, params: Any) -> Any:
        given = params if isinstance(params, dict) else None
        problem = "params" if given is None else ""
        for name in ("textDocument", "position", "context"):
            if given is not None and not isinstance(given.get(name), dict):
                problem = problem or name
        if given is not None and not problem:
            place = given["position"]
            for value in (place.get("line"), place.get("character")):
                if not isinstance(value, int) or value < 0:
                    problem = "position"
            if given["context"].get("triggerKind") not in (1, 2):
                problem = problem or "triggerKind"
        if problem:
            if self._fault == "wrong parameters get no answer":
                return NOTHING
            raise Refused(INVALID_PARAMS, f"message.params.{problem}: does not fit")
        assert given is not None
        if self._fault == "null for a place beyond the text" and given["position"]["line"] > 1000:
            return None
        return {"items": []}


NOTHING = object()


async def converse(reader: asyncio.StreamReader, conversation: Conversation) -> int:
    while conversation.exit_code is None:
        body = await read_message(reader)
        if body is None:
            while conversation._fault == "goes on when the input has ended":
                await asyncio.sleep(60)
            return 0
        conversation.receive(body)
    return conversation.exit_code


async def over_stdio(fault: str) -> int:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

    def write(data: bytes) -> None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    try:
        return await converse(reader, Conversation(write, fault))
    except BrokenPipeError:
        return 0


async def over_tcp(fault: str, host: str, port: int) -> int:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await converse(reader, Conversation(writer.write, fault))
        finally:
            writer.close()

    server = await asyncio.start_server(serve, host, port)
    await server.serve_forever()
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fault", choices=FAULTS, default="")
    parser.add_argument("--tcp", metavar="HOST:PORT")
    args = parser.parse_args()
    if args.tcp:
        host, _, port = args.tcp.rpartition(":")
        return asyncio.run(over_tcp(args.fault, host, int(port)))
    return asyncio.run(over_stdio(args.fault))


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)
