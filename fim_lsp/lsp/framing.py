"""Reads messages out of a stream of bytes (LSP 3.18, "Base Protocol").

A program may print something on its standard output by mistake: `read_message` loses such
rubbish, not the connection.  On a socket it can only be another protocol, perhaps a web page's
request with a message of ours as its body: `read_message_strictly` ends there.
"""

from __future__ import annotations

import asyncio
import logging
import re

logger = logging.getLogger(__name__)

# Searched for, not matched: rubbish without a line end may stand before a good header.
_LENGTH = re.compile(rb"content-length:[ \t]*(\d{1,12})[ \t]*\r?\n?$", re.IGNORECASE)
_OTHER_HEADER = re.compile(rb"[A-Za-z-]+:")
_STRICT_LENGTH = re.compile(rb"content-length:[ \t]*(\d{1,12})[ \t]*\r?\n", re.IGNORECASE)
_STRICT_OTHER = re.compile(rb"content-type:", re.IGNORECASE)
MAX_MESSAGE_BYTES = 32 << 20
"""Some ten times the largest text that an editor completes well in."""
_MAX_SKIPPED_BYTES = 1 << 29
"""A longer message can only be a mistake, so that its length is not believed."""
_MAX_HEADER_LINES = 8
_CHUNK_BYTES = 1 << 16


async def read_message(reader: asyncio.StreamReader) -> bytes | None:
    """Returns the body of the next message, or None when the stream has ended or is broken.

    A message that is too long is left out.
    """
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
            if length > _MAX_SKIPPED_BYTES:
                logger.warning("a message of %d bytes was announced, which cannot be", length)
                length = None
        elif line.strip():
            if not _OTHER_HEADER.match(line):
                skipped += len(line)
        elif length is not None:
            if skipped:
                logger.warning("skipped %d bytes that belong to no message", skipped)
            if length <= MAX_MESSAGE_BYTES:
                return await _read_body(reader, length)
            logger.warning("a message of %d bytes is too long, and was left out", length)
            await _skip_body(reader, length)
            length, skipped = None, 0


async def read_message_strictly(reader: asyncio.StreamReader) -> bytes | None:
    """Returns the body of the next message; None at the end, and at a line that is no header."""
    length: int | None = None
    for _ in range(_MAX_HEADER_LINES):
        line = await _read_line(reader)
        if not line:
            return None
        if found := _STRICT_LENGTH.fullmatch(line):
            length = int(found[1])
        elif line in (b"\r\n", b"\n") and length is not None:
            if length <= MAX_MESSAGE_BYTES:
                return await _read_body(reader, length)
            logger.warning("a message of %d bytes is too long; the connection ends", length)
            return None
        elif not _STRICT_OTHER.match(line):
            break
    logger.warning("what came is no message; the connection ends")
    return None


async def _read_line(reader: asyncio.StreamReader) -> bytes:
    """Returns a line with its end; empty when the stream has ended."""
    try:
        return await reader.readline()
    except ValueError:  # longer than the reader's limit, and thrown away by it
        return b"\0"
    except OSError as error:
        logger.info("the connection broke: %s", error)
        return b""


async def _read_body(reader: asyncio.StreamReader, length: int) -> bytes | None:
    """Returns a body, or None at the end; an empty one in place of one without room in memory."""
    parts: list[bytes] = []
    left = length
    try:
        while left and (part := await reader.read(min(left, _CHUNK_BYTES))):
            left -= len(part)
            parts.append(part)
        if not left:
            return b"".join(parts)
        logger.warning("the input ended after %d of a message's %d bytes", length - left, length)
    except OSError as error:
        logger.info("the connection broke: %s", error)
    except MemoryError:
        parts.clear()
        logger.error("there is no memory for a message of %d bytes, which was left out", length)
        await _skip_body(reader, left)
        return b""
    return None


async def _skip_body(reader: asyncio.StreamReader, length: int) -> None:
    while length > 0 and (chunk := await _read_chunk(reader, min(length, _CHUNK_BYTES))):
        length -= len(chunk)


async def _read_chunk(reader: asyncio.StreamReader, most: int) -> bytes:
    try:
        return await reader.read(most)
    except OSError:
        return b""
