"""Runs a shared server on TCP, for programs of this machine that know its token."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from fim_lsp import process
from fim_lsp.completion.provider import CompletionProvider
from fim_lsp.errors import FimLspError, UsageError
from fim_lsp.lsp.listener import Accept, Listener
from fim_lsp.lsp.session import ProviderFactory
from fim_lsp.lsp.token import is_authorization, new_token, published_token, token_file
from fim_lsp.model_host.host import ModelHost
from fim_lsp.settings import Settings

logger = logging.getLogger(__name__)

_AUTHENTICATION_SECONDS = 5.0
"""Seconds for the first line to arrive."""


def serve_tcp(
    host: str,
    port: int,
    make_host: Callable[[], ModelHost],
    *,
    settings: Settings | None = None,
    allow_remote: bool = False,
    make_provider: ProviderFactory = CompletionProvider,
    others: Sequence[process.Service] = (),
) -> int:
    """Serves until the process is told to end.

    Args:
        host: name or address to bind.
        port: 0 takes a free one, which the log names.
        make_host: called once, on the event loop.
        settings: those of the command line, the defaults if there are none.
        allow_remote: bind also what other machines can reach.
        make_provider: for tests.
        others: services of the same process, with the same model.

    Raises:
        UsageError: the address can be reached from other machines, and that was not allowed.
        FimLspError: it cannot be bound, or the token cannot be written.
    """
    addresses = addresses_of(host, port)
    if not allow_remote:
        refuse_remote(host, addresses)
    token = new_token()

    async def admit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        try:
            line = await asyncio.wait_for(reader.readline(), _AUTHENTICATION_SECONDS)
        except (asyncio.TimeoutError, ValueError, OSError):  # ValueError: an endless line
            return False
        return is_authorization(line, token)

    @asynccontextmanager
    async def listen(accept: Accept) -> AsyncIterator[None]:
        try:
            listening = await asyncio.start_server(accept, addresses, port, start_serving=False)
        except OSError as error:
            raise FimLspError(why_not_bound(", ".join(addresses), port, error)) from None
        bound = [each.getsockname()[:2] for each in listening.sockets]
        # The token is there before anyone can connect.
        with published_token(token, {number for _, number in bound}):
            try:
                await listening.start_serving()
                for address, number in bound:
                    logger.info("listening on %s:%d", address, number)
                    logger.info("the token is in %s", token_file(number))
                yield
            finally:
                listening.close()

    listener = Listener(make_provider, settings or Settings(), admit, listen)
    return process.serve(make_host, [listener.serve, *others])


def addresses_of(host: str, port: int) -> list[str]:
    """Returns the addresses of a host; a name could come to mean another one before it is bound.

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


def refuse_remote(host: str, addresses: Sequence[str]) -> None:
    """Refuses addresses that other machines can reach.

    Args:
        host: as the user names it.
        addresses: of the host.

    Raises:
        UsageError: one of them is not of this machine alone.
    """
    if not all(map(_is_of_this_machine, addresses)):
        raise UsageError(
            f"{host or 'no host'} means an address that other machines can reach, and what is "
            "sent there, the token included, is not encrypted; bind 127.0.0.1, or say "
            "--allow-unencrypted-remote-connections"
        )


def _is_of_this_machine(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def why_not_bound(host: str, port: int, error: OSError) -> str:
    """Returns a sentence that says why a server cannot listen, and what to do."""
    if error.errno == errno.EADDRINUSE:
        return f"{host}:{port} is in use; is another fim-lsp running? Choose another port"
    if error.errno == errno.EACCES:
        return f"{host}:{port}: not permitted; choose a port above 1023"
    return f"{host}:{port} cannot be bound: {error.strerror or error}"
