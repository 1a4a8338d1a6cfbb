"""Serves a completion over one API: reads it, watches the connection, and writes the answer.

Work ends when its connection does: the task of a request is cancelled as soon as the client is
gone, and the engine looks at that at each token.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from fim_lsp.http.body import read_fields
from fim_lsp.http.errors import ApiError
from fim_lsp.http.exchange import CompletionApi, Stream
from fim_lsp.http.query import CompletionAnswer, CompletionQuery
from fim_lsp.http.service import CompletionService

logger = logging.getLogger(__name__)

T = TypeVar("T")

Endpoint = Callable[[Request], Awaitable[Response]]


def completion_endpoint(api: CompletionApi, service: CompletionService) -> Endpoint:
    """Returns the handler of an API's path."""

    async def complete(request: Request) -> Response:
        try:
            exchange = api.read(await read_fields(request), service)
            if exchange.stream is not None:
                return _Streamed(api, exchange.stream, exchange.query, service)
            work = service.complete(exchange.query)
            return JSONResponse(exchange.whole(await while_connected(work, request.receive)))
        except ApiError as error:
            return error_response(api, error)
        except ClientDisconnect:
            return Response(status_code=499)  # nobody reads it

    return complete


def error_response(api: CompletionApi, error: ApiError) -> JSONResponse:
    """Returns an error in the form of an API."""
    headers = dict(error.headers)
    if error.status in (408, 413):  # the rest of the body is not read
        headers["Connection"] = "close"
    return JSONResponse(api.error(error), error.status, headers)


async def while_connected(work: Awaitable[T], receive: Receive) -> T:
    """Returns the result of work, which is cancelled when the client leaves.

    Raises:
        ClientDisconnect: the client has left.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_until_gone(receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise ClientDisconnect
    finally:
        for one in (task, gone):
            one.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class _Streamed(Response):
    """An answer that is sent as it becomes sure; what was sent is never taken back."""

    def __init__(
        self,
        api: CompletionApi,
        stream: Stream,
        query: CompletionQuery,
        service: CompletionService,
    ) -> None:
        self._api = api
        self._stream = stream
        self._query = query
        self._service = service
        self._sent = ""
        self._has_begun = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Implements ASGI."""
        try:
            await while_connected(self._answer(send), receive)
        except ClientDisconnect:
            logger.debug("a client left before its answer was whole")
        except ApiError as error:
            if not self._has_begun:
                await error_response(self._api, error)(scope, receive, send)
                return
            body = json.dumps(self._api.error(error)).encode()
            await self._send(send, self._api.error_piece(body), is_last=True)

    async def _answer(self, send: Send) -> None:
        loop = asyncio.get_running_loop()
        sure: asyncio.Queue[str] = asyncio.Queue()

        def on_sure_text(text: str) -> None:
            loop.call_soon_threadsafe(sure.put_nowait, text)

        work = asyncio.ensure_future(self._service.complete(self._query, on_sure_text))
        try:
            while (text := await _next(sure, work)) is not None:
                await self._send_text(send, text)
            answer: CompletionAnswer = await work
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
        await self._send_text(send, answer.text)
        for piece in self._stream.end(answer):
            await self._send(send, piece)
        await self._send(send, b"", is_last=True)

    async def _send_text(self, send: Send, text: str) -> None:
        if text.startswith(self._sent) and len(text) > len(self._sent):
            piece, self._sent = text[len(self._sent) :], text
            await self._send(send, self._stream.piece(piece))

    async def _send(self, send: Send, body: bytes, *, is_last: bool = False) -> None:
        if not self._has_begun:
            self._has_begun = True
            headers = [
                (b"content-type", f"{self._api.media_type}; charset=utf-8".encode()),
                (b"cache-control", b"no-cache"),
            ]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": not is_last})


async def _next(queue: asyncio.Queue[str], work: asyncio.Future[CompletionAnswer]) -> str | None:
    """Returns the next text; None when the work is done."""
    getting = asyncio.ensure_future(queue.get())
    try:
        either: set[asyncio.Future[Any]] = {getting, work}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        return getting.result() if getting.done() else None
    finally:
        getting.cancel()
