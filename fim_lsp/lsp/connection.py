"""Serves one client from its first message to its last."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from fim_lsp.lsp.framing import read_message
from fim_lsp.lsp.session import FimServer

logger = logging.getLogger(__name__)

PAUSE_BYTES = 4 << 20
"""Bytes that may wait for the client to read them before its messages are read no more."""
MAX_WAITING_BYTES = 16 << 20
"""Bytes that may wait for the client, answers included, before it is disconnected."""

ReadMessage = Callable[[asyncio.StreamReader], Awaitable["bytes | None"]]
"""Returns the body of the next message, or None when there will be no more."""


class Writer(Protocol):
    """Takes the bytes for the client."""

    def write(self, data: bytes) -> object:
        """Sends bytes, now or soon.

        Raises:
            OSError: the client is gone, or has not read for too long.
        """
        ...

    async def drain(self) -> None:
        """Waits while more than `PAUSE_BYTES` have not left yet.

        Raises:
            OSError: as `write`.
        """
        ...


async def converse(
    server: FimServer,
    reader: asyncio.StreamReader,
    writer: Writer,
    read: ReadMessage = read_message,
) -> int:
    """Handles messages until `exit` or the end of the input; returns the exit code.

    All work of the server has been told to stop when this returns.
    """
    protocol = server.protocol
    protocol.set_writer(writer)  # type: ignore[arg-type]
    try:
        while protocol.exit_code is None:
            await writer.drain()
            body = await read(reader)
            if body is None:
                return 0
            protocol.receive(body)
            # A coroutine that handles a request takes its snapshot on its first turn.  It gets that
            # turn now, before an edit that has already arrived is applied.
            await asyncio.sleep(0)
        return protocol.exit_code
    except OSError as error:
        logger.info("the client reads no more: %s", error)
        return 0
    finally:
        server.close()
