"""Puts the engines that benchmarks.engine compares behind one interface: ours and llama.cpp's.

Each runs in a process of its own: a busy system gives less to a process that has worked before, so
two engines in one would look slower than a third beside them.

Times of llama.cpp are the server's own, so they lack HTTP and JSON: engine against engine.  The
cost of a whole path is measured by benchmarks.keystroke.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Protocol

from model_runtime.engines import artifact_cache, open_engine
from model_runtime.engines.onnx.engine import OnnxEngine, OnnxPasses
from model_runtime.engines.onnx.session import run_options
from model_runtime.engines.protocol import Engine, SamplingParams
from model_runtime.models.bundle import ModelBundle
from tests.support.llama_cpp import LlamaCpp


@dataclass(frozen=True)
class Run:
    """Seconds of one request, on the wall and on the processors."""

    first: float
    """Seconds to the first token."""
    rest: float
    """Seconds for the other tokens."""
    first_busy: float
    rest_busy: float

    @property
    def wall(self) -> float:
        return self.first + self.rest

    @property
    def busy(self) -> float:
        return self.first_busy + self.rest_busy


class Contestant(Protocol):
    """One engine, with its number type and threads."""

    bytes_of_a_number: int
    """Bytes of a cached key or value."""

    def run(self, ids: list[int], tokens: int) -> Run:
        """Decodes so many; what is held of `ids` is not run again."""

    def verify(self, ids: list[int], drafts: list[int]) -> float | None:
        """Seconds of one pass over `drafts`, with `ids` held; None where that cannot be asked."""


class Own:
    """CTranslate2 or ONNX Runtime."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._held: list[int] = []
        self.bytes_of_a_number = 4
        if isinstance(engine, OnnxEngine):
            self._buffers = engine.passes.new_text(engine.context_length)
            self.bytes_of_a_number = self._buffers._rows[0].itemsize

    def run(self, ids: list[int], tokens: int) -> Run:
        wall, busy = time.perf_counter(), time.process_time()
        with self._engine.generate(ids, SamplingParams(tokens, frozenset())) as stream:
            times = [(time.perf_counter(), time.process_time()) for _ in stream]
        (first, first_busy), (last, last_busy) = times[0], times[-1]
        return Run(first - wall, last - first, first_busy - busy, last_busy - first_busy)

    def verify(self, ids: list[int], drafts: list[int]) -> float | None:
        """A pass with logits at every place: what checks that many drafts."""
        if not isinstance(self._engine, OnnxEngine):
            return None
        options = run_options()
        if self._held != ids:
            for start in range(0, len(ids), OnnxPasses.max_ids):
                self._engine.passes.run(
                    self._buffers, start, ids[start : start + OnnxPasses.max_ids], options
                )
            self._held = ids
        # llama.cpp runs the prompt's last id just before, too: weights are as near to both.
        self._engine.passes.run(self._buffers, len(ids) - 1, ids[-1:], options)
        started = time.perf_counter()
        passes = self._engine.passes
        passes.row(passes.run(self._buffers, len(ids), drafts, options, kept=len(drafts)), 0)
        return time.perf_counter() - started


class Llama:
    """llama.cpp's server, in a process of its own."""

    bytes_of_a_number = 2

    def __init__(self, server: LlamaCpp) -> None:
        self._server = server

    def run(self, ids: list[int], tokens: int) -> Run:
        busy = self._server.processor_seconds()
        self._server.complete(ids, tokens, ignore_end=True)
        busy = self._server.processor_seconds() - busy
        told = self._server.last
        first, rest = told.prompt_ms / 1e3, told.decode_ms / 1e3 if tokens > 1 else 0.0
        # /proc tells of the whole request; it is shared out as the wall's time is.
        part = first / (first + rest)
        return Run(first, rest, busy * part, busy * (1 - part))

    def verify(self, ids: list[int], drafts: list[int]) -> float | None:
        """A pass over as many ids; logits of the last one only, which is a little less."""
        self._server.complete(ids, 1, ignore_end=True)
        self._server.complete([*ids, *drafts], 1, ignore_end=True)
        assert self._server.last.cached == len(ids), self._server.last
        return self._server.last.prompt_ms / 1e3


class RemoteContestant:
    """An `Own` in another process, at the other end of a pipe."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.bytes_of_a_number: int = pipe.recv()

    def run(self, ids: list[int], tokens: int) -> Run:
        self._pipe.send(("run", ids, tokens))
        return self._pipe.recv()

    def verify(self, ids: list[int], drafts: list[int]) -> float | None:
        self._pipe.send(("verify", ids, drafts))
        return self._pipe.recv()


def _serve(pipe: Connection, bundle: Path, name: str, threads: int, cache: Path) -> None:
    artifact_cache.user_cache_path = lambda *_, **__: cache  # type: ignore[assignment]
    opened, (kind, _, numbers) = ModelBundle.open(bundle), name.partition(" ")
    if numbers:
        engine: Engine = OnnxEngine.open(opened, threads=threads, kind=numbers)
    else:
        engine = open_engine(opened, engine=kind, threads=threads)
    own = Own(engine)
    pipe.send(own.bytes_of_a_number)
    while request := pipe.recv():
        pipe.send(getattr(own, request[0])(*request[1:]))
    engine.close()


@contextmanager
def contestant(bundle: ModelBundle, name: str, threads: int) -> Iterator[Contestant]:
    """Returns a contestant by its name, such as "ctranslate2", "onnx int8-32", "llama.cpp q8_0"."""
    kind, _, numbers = name.partition(" ")
    if kind == "llama.cpp":
        with LlamaCpp.start(bundle, numbers, threads=threads) as server:
            yield Llama(server)
        return
    context = multiprocessing.get_context("spawn")
    pipe, other = context.Pipe()
    cache = artifact_cache.user_cache_path("fim-lsp", appauthor=False)
    process = context.Process(
        target=_serve, args=(other, bundle.path, name, threads, cache), daemon=True
    )
    process.start()
    other.close()  # so that a process that dies ends the pipe
    yield RemoteContestant(pipe)
    pipe.send(None)
    process.join()
