"""Listens for HTTP clients as one service of a shared server."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

import uvicorn

from fim_lsp.errors import FimLspError
from fim_lsp.http.app import new_app
from fim_lsp.http.connections import TimedProtocol
from fim_lsp.http.service import CompletionService
from fim_lsp.lsp.tcp import why_not_bound
from fim_lsp.model_host.host import ModelHost
from fim_lsp.model_offers.manager import ModelManager
from fim_lsp.settings import Settings

logger = logging.getLogger(__name__)

MAX_CONNECTIONS = 512
"""Connections at once; further ones are answered 503."""
_BACKLOG = 256
_FAREWELL_SECONDS = 2
"""The last answers have so long to leave."""


class HttpService:
    """The HTTP server of a process: see `fim_lsp.process.Service`."""

    def __init__(
        self,
        addresses: Sequence[str],
        port: int,
        settings: Settings,
        *,
        host: str = "",
        token: str | None = None,
    ) -> None:
        """Takes what is needed to serve.

        Args:
            addresses: IP addresses to bind.
            port: 0 takes a free one, which the log names.
            settings: those of the command line.
            host: name by which the user calls the addresses.
            token: what clients have to send; None where any program of the user may ask.
        """
        self._addresses = addresses
        self._port = port
        self._settings = settings
        self._host = host
        self._token = token
        self.ports: list[int] = []
        """Ports that are bound, one for each address, while it serves."""

    @asynccontextmanager
    async def serve(self, host: ModelHost, models: ModelManager) -> AsyncIterator[None]:
        """Serves for as long as the block lasts.

        Raises:
            FimLspError: an address cannot be bound.
        """
        sockets = [_bound(address, self._port) for address in self._addresses]
        self.ports = [one.getsockname()[1] for one in sockets]
        host.apply(self._settings)
        service = CompletionService(host, self._settings)
        app = new_app(service, {*self._addresses, self._host}, self._token)
        server = _Server(
            uvicorn.Config(
                app,
                http=TimedProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=MAX_CONNECTIONS,
                backlog=_BACKLOG,
                timeout_graceful_shutdown=_FAREWELL_SECONDS,
            )
        )
        logging.getLogger("uvicorn").setLevel(logging.ERROR)
        serving = asyncio.ensure_future(server.serve(sockets))
        self._tell()
        try:
            yield
        finally:
            server.should_exit = True
            await serving
            service.close()

    def _tell(self) -> None:
        for address, port in zip(self._addresses, self.ports, strict=True):
            shown = f"[{address}]" if ":" in address else address
            logger.info("HTTP server on http://%s:%d", shown, port)
        logger.info(
            "serving /infill, /completion, /v1/completions, /v1/fim/completions, /api/generate; "
            "/v1/traces says why an answer is empty"
        )
        if self._token is None:
            logger.info(
                "any program of yours may ask it, web pages and other users may not (on Linux; "
                "elsewhere --http-token-file keeps other users out)"
            )
        else:
            logger.info("clients must send the token as Authorization: Bearer TOKEN")


class _Server(uvicorn.Server):
    """A server that leaves the signals of the process to others."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _bound(address: str, port: int) -> socket.socket:
    """Returns a socket that listens.

    Raises:
        FimLspError: it cannot be bound.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # asyncio sends small packets at once only where the protocol is named; else each answer takes
    # 40 ms more.
    new = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if family == socket.AF_INET6:
            new.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows would share the port
            new.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            new.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        new.bind((address, port))
        new.listen(_BACKLOG)  # who connects before uvicorn has begun waits a moment
    except OSError as error:
        new.close()
        raise FimLspError(why_not_bound(address, port, error)) from None
    new.setblocking(False)
    return new
