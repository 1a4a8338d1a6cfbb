"""Lets many simulated typists write at once, with one llama-server behind all of them.

    python -m benchmarks.team [--typists 50] [--groups 5] [--keys 60]

The typists of a group share a fim-lsp, as editors on one machine do; all groups share one
llama-server with the embedded model.  Each types a document of benchmarks/traces.py with the pauses
of a human, and asks after each key.  Milliseconds are from the key to a suggestion, with the wait
for further keys.  A key that is due before the answer has come waits for it and is counted as late,
so that no slow answer is missing from the figures.  Server, layers and typists share one machine.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks import record
from benchmarks.traces import Trace, traces
from model_runtime.store import installed
from tests.support.llama_cpp import Program, gguf_of
from tests.support.llama_server import LlamaServer
from tests.support.wire import Wire, connect, did_change, free_port, replace

_SLOTS = 8
_SETTINGS = {"eagerness": 1, "learnFromUse": False, "projectMemory": False}


class Typist:
    """Writes one document through one connection."""

    def __init__(self, wire: Wire, trace: Trace, number: int) -> None:
        self._wire, self._trace = wire, trace
        self._uri = f"file:///project/typist{number}/{trace.path.name}"
        self._begins_after = random.Random(number).uniform(0, 3)
        self.took_ms: list[float] = []
        self.late = self.silent = 0
        self.read: list[int] = []
        self.cached: list[int] = []

    def type(self) -> None:
        """Types all keys."""
        trace = self._trace
        text = f"{trace.before}# {self._uri}\n"  # no two have the same text
        self._wire.open(text + trace.after, self._uri, trace.language)
        time.sleep(self._begins_after)
        line, character = text.count("\n"), 0
        for version, key in enumerate(trace.keys, 2):
            place = (line, character)
            self._wire.send(did_change(version, replace(place, place, key.text), uri=self._uri))
            line += key.text.count("\n")
            character = len((" " * character + key.text).rpartition("\n")[2])
            self._ask(line, character, key.pause_ms / 1e3)
        for told in self._wire.traces(uri=self._uri, limit=50):
            if "cachedTokens" in told:
                self.cached.append(told["cachedTokens"])
                self.read.append(told["promptTokens"] - told["cachedTokens"])

    def _ask(self, line: int, character: int, pause_seconds: float) -> None:
        begun = time.perf_counter()
        result = self._wire.complete(line, character, self._uri, kind=2)
        took = time.perf_counter() - begun
        self.late += took > pause_seconds
        if result and result["items"]:
            self.took_ms.append(took * 1e3)
        else:
            self.silent += 1
        time.sleep(max(0.0, pause_seconds - took))


@contextmanager
def group(endpoint: str, folder: Path) -> Iterator[tuple[int, Path]]:
    """Starts a fim-lsp that several editors share; gives its port and the file of its token."""
    port = free_port()
    command = [sys.executable, "-m", "fim_lsp", "serve", "--tcp", f"127.0.0.1:{port}"]
    command += ["--model", "default", "--engine", "llama-server", "--endpoint", endpoint]
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(folder)}
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield port, folder / "fim-lsp" / f"tcp-{port}.token"
    finally:
        process.terminate()
        process.wait()


def measure(endpoint: str, typists: int, groups: int, keys: int) -> dict[str, Any]:
    """Returns the figures of so many typists."""
    documents = traces(keys)
    everyone: list[Typist] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ports = [stack.enter_context(group(endpoint, folder)) for _ in range(groups)]
        for number in range(typists):
            client, wire = connect(*ports[number % groups])
            stack.callback(client.close)
            wire.initialize(initializationOptions=_SETTINGS)
            wire.notification("fimLsp/status", state="ready")
            everyone.append(Typist(wire, documents[number % len(documents)], number))
        threads = [threading.Thread(target=typist.type) for typist in everyone]
        begun = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - begun
    return figures(everyone, seconds, typists * keys)


def figures(everyone: list[Typist], seconds: float, keys: int) -> dict[str, Any]:
    took = [ms for typist in everyone for ms in typist.took_ms]
    medians = [statistics.median(typist.took_ms) for typist in everyone if typist.took_ms]
    asked = [read for typist in everyone for read in typist.read]
    cached = [number for typist in everyone for number in typist.cached]
    return {
        "p50_ms": round(statistics.median(took)),
        "p95_ms": round(statistics.quantiles(took, n=20)[-1]),
        "worst_typist_over_median": round(max(medians) / statistics.median(medians), 2),
        "typists_with_suggestions": len(medians),
        "suggestions": len(took),
        "silent": sum(typist.silent for typist in everyone),
        "late": sum(typist.late for typist in everyone),
        "keys": keys,
        "seconds": round(seconds, 1),
        "sampled_requests": len(asked),
        "ids_read_mean": round(statistics.mean(asked), 1) if asked else None,
        "share_from_cache": round(sum(cached) / (sum(cached) + sum(asked)), 3) if asked else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--typists", type=int, default=50)
    parser.add_argument("--groups", type=int, default=5)
    parser.add_argument("--keys", type=int, default=60)
    args = parser.parse_args()
    bundle = installed.find("default")
    context = bundle.manifest.context_length
    server = LlamaServer(gguf_of(bundle, "q8_0"), context=context, slots=_SLOTS)
    server.start()
    try:
        server.wait_until_loaded()
        told = measure(server.url, args.typists, args.groups, args.keys)
    finally:
        server.stop()
    values = {"server": Program.find().name, "slots": _SLOTS, "groups": args.groups, **told}
    for name, value in values.items():
        print(f"{name}: {value}")
    command = f"python -m benchmarks.team --typists {args.typists} --groups {args.groups}"
    record.write("team", values, f"{command} --keys {args.keys}")


if __name__ == "__main__":
    main()
