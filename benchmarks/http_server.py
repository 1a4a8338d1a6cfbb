"""Measures the HTTP server with the embedded model: rate, end of abandoned work, added time.

    python -m benchmarks.http_server [--seconds N] [--requests N]

* Requests a second with 1, 8 and 64 clients at once, each at a place of its own.
* Milliseconds from a closed connection to an idle engine, in the middle of a long answer.
* Milliseconds that the server adds: a request over HTTP less the engine called directly with ids of
  the same number for as many tokens, in turns; and a request to an engine that costs nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import random
import socket
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks import record
from fim_lsp.commands.serve import SWITCH_SECONDS
from fim_lsp.http.server import HttpService
from fim_lsp.model_host.host import ModelHost
from fim_lsp.model_host.loader import load_model
from fim_lsp.model_offers.manager import ModelManager
from fim_lsp.settings import Settings
from model_runtime.engines.protocol import SamplingParams
from model_runtime.engines.scripted import ScriptedEngine
from model_runtime.prompt.encoder import MAX_REREAD_TOKENS, Hole, PromptBudget, PromptRequest
from model_runtime.served_model import ServedModel

CLIENTS = (1, 8, 64)
_SETTINGS = Settings(eagerness=1.0, model="default", time_limit_ms=0)
_TOKENS = 16
_SOURCE = (Path(__file__).parent / "replay_set" / "others" / "tinydb_operations.py").read_text(
    "utf-8"
)


@dataclass
class Running:
    """A server in a thread of this process."""

    port: int
    model: ServedModel
    host: ModelHost
    loop: asyncio.AbstractEventLoop


@contextmanager
def serving(model: ServedModel) -> Iterator[Running]:
    """Serves a model that is loaded."""
    made: list[Running] = []
    stop: list[asyncio.Event] = []
    is_ready = threading.Event()

    async def serve() -> None:
        host = ModelHost(lambda _: model)
        await host.ready(_SETTINGS)
        service = HttpService(["127.0.0.1"], 0, _SETTINGS)
        stop.append(asyncio.Event())
        async with service.serve(host, ModelManager(host)):
            loop = asyncio.get_running_loop()
            made.append(Running(service.ports[0], model, host, loop))
            is_ready.set()
            await stop[0].wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    is_ready.wait()
    try:
        yield made[0]
    finally:
        made[0].loop.call_soon_threadsafe(stop[0].set)
        thread.join()


_numbers = count()


def hole() -> Hole:
    """Returns a place that no cache knows; all are of the same length."""
    lines = _SOURCE.splitlines(keepends=True)
    place = len(lines) // 2
    head = f"# {next(_numbers):08d}\n"
    return Hole(head + "".join(lines[:place]) + "    ", "\n" + "".join(lines[place:]))


def body(place: Hole, **more: object) -> bytes:
    sent = {"input_prefix": place.prefix, "input_suffix": place.suffix, "n_predict": _TOKENS}
    return json.dumps({**sent, **more}).encode()


def post(connection: http.client.HTTPConnection, content: bytes) -> dict[str, Any]:
    connection.request("POST", "/infill", content, {"Content-Type": "application/json"})
    answer: dict[str, Any] = json.loads(connection.getresponse().read())
    return answer


def rate(running: Running, clients: int, seconds: float) -> dict[str, float]:
    """Returns requests a second, and what one of them takes."""
    took: list[float] = []
    end = time.perf_counter() + seconds

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", running.port)
        while (begun := time.perf_counter()) < end:
            post(connection, body(hole()))
            took.append((time.perf_counter() - begun) * 1e3)
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {
        "requests_per_second": round(len(took) / (time.perf_counter() - begun), 1),
        **percentiles(took, "ms"),
    }


class Busy:
    """The engine as the host sees it."""

    def __init__(self, running: Running) -> None:
        self.busy, self.idle = threading.Event(), threading.Event()
        running.loop.call_soon_threadsafe(running.host.subscribe, self._follow)

    def _follow(self, status: Any) -> None:
        is_busy = status.state == "busy"
        (self.busy if is_busy else self.idle).set()
        (self.idle if is_busy else self.busy).clear()


def until_idle(running: Running, times: int) -> dict[str, float]:
    """Returns the milliseconds from a closed connection to an engine that nobody uses.

    The client leaves at a random moment of the first 30 ms, in which the prompt is read or text is
    written.
    """
    took: list[float] = []
    engine = Busy(running)
    while len(took) < times:
        content = body(hole(), n_predict=512)
        client = socket.create_connection(("127.0.0.1", running.port))
        head = f"POST /infill HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(content)}\r\n"
        client.sendall(f"{head}Content-Type: application/json\r\n\r\n".encode() + content)
        engine.busy.wait()
        time.sleep(random.uniform(0, 0.03))
        begun, was_busy = time.perf_counter(), engine.busy.is_set()
        client.close()
        engine.idle.wait()
        if was_busy:
            took.append((time.perf_counter() - begun) * 1e3)
    return percentiles(took, "ms")


def added(running: Running, times: int) -> dict[str, dict[str, float]]:
    """Returns the milliseconds that HTTP and the layer add to the engine's own, in turns.

    The engine against itself tells how much of that is chance.
    """
    connection = http.client.HTTPConnection("127.0.0.1", running.port)
    differences: list[float] = []
    by_chance: list[float] = []
    for _ in range(times):
        begun = time.perf_counter()
        tokens = max(1, post(connection, body(hole()))["tokens_predicted"])
        over_http = (time.perf_counter() - begun) * 1e3
        first, second = directly(running.model, tokens), directly(running.model, tokens)
        differences.append(over_http - first)
        by_chance.append(second - first)
    connection.close()
    return {
        "over_http": percentiles(differences, "ms"),
        "against_itself": percentiles(by_chance, "ms"),
    }


def directly(model: ServedModel, tokens: int) -> float:
    """Returns the milliseconds in which the engine reads a new place and writes some tokens."""
    budget = PromptBudget(_SETTINGS.context_tokens, reread_tokens=MAX_REREAD_TOKENS)
    prompt = model.encoder.prompt(PromptRequest(hole()), budget)
    forced = model.tokenizer.forced(prompt.forced_text) if prompt.forced_text else None
    begun = time.perf_counter()
    with model.engine.generate(
        prompt.ids, SamplingParams(tokens, frozenset()), forced=forced
    ) as stream:
        for _ in stream:
            pass
    return (time.perf_counter() - begun) * 1e3


def alone(model: ServedModel, times: int) -> dict[str, float]:
    """Returns the milliseconds of a request where the engine costs nothing."""
    answer = [*model.tokenizer.encode("value = first + second"), model.encoder.format.end]
    free = replace(model, engine=ScriptedEngine(answer, context_length=1024))
    took: list[float] = []
    with serving(free) as running:
        connection = http.client.HTTPConnection("127.0.0.1", running.port)
        for _ in range(times):
            content = body(hole())
            begun = time.perf_counter()
            post(connection, content)
            took.append((time.perf_counter() - begun) * 1e3)
        connection.close()
    return percentiles(took[5:], "ms")


def percentiles(values: list[float], unit: str) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=20)
    return {
        f"p50_{unit}": round(statistics.median(values), 2),
        f"p95_{unit}": round(cuts[-1], 2),
        "runs": len(values),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8, help="of each number of clients")
    parser.add_argument("--requests", type=int, default=100, help="of each other figure")
    args = parser.parse_args()
    sys.setswitchinterval(SWITCH_SECONDS)
    model = load_model(_SETTINGS)
    figures: dict[str, Any] = {"model": model.name, "engine": model.engine.name}
    with serving(model) as running:
        rate(running, 1, 1)  # warm
        figures["clients"] = {
            str(clients): rate(running, clients, args.seconds) for clients in CLIENTS
        }
        figures["closed_connection_to_idle"] = until_idle(running, args.requests // 2)
        figures["added_to_the_engine"] = added(running, args.requests)
    figures["request_to_a_free_engine"] = alone(model, args.requests)
    for name, values in figures.items():
        print(f"{name}: {values}")
    command = f"python -m benchmarks.http_server --seconds {args.seconds:g}"
    record.write("http_server", figures, f"{command} --requests {args.requests}")


if __name__ == "__main__":
    main()
