"""An HTTP server of this process, on a real socket, with a model that a test has made."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from fim_lsp.http.server import HttpService
from fim_lsp.model_host.host import ModelHost
from fim_lsp.model_offers.manager import ModelManager
from fim_lsp.settings import Settings
from model_runtime.engines.scripted import ScriptedEngine
from model_runtime.served_model import ServedModel


@dataclass(frozen=True)
class RunningServer:
    """A server that listens, and the model behind it."""

    port: int
    model: ServedModel

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def engine(self) -> ScriptedEngine:
        assert isinstance(self.model.engine, ScriptedEngine)
        return self.model.engine

    def post(self, path: str, body: object, **headers: str) -> httpx.Response:
        return httpx.post(f"{self.url}{path}", json=body, headers=headers, timeout=60)

    def get(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", headers=headers, timeout=60)

    def traces(self) -> list[dict[str, object]]:
        """Returns the traces of the last requests, newest first."""
        return self.get("/v1/traces").json()["traces"]


@contextmanager
def serving(
    model: ServedModel, settings: Settings | None = None, token: str | None = None
) -> Iterator[RunningServer]:
    """Serves a model that is loaded, in a thread of its own, until the block ends."""
    settings = settings or Settings()
    begun: list[int] = []
    is_ready = threading.Event()
    stops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve() -> None:
        host = ModelHost(lambda _: model)
        await host.ready(settings)
        service = HttpService(["127.0.0.1"], 0, settings, token=token)
        stopped = asyncio.Event()
        async with service.serve(host, ModelManager(host)):
            begun.extend(service.ports)
            stops.append((asyncio.get_running_loop(), stopped))
            is_ready.set()
            await stopped.wait()
        host.close()

    def run() -> None:
        try:
            asyncio.run(serve())
        finally:
            is_ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    is_ready.wait()
    assert begun, "the server did not start"
    try:
        yield RunningServer(begun[0], model)
    finally:
        loop, stopped = stops[0]
        loop.call_soon_threadsafe(stopped.set)
        thread.join()
