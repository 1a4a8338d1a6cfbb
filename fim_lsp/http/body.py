"""Reads the body of a request within limits of size and time."""

from __future__ import annotations

import asyncio
import json
from typing import Any, NoReturn

from starlette.requests import ClientDisconnect, Request

from fim_lsp.http.errors import ApiError
from fim_lsp.http.fields import Fields

MAX_BODY_BYTES = 8 << 20
"""A document and the parts of others that go with it are much smaller."""
MAX_BODY_SECONDS = 10.0
_SIMPLE_TYPES = frozenset(
    {"text/plain", "application/x-www-form-urlencoded", "multipart/form-data"}
)
"""Types that a web page may send to any server without asking it first."""


async def read_fields(request: Request) -> Fields:
    """Returns the JSON object in the body of a request.

    Raises:
        ApiError: it is too large, came too slowly, or is no JSON object.
        ClientDisconnect: the client is gone.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type in _SIMPLE_TYPES:
        raise ApiError(415, "the body must be JSON; send it with Content-Type: application/json")
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > MAX_BODY_BYTES:
        raise _too_large()
    try:
        body = await asyncio.wait_for(_read(request), MAX_BODY_SECONDS)
    except asyncio.TimeoutError:
        raise ApiError(
            408, f"the body did not come within {MAX_BODY_SECONDS:g} seconds; send it at once"
        ) from None
    return Fields(_json_object(body))


async def _read(request: Request) -> bytes:
    body = bytearray()
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise _too_large()
        if not message.get("more_body", False):
            return bytes(body)


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise ApiError(
            400, f"the body is no JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    except (ValueError, RecursionError):  # no UTF-8, endless numbers, endless nesting, NaN
        raise ApiError(400, "the body is no JSON that can be read; send UTF-8 text") from None
    if not isinstance(value, dict):
        raise ApiError(400, "the body must be a JSON object")
    return value


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)


def _too_large() -> ApiError:
    return ApiError(
        413, f"the body is larger than {MAX_BODY_BYTES >> 20} MB; send the text near the cursor"
    )
