"""Messages out of a stream of bytes (LSP 3.18, "Base Protocol").

A client that sends rubbish between messages loses the rubbish, not the connection.
"""

from __future__ import annotations

import asyncio
import logging
import re

logger = logging.getLogger(__name__)

# Searched for, not matched: rubbish without a line end may stand before a good header.
_LENGTH = re.compile(rb"content-length:[ \t]*(\d{1,12})[ \t]*\r?\n?$", re.IGNORECASE)
_OTHER_HEADER = re.compile(rb"[A-Za-z-]+:")
_MOST_BYTES = 1 << 29
"""A longer message can only be a mistake; no editor holds such a text."""


async def read_message(reader: asyncio.StreamReader) -> bytes | None:
    """The body of the next message, or None when the stream has ended or is broken."""
    length: int | None = None
    skipped = 0
    while True:
        line = await _read_line(reader)
        if not line:
            if length is not None:
                logger.warning("the input ended inside a message's header")
            return None
        if found := _LENGTH.search(line):
            length = int(found[1])
            if length > _MOST_BYTES:
                logger.warning("a message of %d bytes was announced, which cannot be", length)
                length = None
        elif line.strip():
            if not _OTHER_HEADER.match(line):
                skipped += len(line)
        elif length is not None:
            if skipped:
                logger.warning("skipped %d bytes that belong to no message", skipped)
            return await _read_body(reader, length)


async def _read_line(reader: asyncio.StreamReader) -> bytes:
    """A line with its end; empty when the stream has ended."""
    try:
        return await reader.readline()
    except ValueError:  # longer than the reader's limit, and thrown away by it
        return b"\0"
    except OSError as error:
        logger.info("the connection broke: %s", error)
        return b""


async def _read_body(reader: asyncio.StreamReader, length: int) -> bytes | None:
    try:
        return await reader.readexactly(length)
    except asyncio.IncompleteReadError as error:
        logger.warning(
            "the input ended after %d of a message's %d bytes", len(error.partial), length
        )
    except OSError as error:
        logger.info("the connection broke: %s", error)
    return None
