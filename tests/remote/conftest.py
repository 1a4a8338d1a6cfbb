"""Real servers with the embedded model, and the engines that complete through them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from model_runtime.engines import registry
from model_runtime.engines.endpoint import Endpoint
from model_runtime.engines.kind import EngineOptions
from model_runtime.engines.protocol import Engine
from model_runtime.models.bundle import ModelBundle
from tests.remote.editor import editing, started, through
from tests.support.exact_model import ExactModel, write_exact_model
from tests.support.llama_server import LlamaServer
from tests.support.vllm_server import NAME, VllmServer
from tests.support.wire import Wire

Edit = Callable[..., Wire]
StartLlama = Callable[..., LlamaServer]
StartEditor = Callable[..., tuple[subprocess.Popen[bytes], Wire]]


@dataclass(frozen=True)
class Served:
    """A server that runs the model, and the engine that speaks to it."""

    engine: str
    server: Any

    @property
    def settings(self) -> dict[str, Any]:
        """Returns what the settings of an editor say to use this server."""
        more = {} if self.engine == "llama-server" else {"endpointModel": self.model}
        return through(self.engine, self.server, **more)

    @property
    def model(self) -> str:
        """Returns the name that the server has for the model."""
        return NAME if isinstance(self.server, VllmServer) else ""

    def open(self, bundle: ModelBundle) -> Engine:
        """Opens the engine for a model that is at hand here."""
        endpoint = Endpoint(self.server.url, self.model)
        return registry.open_named(self.engine, bundle, EngineOptions(endpoint=endpoint))


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> ExactModel:
    return write_exact_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def vllm(model: ExactModel) -> Iterator[VllmServer]:
    yield from _running(VllmServer(model.folder, context=model.context))


@pytest.fixture(scope="session")
def llama(model: ExactModel) -> Iterator[LlamaServer]:
    yield from _running(LlamaServer(model.gguf, context=model.context))


def _running(server: Any) -> Iterator[Any]:
    server.start()
    try:
        server.wait_until_loaded()
        yield server
    finally:
        server.stop()


@pytest.fixture
def served(request: pytest.FixtureRequest) -> Served:
    """An engine and a server, as `through_each` and the like name them."""
    engine, server = request.param
    return Served(engine, request.getfixturevalue(server))


@pytest.fixture
def start_llama(model: ExactModel) -> Iterator[StartLlama]:
    """Starts further servers of llama.cpp: `start_llama(gguf=..., slots=..., port=...)`."""
    with ExitStack() as stack:

        def start(gguf: Path | None = None, **options: Any) -> LlamaServer:
            options = {"context": model.context, **options}
            server = LlamaServer(gguf or model.gguf, **options)
            stack.callback(server.stop)
            server.start()
            return server

        yield start


@pytest.fixture
def edit(model: ExactModel) -> Iterator[Edit]:
    """Starts editors: `edit(**settings)`; all are gone after the test."""
    with ExitStack() as stack:

        def start(name: str | None = None, **settings: Any) -> Wire:
            return stack.enter_context(editing(name or model.name, **settings))

        yield start


@pytest.fixture
def start_editor(model: ExactModel) -> Iterator[StartEditor]:
    """Starts editors that a test may kill: `start_editor(**settings)`."""
    with ExitStack() as stack:

        def start(**settings: Any) -> tuple[subprocess.Popen[bytes], Wire]:
            return stack.enter_context(started(model.name, **settings))

        yield start


@pytest.fixture(scope="session")
def local_editor(model: ExactModel) -> Iterator[Wire]:
    """An editor whose model runs in its own process."""
    with editing(model.name, engine="onnx") as wire:
        wire.notification("fimLsp/status", state="ready")
        yield wire


@pytest.fixture
def engine(served: Served, model: ExactModel) -> Iterator[Engine]:
    with closing(served.open(model.bundle)) as opened:
        yield opened


BOTH = (("llama-server", "llama"), ("vllm", "vllm"))
EACH = (*BOTH, ("openai", "llama"), ("openai", "vllm"))


def _named(cases: tuple[tuple[str, str], ...]) -> Any:
    ids = [engine if engine != "openai" else f"openai at {server}" for engine, server in cases]
    return pytest.mark.parametrize("served", cases, ids=ids, indirect=True)


through_each = _named(EACH)
"""Marks tests of what every engine does."""
through_both = _named(BOTH)
"""Marks tests of what takes ids, or needs the server's own figures."""
