"""Bytes that are no message of LSP, by name."""

from __future__ import annotations

_FRAMED = b"Content-Length: %d\r\n\r\n%b"


def body(data: bytes) -> bytes:
    return _FRAMED % (len(data), data)


RUBBISH = {
    "no JSON": body(b"hello"),
    "half an object": body(b'{"jsonrpc": "2.0", "id": 1'),
    "an empty body": body(b""),
    "an array": body(b"[]"),
    "a batch": body(b'[{"jsonrpc": "2.0", "id": 1, "method": "shutdown"}]'),
    "null": body(b"null"),
    "a string": body(b'"x"'),
    "no UTF-8": body(b'{"jsonrpc": "2.0", "method": "\xff\xfe"}'),
    "deep nesting": body(b"[" * 100_000),
    "a huge number": body(b'{"jsonrpc": "2.0", "id": ' + b"9" * 5000 + b"}"),
    "an empty object": body(b"{}"),
    "a reply to nothing": body(b'{"jsonrpc": "2.0", "id": "no such", "result": 1}'),
    "an error to nothing": body(b'{"jsonrpc": "2.0", "id": 7, "error": {"code": 1}}'),
    "a reply of odd shape": body(b'{"jsonrpc": "2.0", "id": [], "result": {}, "error": 3}'),
    "a method that is none": body(b'{"jsonrpc": "2.0", "method": {"x": []}}'),
    "another protocol": body(b'{"jsonrpc": "1.0", "method": "textDocument/didOpen"}'),
}
NO_FRAMES = {
    "a garbage header": b"Content-Length: many\r\n\r\n",
    "lines of text": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a length too short": _FRAMED % (5, b'{"jsonrpc": "2.0"}\n'),
    "a long line": b"x" * 300_000 + b"\n",
}
