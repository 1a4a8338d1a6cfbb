"""A small model, and servers of this process that run it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from model_runtime.engines.protocol import Engine
from model_runtime.models.bundle import ModelBundle
from model_runtime.store import installed
from model_runtime.store.names import DEFAULT
from tests.support.model_server import ModelServer, open_remote, serving


@pytest.fixture(scope="session")
def bundle() -> ModelBundle:
    """The embedded model, which writes text; a random one writes halves of characters."""
    return installed.find(DEFAULT)


@pytest.fixture
def server(bundle: ModelBundle) -> Iterator[ModelServer]:
    """A server that runs it."""
    with serving(ModelServer(bundle)) as running:
        yield running


@pytest.fixture
def open_engine(bundle: ModelBundle, server: ModelServer) -> Iterator[Callable[..., Engine]]:
    """A function that opens an engine of a name, which asks the server."""
    with ExitStack() as stack:

        def open_(name: str = "llama-server", url: str = "", **endpoint: object) -> Engine:
            engine = open_remote(name, bundle, url or server.url, **endpoint)
            stack.callback(engine.close)
            return engine

        yield open_
