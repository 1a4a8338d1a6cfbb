"""Joins the standard input and output of an editor to a shared server (`fim-lsp connect`).

So an editor needs to know nothing of sockets and tokens: it runs this as its language server.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
from pathlib import Path

from fim_lsp.errors import FimLspError
from fim_lsp.lsp.access import is_peer_this_user
from fim_lsp.lsp.token import authorization, read_token

logger = logging.getLogger(__name__)

_BYTES = 65_536
_CONNECT_SECONDS = 10.0
_HEADER = b"content-"
"""First bytes of every message, in lower case."""


def connect_to_socket(path: Path) -> int:
    """Joins the editor to the server at a Unix socket until either leaves; returns the exit code.

    Raises:
        FimLspError: no server of this user answers there.
    """
    if not hasattr(socket, "AF_UNIX"):
        raise FimLspError("there are no Unix sockets here; name HOST:PORT of a server on TCP")
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with connection:
        try:
            connection.connect(str(path))
        except OSError as error:
            raise _nobody(str(path), error, f"--socket {path}") from None
        if not is_peer_this_user(connection):
            raise FimLspError(f"the server at {path} is another user's, so it is not trusted")
        return _join(connection, str(path))


def connect_to_tcp(host: str, port: int, token_file: Path) -> int:
    """Joins the editor to the server at a port until either leaves; returns the exit code.

    Raises:
        FimLspError: no server answers there, or it is not the one that the token is for.
    """
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        connection = socket.create_connection((host, port), timeout=_CONNECT_SECONDS)
    except (OSError, UnicodeError) as error:
        raise _nobody(address, error, f"--tcp {address}") from None
    with connection:
        connection.settimeout(None)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError):  # that it has hung up is noticed when it is read from
            connection.sendall(authorization(read_token(token_file)))
        return _join(connection, address)


def _join(connection: socket.socket, address: str) -> int:
    """Passes bytes both ways, as fast as the slower side reads."""
    has_ended = threading.Event()

    def send() -> None:
        with contextlib.suppress(OSError):
            while data := os.read(0, _BYTES):
                connection.sendall(data)
        has_ended.set()
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_WR)

    threading.Thread(target=send, name="read stdin", daemon=True).start()
    head = b""
    try:
        while data := connection.recv(_BYTES):
            if len(head) < len(_HEADER):
                head += data[: len(_HEADER) - len(head)]
                if not _HEADER.startswith(head.lower()):
                    raise FimLspError(
                        f"What listens at {address} is no language server: it wrote {head!r}. "
                        "Name another address"
                    )
            _write(data)
    except OSError as error:
        logger.info("the connection broke: %s", error)
    if not head and not has_ended.is_set():
        raise FimLspError(
            f"The server at {address} closed the connection without a word: it has enough "
            "editors, or the token is not its own. Its log says which"
        )
    return 0


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


def _nobody(address: str, error: Exception, how_to_start: str) -> FimLspError:
    missing = isinstance(error, FileNotFoundError | ConnectionRefusedError)
    reason = "nothing listens there" if missing else getattr(error, "strerror", None) or error
    return FimLspError(
        f"No server answers at {address} ({reason}). Start one with: fim-lsp serve {how_to_start}"
    )
