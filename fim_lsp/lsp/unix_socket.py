"""Runs a shared server on a Unix socket, which only processes of its user can open."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import stat
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from fim_lsp import process
from fim_lsp.completion.provider import CompletionProvider
from fim_lsp.errors import FimLspError, UsageError
from fim_lsp.lsp.access import is_peer_this_user, make_private_folder
from fim_lsp.lsp.listener import Accept, Listener
from fim_lsp.lsp.session import ProviderFactory
from fim_lsp.model_host.host import ModelHost
from fim_lsp.settings import Settings

logger = logging.getLogger(__name__)


def serve_socket(
    path: Path,
    make_host: Callable[[], ModelHost],
    *,
    settings: Settings | None = None,
    make_provider: ProviderFactory = CompletionProvider,
    others: Sequence[process.Service] = (),
) -> int:
    """Serves until the process is told to end.

    Args:
        path: of the socket, in a folder of mode 0700, which is created if there is none.
        make_host: called once, on the event loop.
        settings: those of the command line, the defaults if there are none.
        make_provider: for tests.
        others: services of the same process, with the same model.

    Raises:
        UsageError: this system has no Unix sockets.
        FimLspError: the path cannot be bound, or others could reach it.
    """
    if sys.platform == "win32":
        raise UsageError("there are no Unix sockets on Windows; use --tcp 127.0.0.1:9275")

    async def admit(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        return is_peer_this_user(writer.get_extra_info("socket"))

    @asynccontextmanager
    async def listen(accept: Accept) -> AsyncIterator[None]:
        listening = await asyncio.start_unix_server(accept, sock=_bind(path))
        try:
            logger.info("listening on %s", path)
            yield
        finally:
            listening.close()
            path.unlink(missing_ok=True)

    listener = Listener(make_provider, settings or Settings(), admit, listen)
    return process.serve(make_host, [listener.serve, *others])


def _bind(path: Path) -> socket.socket:
    make_private_folder(path.parent)
    _make_room(path)
    new = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # From its first moment on nobody else may open it.
    before = os.umask(0o177)
    try:
        new.bind(str(path))
    except OSError as error:  # a path that is too long comes without a number
        new.close()
        raise FimLspError(f"{path} cannot be bound: {error.strerror or error}") from None
    finally:
        os.umask(before)
    return new


def _make_room(path: Path) -> None:
    """Removes the socket of a server that has died.

    Raises:
        FimLspError: a server listens there, or something else has that name.
    """
    try:
        is_socket = stat.S_ISSOCK(path.lstat().st_mode)
    except OSError:
        return  # there is nothing, or the attempt to bind it says what is wrong
    if not is_socket:
        raise FimLspError(f"{path} is there already, and is no socket; name another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink(missing_ok=True)
        else:
            raise FimLspError(f"{path} is in use: another fim-lsp listens there")
