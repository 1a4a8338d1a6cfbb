"""An editor: the language server on pipes, with an engine that is a server."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from tests.support.server_process import ModelServer
from tests.support.wire import TIMEOUT_SECONDS, Wire, start_stdio

ROOT = Path(__file__).parents[2]
SETTINGS = {
    "eagerness": 1,
    "timeLimitMs": 0,
    "candidates": 1,
    "debounceMs": 0,
    "learnFromUse": False,
    "projectMemory": False,
}
"""Whatever the model writes is shown, and nothing but the model answers."""
FUNCTIONS = "".join(f"def add_{i}(a, b):\n    return a + b + {i}\n\n\n" for i in range(30))
LONG = {"maxNewTokens": 500, "contextTokens": 500, "multiline": "always"}
"""Settings with which an answer takes long."""


@contextmanager
def editing(model: str, **settings: Any) -> Iterator[Wire]:
    """Starts the language server as an editor does, and ends it behind the block."""
    with started(model, **settings) as (_, wire):
        yield wire


@contextmanager
def started(model: str, **settings: Any) -> Iterator[tuple[subprocess.Popen[bytes], Wire]]:
    """Does what `editing` does, and gives the process as well."""
    command = [sys.executable, "-m", "fim_lsp", "serve"]
    with TemporaryFile() as log:
        process, wire = start_stdio(command, env=dict(os.environ), cwd=ROOT, stderr=log)
        try:
            wire.initialize(initializationOptions={**SETTINGS, "model": model, **settings})
            yield process, wire
        finally:
            process.kill()
            process.wait()
            wire.close()


def through(engine: str, server: ModelServer, **more: Any) -> dict[str, Any]:
    """Returns the settings of an editor whose model runs at a server."""
    return {"engine": engine, "endpoint": server.url, **more}


def suggestion(wire: Wire, text: str, uri: str = "file:///project/x.py") -> str:
    """Returns what is suggested where ^ stands in a text; empty where nothing is."""
    before, after = text.split("^")
    wire.open(before + after, uri)
    line, character = before.count("\n"), len(before) - before.rfind("\n") - 1
    result = wire.complete(line, character, uri, kind=1)
    wire.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    return result["items"][0]["insertText"] if result and result["items"] else ""


def wait_until_suggested(wire: Wire, text: str) -> str:
    """Returns what is suggested in the end, however often that has to be asked for."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not (found := suggestion(wire, text)):
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing is suggested: {wire.traces(limit=1)}")
        time.sleep(0.1)
    return found
