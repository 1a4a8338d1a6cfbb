"""Listens for the editors of a shared server: a server for each of them, one model for all."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fim_lsp.lsp.connection import MAX_WAITING_BYTES, PAUSE_BYTES, converse
from fim_lsp.lsp.framing import read_message_strictly
from fim_lsp.lsp.handlers import new_server
from fim_lsp.lsp.session import ProviderFactory
from fim_lsp.model_host.host import ModelHost
from fim_lsp.model_offers.manager import ModelManager
from fim_lsp.settings import Settings

logger = logging.getLogger(__name__)

MAX_EDITORS = 32
"""Editors at once; each may hold a message of 32 MB and an index of its project."""
MAX_STRANGERS = 64
"""Connections that have not proved yet who they are; one more takes the place of the oldest.

There may be more of them than of editors, since all editors may come back at once.
"""
_FAREWELL_SECONDS = 5.0
"""The last answers have so long to leave; an editor that does not read them goes without."""

_USED_UP = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_TELL_SECONDS = 60.0

Accept = Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]
Listen = Callable[[Accept], AbstractAsyncContextManager[None]]
"""Hands every new connection over for as long as the block lasts.

Raises FimLspError where it cannot listen.
"""
Admit = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, bool]]
"""Tells whether a client is the server's user; reads nothing but the proof of it."""


class Listener:
    """Serves all editors that connect and are admitted."""

    def __init__(
        self,
        make_provider: ProviderFactory,
        settings: Settings,
        admit: Admit,
        listen: Listen,
    ) -> None:
        """Takes what is needed to serve.

        Args:
            make_provider: makes the completer of each editor.
            settings: those of the command line; what a process has one of is taken from here.
            admit: decides on each connection before anything else is read from it.
            listen: hands over the connections.
        """
        self._make_provider = make_provider
        self._settings = settings
        self._admit = admit
        self._listen = listen
        self._connections: set[asyncio.Task[None]] = set()
        self._strangers: dict[asyncio.Task[bool], None] = {}
        self._num_editors = 0
        self._tell_again_at = 0.0

    @asynccontextmanager
    async def serve(self, host: ModelHost, models: ModelManager) -> AsyncIterator[None]:
        """Serves for as long as the block lasts; what clients do never ends it.

        Args:
            host: has the model of all editors.
            models: chooses and adds models for them.

        Raises:
            FimLspError: `listen` does.
        """
        self._host, self._models = host, models
        asyncio.get_running_loop().set_exception_handler(self._tell)
        try:
            async with self._listen(self._accept):
                yield
        finally:
            for connection in self._connections:
                connection.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)

    def _tell(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Says once in a minute that connections wait; asyncio says it by the hundred."""
        error = context.get("exception")
        if not isinstance(error, OSError) or error.errno not in _USED_UP:
            loop.default_exception_handler(context)
        elif loop.time() >= self._tell_again_at:
            self._tell_again_at = loop.time() + _TELL_SECONDS
            logger.warning("no connection can be taken now; what waits is taken later: %s", error)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.ensure_future(self._attend(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = writer.get_extra_info("peername") or "on the socket"
        try:
            if not await self._is_admitted(reader, writer):
                logger.warning("client %s did not prove who it is, and was disconnected", client)
            elif self._num_editors >= MAX_EDITORS:
                logger.warning("client %s disconnected: there are %d others", client, MAX_EDITORS)
            else:
                self._num_editors += 1
                try:
                    await self._converse(client, reader, writer)
                finally:
                    self._num_editors -= 1
        except (OSError, asyncio.TimeoutError) as error:
            logger.info("client %s is gone: %s", client, error)
        except Exception:
            logger.exception("the connection with %s failed", client)
        finally:
            writer.transport.abort()

    async def _is_admitted(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        if len(self._strangers) >= MAX_STRANGERS:
            next(iter(self._strangers)).cancel()
        admission = asyncio.ensure_future(self._admit(reader, writer))
        self._strangers[admission] = None
        try:
            await asyncio.wait([admission])
            return not admission.cancelled() and admission.result()
        finally:
            admission.cancel()
            del self._strangers[admission]

    async def _converse(
        self, client: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        logger.info("client %s connected", client)
        server = new_server(self._host, self._make_provider, self._settings, self._models)
        await converse(server, reader, _SocketWriter(writer), read_message_strictly)
        logger.info("client %s left", client)
        writer.close()
        await asyncio.wait_for(writer.wait_closed(), _FAREWELL_SECONDS)


class _SocketWriter:
    """A socket as the protocol writes to it, with an end to what waits for the client."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        writer.transport.set_write_buffer_limits(high=PAUSE_BYTES)

    def write(self, data: bytes) -> None:
        transport = self._writer.transport
        if transport.is_closing():
            raise ConnectionResetError("the connection is closed")
        self._writer.write(data)
        if transport.get_write_buffer_size() > MAX_WAITING_BYTES:
            transport.abort()
            raise ConnectionResetError(f"{MAX_WAITING_BYTES >> 20} MB wait to be read")

    async def drain(self) -> None:
        await self._writer.drain()
