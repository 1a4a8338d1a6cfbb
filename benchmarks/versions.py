"""Two versions of the server, typed into in turns: is the newer one slower or larger?

    python -m benchmarks.versions BEFORE [AFTER] [--rounds 9] [--keys 60] [--engine onnx]

BEFORE and AFTER are checkouts; AFTER is this one where it is left out.  Each round starts both
servers, one after the other in an order that alternates, and types the same keys into each:

    first completion   from the start of the process to its first answer
    key to text        from a key to an answer that has a text, typing in four languages
    fixed costs        of a model's answer: its time less that of reading and writing ids
    silence            longest wait for an answer to a message that the event loop answers by itself
    resident           memory of the process at the end
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks import record
from benchmarks.traces import Trace, traces
from tests.support import wire

ROOT = Path(__file__).parents[1]
_PING_SECONDS = 0.005
_PING = "benchmark/ping"
"""No server knows this request; the event loop says so at once."""


class Server:
    """One version's server on pipes, ready to be typed into."""

    def __init__(self, checkout: Path, settings: dict[str, Any]) -> None:
        self.started = time.perf_counter()
        self.process, self.wire = wire.start_stdio(
            [sys.executable, "-m", "fim_lsp", "serve"],
            cwd=checkout,
            # An installed package has its modules compiled.
            env={**os.environ, "PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": ""},
            stderr=subprocess.DEVNULL,
        )
        self.wire.initialize(initializationOptions=settings)
        self.silence_ms = 0.0
        self.fixed_ms: list[float] = []

    def answer(self, line: int, character: int, uri: str) -> tuple[float, bool]:
        """Returns the milliseconds to the answer, and whether it has a text.

        The event loop is asked something all the while, which tells how long it was silent.
        """
        started = time.perf_counter()
        number = self.wire.start_completion(line, character, uri)
        while True:
            try:
                found = self.wire.response(number, patience=_PING_SECONDS)
                return (time.perf_counter() - started) * 1e3, bool(wire.texts(found.get("result")))
            except TimeoutError:
                asked = time.perf_counter()
                self.wire.request(_PING)
                self.silence_ms = max(self.silence_ms, (time.perf_counter() - asked) * 1e3)

    def note_fixed_costs(self, milliseconds: float) -> None:
        """Notes what of the time of the last answer the engine did not take, if it gave one."""
        (trace,) = self.wire.result("fimLsp/explain", {"limit": 1})["traces"]
        if trace["source"] == "model" and trace.get("newTokens"):
            steps = trace["timingsMs"]
            engine = steps["first token"] + steps["decode"] + steps.get("debounce", 0.0)
            self.fixed_ms.append(milliseconds - engine)

    def resident_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def stop(self) -> None:
        self.wire.shut_down()
        self.wire.close_input()
        self.process.wait(30)
        self.wire.close()


def typed(server: Server, trace: Trace, number: int) -> list[float]:
    """Types the keys of one document; returns the milliseconds of the answers that have a text."""
    uri = f"file:///typed{number}{trace.path.suffix}"
    text = trace.before
    server.wire.open(text + trace.after, uri, trace.language)
    found = []
    for version, key in enumerate(trace.keys, 2):
        line, character = text.count("\n"), len(text.rpartition("\n")[2])
        place = (line, character)
        server.wire.send(wire.did_change(version, wire.replace(place, place, key.text), uri=uri))
        text += key.text
        line, character = text.count("\n"), len(text.rpartition("\n")[2])
        milliseconds, has_text = server.answer(line, character, uri)
        server.note_fixed_costs(milliseconds)
        found += [milliseconds] if has_text else []
    return found


def measured(checkout: Path, keys: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Returns the figures of one run of one version."""
    server = Server(checkout, settings)
    documents = traces(keys)
    server.wire.open(documents[0].before, "file:///first.py")
    server.wire.notification("fimLsp/status", state="ready")
    place = documents[0].before
    server.answer(place.count("\n"), len(place.rpartition("\n")[2]), "file:///first.py")
    first = time.perf_counter() - server.started
    server.silence_ms = 0.0
    texts = [ms for n, trace in enumerate(documents) for ms in typed(server, trace, n)]
    found = {"first_completion_s": first, "texts": texts, "silence_ms": server.silence_ms}
    found["resident_mb"] = server.resident_mb()
    found["fixed_ms"] = statistics.median(server.fixed_ms)
    server.stop()
    return found


def main() -> None:
    """Runs the benchmark and writes results/versions.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path, nargs="?", default=ROOT)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--keys", type=int, default=60, help="of each of the four documents")
    parser.add_argument("--engine", default="onnx")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=JSON", help="another setting"
    )
    args = parser.parse_args()
    others = {name: json.loads(value) for name, _, value in (it.partition("=") for it in args.set)}
    settings = {"engine": args.engine, "threads": 1, "debounceMs": 0, "idleWork": False, **others}
    checkouts = {"before": args.before.resolve(), "after": args.after.resolve()}
    samples: dict[str, dict[str, list[Any]]] = {name: defaultdict(list) for name in checkouts}
    for number in range(args.rounds + 1):
        order = list(checkouts) if number % 2 else list(reversed(checkouts))
        for name in order:
            for key, value in measured(checkouts[name], args.keys, settings).items():
                if number:  # the first round fills the caches
                    samples[name][key].append(value)
    figures = {}
    for name, found in samples.items():
        percentiles = [statistics.quantiles(texts, n=20) for texts in found.pop("texts")]
        figures[name] = {key: record.spread(values) for key, values in found.items()}
        figures[name]["key_to_text_p50_ms"] = record.spread([part[9] for part in percentiles])
        figures[name]["key_to_text_p95_ms"] = record.spread([part[18] for part in percentiles])
        medians = {key: value["median"] for key, value in figures[name].items()}
        print(f"{name:7}", "  ".join(f"{key} {value:g}" for key, value in medians.items()))
    command = f"python -m benchmarks.versions BEFORE --rounds {args.rounds} --keys {args.keys}"
    record.write("versions", figures, command)


if __name__ == "__main__":
    main()
