"""One client from its first message to its last."""

from __future__ import annotations

import asyncio
from typing import Protocol

from fim_lsp.framing import read_message
from fim_lsp.server import FimServer


class Writer(Protocol):
    """Where the bytes for the client go."""

    def write(self, data: bytes) -> object:
        """Send bytes, now or soon."""
        ...

    def close(self) -> object:
        """Send no more."""
        ...


async def converse(server: FimServer, reader: asyncio.StreamReader, writer: Writer) -> int:
    """Handle messages until `exit` or the end of the input; returns the exit code.

    All work of the server has been told to stop when this returns.
    """
    protocol = server.protocol
    protocol.set_writer(writer)  # type: ignore[arg-type]
    try:
        while protocol.exit_code is None:
            body = await read_message(reader)
            if body is None:
                return 0
            protocol.receive(body)
            # A coroutine that handles a request takes its snapshot on its first turn.  It gets that
            # turn now, before an edit that has already arrived is applied.
            await asyncio.sleep(0)
        return protocol.exit_code
    finally:
        server.close()
