"""A server over HTTP whose model answers what a test says."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from fim_lsp.settings import Settings
from tests.support.http_server import RunningServer, serving
from tests.support.scripted_host import scripted_model

Serve = Callable[..., RunningServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers: `serve(answer, settings=..., token=..., **options_of_the_model)`."""
    with ExitStack() as stack:

        def start(
            answer: str | Callable[[str], str] = "first + second",
            settings: Settings | None = None,
            token: str | None = None,
            **options: object,
        ) -> RunningServer:
            model = scripted_model(answer, **options)
            return stack.enter_context(serving(model, settings, token))

        yield start


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """A server for all tests of a module that look at answers alone."""
    with serving(scripted_model("first + second")) as running:
        yield running
