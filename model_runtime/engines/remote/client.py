"""Speaks HTTP to one server: JSON there and back, and answers that come line by line.

httpx runs on an event loop in a thread of its own, so that a request can be given up in any of its
phases: while it connects, while the server reads the prompt, and between two tokens.  Giving it up
closes its socket, by which the server knows.  Redirects are never followed, since they could lead
to another host, and everything that a server may send is bounded.
"""

from __future__ import annotations

import asyncio
import json
import logging
import queue
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from model_runtime.engines.endpoint import Address
from model_runtime.engines.remote import refusals
from model_runtime.engines.remote.problem import Cancelled

if TYPE_CHECKING:
    import httpx

logger = logging.getLogger(__name__)

CONNECT_SECONDS, READ_SECONDS = 5.0, 60.0
"""Time to be connected, and between two pieces of an answer; a long prompt is read meanwhile."""
_JSON_SECONDS = 30.0
"""Time of an answer that is read whole."""
MAX_JSON_BYTES = 64 * 2**20
"""Bytes of an answer that is read whole; a list of all tokens has some ten million."""
MAX_STREAM_BYTES, MAX_LINE_BYTES = 64 * 2**20, 4 * 2**20
_POLL_SECONDS = 0.01
"""So often a request that waits looks whether it was cancelled."""
_CLOSE_SECONDS = 2.0
_END_SECONDS = 0.1
"""Time that a server gets to end an answer whose last token has come."""
_TRIES = 3
"""Connections on which a request is sent while none answers; the first ones may be kept ones."""
_KEPT_SECONDS = 300.0
"""Time for which a connection is kept for the next request."""

T = TypeVar("T")


class Answer:
    """The lines of one answer, as they come."""

    def __init__(
        self, received: queue.SimpleQueue[str | Exception | None], cancel: threading.Event
    ) -> None:
        """Takes what comes: lines, then None, or what broke the answer off."""
        self._received, self._cancel = received, cancel
        self.is_complete = False
        """Set by whoever reads the lines, once nothing more can come of them."""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        while True:
            if self._cancel.is_set():
                raise Cancelled
            try:
                item = self._received.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                continue
            if isinstance(item, Exception):
                raise item
            if item is None:
                raise StopIteration
            return item


