"""Speaks HTTP to one server: JSON there and back, and answers that come line by line.

A request can be given up while the server reads the prompt, and between two tokens: its socket is
closed then, by which the server knows (`connection`).  Redirects are never followed, since they
could lead to another host, and everything that a server may send is bounded.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from model_runtime.engines.endpoint import Address
from model_runtime.engines.remote import refusals
from model_runtime.engines.remote.connection import Connection
from model_runtime.engines.remote.connections import Connections, Exchange
from model_runtime.engines.remote.problem import Cancelled, ServerProblem

if TYPE_CHECKING:
    import httpx

logger = logging.getLogger(__name__)

_JSON_SECONDS = 30.0
"""Time of an answer that is read whole."""
MAX_JSON_BYTES = 64 * 2**20
"""Bytes of an answer that is read whole; a list of all tokens has some ten million."""
MAX_STREAM_BYTES, MAX_LINE_BYTES = 64 * 2**20, 4 * 2**20
_END_SECONDS = 0.1
"""Time that a server gets to end an answer whose last token has come."""


class Answer(Iterator[str]):
    """The lines of one answer, as they come."""

    def __init__(self, lines: Generator[str, None, None], cancel: threading.Event) -> None:
        """Takes where the lines come from, and what ends them."""
        self._lines, self._cancel = lines, cancel
        self.is_complete = False
        """Set by whoever reads the lines, once nothing more can come of them."""

    def __next__(self) -> str:
        if self._cancel.is_set():
            raise Cancelled
        return next(self._lines)


class HttpClient:
    """Connections to one server; may be used by several threads."""

    def __init__(self, address: Address, key: str = "") -> None:
        """Opens no connection yet.

        Args:
            address: the server's.
            key: sent as a bearer token; empty for none.
        """
        self._address = address
        headers = {"Accept-Encoding": "identity", "User-Agent": "fim-lsp"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        certificates = _certificates(address)
        self._connections = Connections(lambda: Connection(address, headers, certificates))

    @property
    def place(self) -> str:
        """The server in words."""
        return self._address.place

    def get(self, path: str) -> Any:
        """Returns the JSON at a path.

        Raises:
            ServerProblem: the server does not answer, or not with JSON.
        """
        return self._json("GET", path, None)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Returns the JSON that answers a body.

        Raises:
            ServerProblem: as `get`.
        """
        return self._json("POST", path, body)

    @contextmanager
    def lines(
        self, path: str, body: Mapping[str, Any], cancel: threading.Event
    ) -> Iterator[Answer]:
        """Gives the lines of an answer as they come.

        Behind the block the socket is closed, unless the answer is over.

        Args:
            path: where the body is posted to.
            body: is sent as JSON.
            cancel: ends the answer when it is set.

        Raises:
            ServerProblem: the server does not answer, or breaks off; also while lines are taken.
            Cancelled: `cancel` was set; also while lines are taken.
        """
        with (
            self._connections.lend(cancel) as exchange,
            closing(self._lines(exchange, path, body)) as lines,
        ):
            answer = Answer(lines, cancel)
            try:
                yield answer
            finally:
                if answer.is_complete:  # its connection may serve the next request
                    exchange.deadline = time.monotonic() + _END_SECONDS
                    with suppress(ServerProblem, Cancelled):
                        deque(lines, maxlen=0)

    def close(self) -> None:
        """Breaks all requests off, and closes all connections."""
        self._connections.close()

    def _json(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        with (
            self._connections.lend(threading.Event(), _JSON_SECONDS) as exchange,
            self._translated(exchange),
            closing(exchange.connection.send(method, path, body)) as response,
        ):
            content = self._checked(response, path)
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            raise refusals.no_json(self.place, path, content) from None

    def _lines(
        self, exchange: Exchange, path: str, body: Mapping[str, Any]
    ) -> Generator[str, None, None]:
        with (
            self._translated(exchange),
            closing(exchange.connection.send("POST", path, body)) as response,
        ):
            if response.status_code != 200:
                self._checked(response, path)
            size, rest = 0, b""
            for chunk in response.iter_raw():
                size += len(chunk)
                *lines, rest = (rest + chunk).split(b"\n")
                if size > MAX_STREAM_BYTES or len(rest) > MAX_LINE_BYTES:
                    raise refusals.endless(self.place, path)
                for line in lines:
                    yield line.decode(errors="replace")
            if rest:
                yield rest.decode(errors="replace")

    def _checked(self, response: httpx.Response, path: str) -> bytes:
        """Returns the whole content of an answer that is none of an error."""
        content = b""
        for chunk in response.iter_raw():
            content += chunk
            if len(content) > MAX_JSON_BYTES:
                raise refusals.endless(self.place, path)
        if response.status_code != 200:
            logger.debug("%s answered %s: %s", path, response.status_code, content[:1000])
            raise refusals.of_status(self.place, path, response.status_code, response.headers)
        return content

    @contextmanager
    def _translated(self, exchange: Exchange) -> Iterator[None]:
        """Raises a sentence in place of what httpx raises, or tells that it was broken off."""
        try:
            with refusals.translated(self.place):
                yield
        except ServerProblem:
            if exchange.cancel.is_set() or not self._connections.is_open:
                raise Cancelled from None
            if exchange.is_late:
                raise refusals.too_slow(self.place) from None
            raise


def _certificates(address: Address) -> Any:
    """Returns the certificates that are trusted; those of SSL_CERT_FILE also for this machine."""
    import httpx

    if address.is_loopback and not address.url.startswith("https:"):
        return False  # none is needed, and to read them takes time
    return httpx.create_ssl_context(trust_env=True)
