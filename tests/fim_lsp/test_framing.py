from __future__ import annotations

import asyncio

import pytest

from fim_lsp.framing import read_message


def messages_in(data: bytes) -> list[bytes]:
    """All bodies in a stream of bytes that ends after them."""

    async def read() -> list[bytes]:
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        bodies = []
        while (body := await read_message(reader)) is not None:
            bodies.append(body)
        return bodies

    return asyncio.run(read())


GOOD = b"Content-Length: 2\r\n\r\n{}"


@pytest.mark.parametrize(
    "header",
    [
        b"Content-Length: 2\r\n\r\n",
        b"content-length:2\r\n\r\n",
        b"Content-Length: 2\n\n",
        b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: 2\r\n\r\n",
        b"Content-Length: 2\r\nContent-Type: application/vscode-jsonrpc\r\n\r\n",
        b"Content-Length: 99\r\nContent-Length: 2\r\n\r\n",
    ],
)
def test_headers_as_clients_write_them(header):
    assert messages_in(header + b"{}" + GOOD) == [b"{}", b"{}"]


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\r\n\r\n",
        b"hello\r\n",
        b"hello",
        b'{"jsonrpc": "2.0"}\r\n\r\n',
        b"Content-Length: x\r\n\r\n",
        b"Content-Length: -5\r\n\r\n",
        b"Content-Length: 99999999999999999999\r\n\r\n",
        b"Content-Length: 999999999999\r\n\r\n",
        b"\x00\xff\xfe" * 1000,
        b"x" * 200_000,
        b"x" * 200_000 + b"\n",
    ],
    ids=lambda data: repr(data[:20]),
)
def test_rubbish_before_a_message_is_skipped(rubbish):
    assert messages_in(rubbish + GOOD)[-1:] == [b"{}"] or b"x" * 70_000 in rubbish
    assert messages_in(rubbish + b"\n" + GOOD)[-1:] == [b"{}"]


def test_an_empty_message_is_a_message():
    assert messages_in(b"Content-Length: 0\r\n\r\n" + GOOD) == [b"", b"{}"]


@pytest.mark.parametrize("length", range(len(GOOD)))
def test_half_a_message_and_the_end_is_the_end(length):
    assert messages_in(GOOD[:length]) == []


def test_a_connection_that_breaks_is_the_end():
    async def read() -> bytes | None:
        reader = asyncio.StreamReader()
        reader.feed_data(b"Content-Length: 10\r\n\r\n{")
        reader.set_exception(ConnectionResetError())
        return await read_message(reader)

    assert asyncio.run(read()) is None