class HttpClient:
    """Connections to one server; may be used by several threads."""

    def __init__(self, address: Address, key: str = "") -> None:
        """Opens no connection yet.

        Args:
            address: the server's.
            key: sent as a bearer token; empty for none.
        """
        self._address = address
        self._headers = {"Accept-Encoding": "identity", "User-Agent": "fim-lsp"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self._loop = asyncio.new_event_loop()
        self._client = _made(address, self._headers)
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="remote engine", daemon=True
        )
        self._thread.start()

    @property
    def place(self) -> str:
        """The server in words."""
        return self._address.place

    def get(self, path: str) -> Any:
        """Returns the JSON at a path.

        Raises:
            ServerProblem: the server does not answer, or not with JSON.
        """
        return self._run(self._json("GET", path, None))

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Returns the JSON that answers a body.

        Raises:
            ServerProblem: as `get`.
        """
        return self._run(self._json("POST", path, body))

    @contextmanager
    def lines(
        self, path: str, body: Mapping[str, Any], cancel: threading.Event
    ) -> Iterator[Answer]:
        """Gives the lines of an answer as they come; the socket is closed behind the block.

        Args:
            path: where the body is posted to.
            body: is sent as JSON.
            cancel: ends the answer when it is set.

        Raises:
            ServerProblem: the server does not answer, or breaks off; also while lines are taken.
            Cancelled: `cancel` was set; also while lines are taken.
        """
        received: queue.SimpleQueue[str | Exception | None] = queue.SimpleQueue()
        is_over = threading.Event()
        task = asyncio.run_coroutine_threadsafe(
            self._receive(path, body, received, is_over), self._loop
        )

        answer = Answer(received, cancel)
        try:
            yield answer
        finally:
            # A connection whose answer is over may serve the next request.
            if not is_over.wait(_END_SECONDS if answer.is_complete else 0):
                task.cancel()
                is_over.wait(_CLOSE_SECONDS)  # by then the socket is closed

    def close(self) -> None:
        """Closes all connections, and ends the thread."""
        if not self._loop.is_closed():
            self._run(self._end())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._client.aclose()

    async def _json(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        with refusals.translated(self.place):
            content = await asyncio.wait_for(self._content(method, path, body), _JSON_SECONDS)
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            raise refusals.no_json(self.place, path, content) from None

    async def _content(self, method: str, path: str, body: Mapping[str, Any] | None) -> bytes:
        async with self._response(method, path, body) as response:
            return await self._checked(response, path)

    @asynccontextmanager
    async def _response(
        self, method: str, path: str, body: Mapping[str, Any] | None
    ) -> AsyncIterator[httpx.Response]:
        """Gives the response to a request, whose content is not read yet.

        A server may end a kept connection at the moment when it is used again.  Then nothing was
        answered, and the same is asked on another one.
        """
        import httpx

        request = self._client.build_request(method, self._address.url + path, json=body)
        for tries_left in reversed(range(_TRIES)):
            try:
                response = await self._client.send(request, stream=True)
                break
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                if not tries_left:
                    raise
        try:
            yield response
        finally:
            await response.aclose()

    async def _checked(self, response: httpx.Response, path: str) -> bytes:
        """Returns the whole content of an answer that is none of an error."""
        content = b""
        async for chunk in response.aiter_raw():
            content += chunk
            if len(content) > MAX_JSON_BYTES:
                raise refusals.endless(self.place, path)
        if response.status_code != 200:
            logger.debug("%s answered %s: %s", path, response.status_code, content[:1000])
            raise refusals.of_status(self.place, path, response.status_code, response.headers)
        return content

    async def _receive(
        self,
        path: str,
        body: Mapping[str, Any],
        received: queue.SimpleQueue[str | Exception | None],
        is_over: threading.Event,
    ) -> None:
        try:
            with refusals.translated(self.place):
                async with self._response("POST", path, body) as response:
                    if response.status_code != 200:
                        await self._checked(response, path)
                    await self._take_lines(response, path, received)
            received.put(None)
        except asyncio.CancelledError:
            received.put(Cancelled())  # for whoever still waits, where the client is closed
            raise
        except Exception as error:
            received.put(error)
        finally:
            is_over.set()

    async def _take_lines(
        self,
        response: httpx.Response,
        path: str,
        received: queue.SimpleQueue[str | Exception | None],
    ) -> None:
        size, rest = 0, b""
        async for chunk in response.aiter_raw():
            size += len(chunk)
            *lines, rest = (rest + chunk).split(b"\n")
            if size > MAX_STREAM_BYTES or len(rest) > MAX_LINE_BYTES:
                raise refusals.endless(self.place, path)
            for line in lines:
                received.put(line.decode(errors="replace"))
        if rest:
            received.put(rest.decode(errors="replace"))


def _made(address: Address, headers: Mapping[str, str]) -> httpx.AsyncClient:
    """Returns a client with the proxies and certificates of the environment.

    Nothing that is meant for this machine goes through a proxy.
    """
    import httpx

    return httpx.AsyncClient(
        headers=dict(headers),
        http1=True,
        http2=False,
        follow_redirects=False,
        timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
        limits=httpx.Limits(max_keepalive_connections=16, keepalive_expiry=_KEPT_SECONDS),
        trust_env=not address.is_loopback,
        verify=_certificates(address),
    )


def _certificates(address: Address) -> Any:
    """Returns the certificates that are trusted; those of SSL_CERT_FILE also for this machine."""
    import httpx

    if address.is_loopback and not address.url.startswith("https:"):
        return False  # none is needed, and to read them takes time
    return httpx.create_ssl_context(trust_env=True)
