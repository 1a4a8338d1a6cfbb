"""One editor on standard input and output."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from collections.abc import Callable
from typing import BinaryIO, NoReturn

from fim_lsp.completer import Completer
from fim_lsp.connection import converse
from fim_lsp.engine_host import EngineHost
from fim_lsp.handlers import new_server
from fim_lsp.server import CompleterFactory, FimServer

logger = logging.getLogger(__name__)

_READ_BYTES = 65_536
_PARENT_POLL_SECONDS = 1.0


def serve_stdio(
    make_host: Callable[[], EngineHost], make_completer: CompleterFactory = Completer
) -> int:
    """Serve until the client exits or goes; returns the exit code of the process."""
    wire_in, wire_out = _claim_wire()
    return asyncio.run(_serve(make_host, make_completer, wire_in, wire_out))


def leave(exit_code: int) -> NoReturn:
    """End the process now, after the log is written.

    The interpreter would wait for its threads first: for a model that is being loaded, for the
    token that is being decoded.  The editor is gone, and nobody wants either.
    """
    logging.shutdown()
    sys.stderr.flush()
    os._exit(exit_code)


async def _serve(
    make_host: Callable[[], EngineHost],
    make_completer: CompleterFactory,
    wire_in: int,
    wire_out: BinaryIO,
) -> int:
    host = make_host()
    server = new_server(host, make_completer)
    reader = asyncio.StreamReader()
    _read_in_background(wire_in, reader)
    watch = asyncio.ensure_future(_watch_parent(server, reader))
    try:
        return await converse(server, reader, _Output(wire_out))
    finally:
        watch.cancel()
        host.close()


def _claim_wire() -> tuple[int, BinaryIO]:
    """Take standard input and output for messages alone.

    Whatever a library prints from now on goes to standard error, and whatever it reads is empty.
    """
    wire_in, wire_out = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return wire_in, os.fdopen(wire_out, "wb")


def _read_in_background(descriptor: int, reader: asyncio.StreamReader) -> None:
    """Feed a reader from a descriptor that may be a pipe, a file or a terminal.

    A daemon thread of its own: the process need not wait for a read that never returns, no work for
    the model can keep the input waiting, and a client that writes much before it reads cannot block
    both sides.
    """
    loop = asyncio.get_running_loop()

    def read() -> None:
        try:
            while data := _read(descriptor):
                loop.call_soon_threadsafe(reader.feed_data, data)
            loop.call_soon_threadsafe(reader.feed_eof)
        except RuntimeError:  # the loop has been closed
            return

    threading.Thread(target=read, name="read stdin", daemon=True).start()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _READ_BYTES)
    except OSError as error:
        logger.info("standard input broke: %s", error)
        return b""


class _Output:
    """Standard output as the protocol writes to it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, data: bytes) -> None:
        self._stream.write(data)
        self._stream.flush()

    def close(self) -> None:
        self._stream.close()


async def _watch_parent(server: FimServer, reader: asyncio.StreamReader) -> None:
    """End the input when the process that started the client's side is gone.

    For an editor that was killed while a wrapper keeps the pipe open.  A process that cannot be
    seen from here in the first place (an editor outside this container) is not watched.
    """
    was_alive = False
    while True:
        await asyncio.sleep(_PARENT_POLL_SECONDS)
        process_id = server.process_id
        if not isinstance(process_id, int):
            continue
        if _is_alive(process_id):
            was_alive = True
        elif was_alive:
            logger.info("process %d, which this server belongs to, is gone", process_id)
            reader.feed_eof()
            return
        else:
            return


def _is_alive(process_id: int) -> bool:
    if sys.platform == "win32":  # signal 0 means Ctrl-C there; the pipe ends with the editor
        return True
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
