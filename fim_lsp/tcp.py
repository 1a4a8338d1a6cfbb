"""Several editors at once over TCP: a server of its own for each, one model for all.

There is no authentication.  So only addresses of this machine are bound, unless the caller insists.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import signal
import socket
import sys
from collections.abc import Callable

from fim_lsp.completer import Completer
from fim_lsp.connection import converse
from fim_lsp.engine_host import EngineHost
from fim_lsp.errors import FimLspError, UsageError
from fim_lsp.handlers import new_server
from fim_lsp.server import CompleterFactory

logger = logging.getLogger(__name__)


def serve_tcp(
    host: str,
    port: int,
    make_host: Callable[[], EngineHost],
    *,
    allow_remote: bool = False,
    make_completer: CompleterFactory = Completer,
) -> int:
    """Serve until the process is told to end; what clients do never ends it.

    Args:
        host: name or address to bind.
        port: 0 takes a free one, which the log names.
        make_host: called once, on the event loop.
        allow_remote: bind also what other machines can reach.
        make_completer: for tests.

    Raises:
        UsageError: the address can be reached from other machines, and that was not allowed.
        FimLspError: it cannot be bound.
    """
    addresses = _addresses_of(host, port)
    if not allow_remote and not all(map(_is_of_this_machine, addresses)):
        raise UsageError(
            f"{host or 'no host'} means an address that other machines can reach, and whoever "
            "reaches it needs no password; bind 127.0.0.1, or say "
            "--allow-remote-connections-without-authentication"
        )
    return asyncio.run(_Listener(make_host, make_completer).serve(addresses, port))


class _Listener:
    """The listening socket and its connections."""

    def __init__(
        self, make_host: Callable[[], EngineHost], make_completer: CompleterFactory
    ) -> None:
        self._make_host = make_host
        self._make_completer = make_completer
        self._connections: set[asyncio.Task[None]] = set()

    async def serve(self, addresses: list[str], port: int) -> int:
        self._host = self._make_host()
        try:
            listening = await asyncio.start_server(self._accept, addresses, port)
        except OSError as error:
            self._host.close()
            raise FimLspError(_why_not_bound(", ".join(addresses), port, error)) from None
        stopped = asyncio.Event()
        if sys.platform != "win32":
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, stopped.set)
        for bound in listening.sockets:
            address, number = bound.getsockname()[:2]
            logger.info("listening on %s:%d", address, number)
        try:
            await stopped.wait()
        finally:
            listening.close()
            for connection in self._connections:
                connection.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)
            self._host.close()
        return 0

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.ensure_future(self._converse(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = writer.get_extra_info("peername")
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        logger.info("client %s connected", client)
        try:
            await converse(new_server(self._host, self._make_completer), reader, writer)
        except Exception:
            logger.exception("the connection with %s failed", client)
        finally:
            writer.close()
            logger.info("client %s left", client)


def _addresses_of(host: str, port: int) -> list[str]:
    """What will be bound: addresses, so that a name cannot come to mean another one meanwhile.

    Raises:
        FimLspError: there is no such host.
    """
    try:
        found = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError) as error:
        raise FimLspError(f"{host}: no such host ({error})") from None
    return sorted({str(address[0]) for *_, address in found})


def _is_of_this_machine(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _why_not_bound(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"{host}:{port} is in use; is another fim-lsp running? Choose another port"
    if error.errno == errno.EACCES:
        return f"{host}:{port}: not permitted; choose a port above 1023"
    return f"{host}:{port} cannot be bound: {error.strerror or error}"
