"""The real server on stdin and stdout, with a record of what reached its engine.

    python -m benchmarks.recording_server RECORD

RECORD gets a line of JSON for each request of the engine when it ends: `ids` of the prompt and of
the tokens that spell what is typed, how many of the prompt were `cached`, how many `tokens` came
behind, and whether it was `cancelled`.

The custom request fimLsp/benchmark answers with the longest time since it was asked last in which
the event loop did nothing else: `blockMs`, one callback; with the parameter `beat`, from now on
also the lateness of a timer, which sees the waiting for Python's lock and for a core as well, and
costs a little of both.  `oursMs` is the same without the time in which other programs had the
processor.

Every answer is as long as the rules for the text make it: the model's doubt ends none, which is how
a model would answer that knows the code.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from benchmarks.event_loop import waits_ms
from fim_lsp import cli
from fim_lsp.lsp import handlers, stdio
from fim_lsp.model_host.host import ModelHost
from fim_lsp.model_host.loader import load_model
from fim_lsp.settings import Settings
from model_runtime.engines.protocol import Engine, GeneratedToken, SamplingParams, TokenStream
from model_runtime.models.calibration import table
from model_runtime.prompt.forced_text import ForcedText
from model_runtime.served_model import ServedModel

_BEAT_SECONDS = 0.002
_HARDLY = 1e-12
"""A probability that every line has."""
_ALWAYS_SURE = table([(0, _HARDLY, 0), (1, _HARDLY, 0)])


class RecordingEngine:
    """An engine that writes down what it is asked."""

    def __init__(self, engine: Engine, record: TextIO) -> None:
        self._engine, self._record = engine, record

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def generate(
        self,
        prompt: Sequence[int],
        sampling: SamplingParams,
        cancel: threading.Event | None = None,
        forced: ForcedText | None = None,
    ) -> TokenStream:
        """Implements `Engine.generate`."""
        stream = self._engine.generate(prompt, sampling, cancel, forced)
        tokens = self._tokens(list(prompt), stream, cancel, forced)
        return TokenStream(tokens, cached_tokens=stream.cached_tokens, counts=stream.counts)

    def _tokens(
        self,
        ids: list[int],
        stream: TokenStream,
        cancel: threading.Event | None,
        forced: ForcedText | None,
    ) -> Iterator[GeneratedToken]:
        count = 0
        try:
            with stream:
                for token in stream:
                    forced = forced.after(token.id) if forced and not forced.is_spelled else None
                    if forced is not None and not forced.is_beyond:
                        ids.append(token.id)
                    else:
                        count += 1
                    yield token
        finally:
            is_cancelled = cancel is not None and cancel.is_set()
            line = {
                "ids": ids,
                "cached": stream.cached_tokens,
                "tokens": count,
                "cancelled": is_cancelled,
            }
            print(json.dumps(line), file=self._record, flush=True)


class LoopWatch:
    """The longest block of the running event loop."""

    def __init__(self) -> None:
        self._block, self._ours = 0.0, 0.0
        self._beat: asyncio.TimerHandle | None = None
        run = asyncio.Handle._run

        def timed(handle: asyncio.Handle) -> None:
            begun, busy = time.perf_counter(), time.thread_time()
            run(handle)
            self._block = max(self._block, time.perf_counter() - begun)
            self._ours = max(self._ours, time.thread_time() - busy)

        asyncio.Handle._run = timed  # type: ignore[method-assign]

    def take(self) -> dict[str, float]:
        """The longest since the last call."""
        told = {"blockMs": self._block * 1e3, "oursMs": self._ours * 1e3}
        self._block = self._ours = 0.0
        return told

    def beat(self, wanted: bool) -> None:
        """Watches with a timer from now on, or without."""
        if wanted and self._beat is None:
            self._schedule()
        elif not wanted and self._beat is not None:
            self._beat.cancel()
            self._beat = None

    def _schedule(self) -> None:
        due, waited = time.perf_counter() + _BEAT_SECONDS, waits_ms()

        def beat() -> None:
            late = time.perf_counter() - due
            elsewhere = sum(wait - waited.get(it, 0.0) for it, wait in waits_ms().items()) / 1e3
            self._block, self._ours = max(self._block, late), max(self._ours, late - elsewhere)
            self._schedule()

        self._beat = asyncio.get_running_loop().call_later(_BEAT_SECONDS, beat)


def main() -> None:
    with Path(sys.argv[1]).open("w", encoding="utf-8") as record:
        serve(record)


def serve(record: TextIO) -> None:
    """Serves until the client has gone."""
    watches: list[LoopWatch] = []

    def load(settings: Settings) -> ServedModel:
        model = load_model(settings)
        return replace(
            model, engine=RecordingEngine(model.engine, record), calibration=_ALWAYS_SURE
        )

    def make_host() -> ModelHost:
        host = ModelHost(load)
        watches.append(LoopWatch())
        return host

    new_server = handlers.new_server

    def with_benchmark(*arguments: Any, **others: Any) -> Any:
        server = new_server(*arguments, **others)

        @server.feature("fimLsp/benchmark")
        def benchmark(params: dict[str, Any]) -> dict[str, float]:
            watches[0].beat(bool(params["beat"]))
            return watches[0].take()

        return server

    stdio.new_server = with_benchmark
    serve_stdio = stdio.serve_stdio
    stdio.serve_stdio = lambda *_: serve_stdio(make_host)
    cli.main(["serve", "--log-level", "error", "--log-file", os.devnull])


if __name__ == "__main__":
    main()
