"""Measures what fim-lsp adds to a llama-server that it stands before.

    python -m benchmarks.http_before_server [--requests N]

One llama-server runs the embedded model with one slot, and `fim-lsp serve --http` uses it as its
engine, in a process of its own.  At each place the same ids are continued by as many tokens three
times in turns: through fim-lsp's /infill, and twice by the server's own /completion; the second of
those against the first tells how much of a difference is chance.  The server has read the ids
before, as it mostly has while somebody types, so that reading them hides nothing.

What is added: HTTP, the prompt, the log-probabilities that fim-lsp asks for, the tokens one by one,
stop rules and filters.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks import record
from benchmarks.traces import traces
from fim_lsp.settings import Settings
from model_runtime.models.bundle import ModelBundle
from model_runtime.prompt.encoder import MAX_REREAD_TOKENS, Hole, PromptBudget, PromptRequest
from model_runtime.store import installed
from tests.support.llama_cpp import LlamaCpp
from tests.support.wire import free_port

_TOKENS = 16
_BETWEEN_SECONDS = 0.02
"""Time in which a server ends what nobody waits for any more."""
_WARM_REQUESTS = 10


@contextmanager
def before(endpoint: str) -> Iterator[http.client.HTTPConnection]:
    """Starts fim-lsp before a server; gives a connection to it."""
    port = free_port()
    command = [sys.executable, "-m", "fim_lsp", "serve", "--http", f"127.0.0.1:{port}"]
    command += ["--model", "default", "--engine", "llama-server", "--endpoint", endpoint]
    process = subprocess.Popen(
        [*command, "--eagerness", "1"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        while not _is_healthy(connection):
            time.sleep(0.1)
        yield connection
    finally:
        connection.close()
        process.terminate()
        process.wait()


def _is_healthy(connection: http.client.HTTPConnection) -> bool:
    try:
        connection.request("GET", "/health")
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        connection.close()
        return False
    return answer.status == 200


def places() -> list[Hole]:
    """Returns the beginnings of lines in documents of four languages."""
    found = []
    for trace in traces(400):
        text = trace.before + "".join(key.text for key in trace.keys)
        ends = [at + 1 for at, character in enumerate(text) if character == "\n"]
        found += [Hole(text[:end], trace.after) for end in ends if end > len(trace.before) - 500]
    return found


def measure(
    facade: http.client.HTTPConnection, server: LlamaCpp, bundle: ModelBundle, requests: int
) -> dict[str, Any]:
    budget = PromptBudget(Settings().context_tokens, reread_tokens=MAX_REREAD_TOKENS)
    added, by_chance, direct, tokens_written = [], [], [], []
    same_length = 0
    for hole in (places() * requests)[: requests + _WARM_REQUESTS]:
        ids = bundle.encoder.prompt(PromptRequest(hole), budget).ids
        server.complete(ids, 1, ignore_end=True)
        time.sleep(_BETWEEN_SECONDS)
        through, told = _through(facade, hole)
        written = told["tokens_predicted"]
        time.sleep(_BETWEEN_SECONDS)
        first, second = (_directly(server, ids, max(1, written)) for _ in range(2))
        if written:
            added.append(through - first)
            by_chance.append(second - first)
            direct.append(first)
            tokens_written.append(written)
            same_length += told["tokens_evaluated"] == len(ids)
    return {
        "added": _percentiles(added[_WARM_REQUESTS:]),
        "server_against_itself": _percentiles(by_chance[_WARM_REQUESTS:]),
        "server_alone": _percentiles(direct[_WARM_REQUESTS:]),
        "tokens_written_mean": round(statistics.mean(tokens_written), 1),
        "share_of_prompts_of_the_same_length": round(same_length / len(added), 3),
    }


def _through(facade: http.client.HTTPConnection, hole: Hole) -> tuple[float, Any]:
    """Asks through fim-lsp; returns the milliseconds and the answer.

    The places are more than its cache of answers holds.
    """
    body = {"input_prefix": hole.prefix, "input_suffix": hole.suffix, "n_predict": _TOKENS}
    content = json.dumps(body).encode()
    begun = time.perf_counter()
    facade.request("POST", "/infill", content, {"Content-Type": "application/json"})
    told = json.loads(facade.getresponse().read())
    return (time.perf_counter() - begun) * 1e3, told


def _directly(server: LlamaCpp, ids: list[int], tokens: int) -> float:
    begun = time.perf_counter()
    server.complete(ids, tokens, ignore_end=True)
    return (time.perf_counter() - begun) * 1e3


def _percentiles(values: list[float]) -> dict[str, float]:
    return {
        "p50_ms": round(statistics.median(values), 2),
        "p95_ms": round(statistics.quantiles(values, n=20)[-1], 2),
        "runs": len(values),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=200)
    args = parser.parse_args()
    bundle = installed.find("default")
    with LlamaCpp.start(bundle, "q8_0", threads=1) as server, before(server.url) as facade:
        figures = {"server": server.program, **measure(facade, server, bundle, args.requests)}
    for name, values in figures.items():
        print(f"{name}: {values}")
    command = f"python -m benchmarks.http_before_server --requests {args.requests}"
    record.write("http_before_server", figures, command)


if __name__ == "__main__":
    main()
