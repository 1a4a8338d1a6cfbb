from __future__ import annotations

import asyncio

import pytest

from fim_lsp.framing import MAX_MESSAGE_BYTES, read_message, read_message_strictly


def messages_in(data: bytes, read_next=read_message) -> list[bytes]:
    """All bodies in a stream of bytes that ends after them."""

    async def read() -> list[bytes]:
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        bodies = []
        while (body := await read_next(reader)) is not None:
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
    for read in (read_message, read_message_strictly):
        assert messages_in(header + b"{}" + GOOD, read) == [b"{}", b"{}"]


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


@pytest.mark.parametrize(
    "end",
    [
        b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
        b"Host: localhost\r\nContent-Length: 2\r\n\r\n{}",
        b"Content-Length: 2\r\nOrigin: null\r\n\r\n{}",
        b"xContent-Length: 2\r\n\r\n{}",
        b"Content-Length: -2\r\n\r\n{}",
        b"Content-Length: 2 2\r\n\r\n{}",
        b"\r\n",
        b"Content-Type: x\r\n" * 100,
        b"Content-Type: " + b"x" * 200_000 + b"\r\n",
        b"Content-Length: %d\r\n\r\n" % (MAX_MESSAGE_BYTES + 1),
        b"\0" * 200_000,
    ],
    ids=lambda data: repr(data[:30]),
)
def test_a_strict_reader_ends_at_the_first_line_that_is_no_header(end):
    assert messages_in(GOOD + end + GOOD, read_message_strictly) == [b"{}"]


@pytest.mark.parametrize("excess", [0, 1])
def test_a_message_above_the_limit_is_left_out_whole(excess):
    length = MAX_MESSAGE_BYTES + excess
    data = b"Content-Length: %d\r\n\r\n%b" % (length, b" " * length) + GOOD
    assert list(map(len, messages_in(data))) == ([2] if excess else [length, 2])


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
