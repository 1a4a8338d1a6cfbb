"""Measures how long the server hears nothing while somebody types in a huge document.

    python -m benchmarks.huge_documents [--keys N]

Beside the keys and their requests another request (`fimLsp/explain`) is asked over and over: its
slowest answer is the longest time for which the event loop was held, plus its own work and two
trips through a pipe, which the small document shows.

`opening_ms` is more than that: this client's own encoding of the text and its way through the pipe
are in it, so it bounds what opening holds the server for, and does not measure it.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from pathlib import Path
from typing import Any

from benchmarks import record
from fim_lsp.lsp.handlers import EXPLAIN
from fim_lsp.replay.editor import COMMAND, Editor
from model_runtime.prompt.encoder import Hole

DOCUMENTS = {
    "300 lines": Hole("def f(a):\n    return a\n" * 100, "x = f(1)\n" * 100),
    "200,000 lines": Hole("def f(a):\n    return a\n" * 50_000, "x = f(1)\n" * 100_000),
    "one line of 5 MB": Hole("f(a, [b]), " * 450_000, "g(c), " * 10_000),
    "5 MB of half-finished syntax": Hole("if (x { for [ '\n" * 200_000, "} else ) =>\n" * 150_000),
    "5 MB from right to left": Hole("\u05d0 = \u0628(\u202e)\n" * 250_000, "\u05d0\n" * 250_000),
    "5 MB of tabs and spaces": Hole("\t  \t if a:\n \t  b()\n" * 150_000, " \t\n" * 500_000),
}  # fmt: skip
_TYPED = "value = call(first, second)\nif value:\n    return"
_KEY_SECONDS = 0.15


async def measure(editor: Editor, name: str, hole: Hole, keys: int) -> dict[str, Any]:
    """Returns silences while the document is opened and typed in, and the answers that came."""
    text = hole.prefix + hole.suffix
    uri = f"file:///{name.replace(' ', '-')}.py"
    line, column = text[: len(hole.prefix)].count("\n"), len(hole.prefix.rpartition("\n")[2])
    opening = asyncio.create_task(_listen(editor, lambda: asyncio.sleep(0.3)))
    await asyncio.sleep(0)
    editor.open(uri, "python", text)
    opened = await opening
    asked = []

    async def type_in() -> None:
        nonlocal line, column
        for key in (_TYPED * keys)[:keys]:
            here = {"line": line, "character": column}
            editor.change(uri, here, here, key)
            line, column = (line + 1, 0) if key == "\n" else (line, column + 1)
            asked.append(editor.ask(uri, {"line": line, "character": column}))
            await asyncio.sleep(_KEY_SECONDS)

    typed = await _listen(editor, type_in)
    await asyncio.wait(asked)
    editor.close(uri)
    return {
        "bytes": len(text.encode()),
        "opening_ms": round(max(opened), 1),
        "typing_ms": {
            "median": round(sorted(typed)[len(typed) // 2], 2),
            "p99": round(sorted(typed)[int(len(typed) * 0.99)], 2),
            "max": round(max(typed), 2),
        },
        "answers": sum(not one.cancelled() and one.exception() is None for one in asked),
        "keys": keys,
    }


async def _listen(editor: Editor, work: Any) -> list[float]:
    """Returns milliseconds to each answer of an easy request, one after the other, while `work`
    goes on.
    """
    task = asyncio.ensure_future(work())
    silences = []
    while not task.done():
        before = time.perf_counter()
        await editor.request(EXPLAIN, None)
        silences.append((time.perf_counter() - before) * 1e3)
        await asyncio.sleep(0.001)
    await task
    return silences


async def run(keys: int) -> dict[str, Any]:
    """Measures all documents, in one server."""
    found = {}
    async with Editor({"threads": 1, "debounceMs": 0}, Path.cwd(), COMMAND) as editor:
        await editor.until_indexed()
        for name, hole in DOCUMENTS.items():
            found[name] = await measure(editor, name, hole, keys)
            print(f"{name}: {found[name]}", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--keys", type=int, default=100)
    keys = parser.parse_args().keys
    figures = {"goal": "typing_ms max <= 20", "documents": asyncio.run(run(keys))}
    record.write("huge_documents", figures, f"python -m benchmarks.huge_documents --keys {keys}")


if __name__ == "__main__":
    main()
