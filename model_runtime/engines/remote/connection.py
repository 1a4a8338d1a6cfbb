"""One connection to a server, which another thread can break off at any moment.

httpx runs in the thread that waits for the answer, since a token that is handed from thread to
thread comes later.  A thread that waits for a socket hears of nothing else; so whoever gives a
request up shuts the socket, by which the waiting thread and the server both know.  While there is
no socket, for a name is looked up or a host does not answer, another thread waits in its place, and
is left to itself when the request is given up.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from model_runtime.engines.endpoint import Address

if TYPE_CHECKING:
    import httpx

    Outcomes = SimpleQueue[httpx.Response | Exception | None]

CONNECT_SECONDS, READ_SECONDS = 5.0, 60.0
"""Time to be connected, and between two pieces of an answer; a long prompt is read meanwhile."""
_TRIES = 2
"""Times that a request is sent while nothing is answered; the first connection may be a kept one.
"""
_KEPT_SECONDS = 300.0
"""Time for which a connection is kept for the next request."""
_NEW_STREAMS = ("connection.connect_tcp.complete", "connection.start_tls.complete")
"""Events of httpcore by which a connection is there, and by which it is encrypted."""


class Connection:
    """A connection that serves one request at a time, and is made anew where it has ended."""

    def __init__(self, address: Address, headers: Mapping[str, str], certificates: Any) -> None:
        """Connects when the first request is sent.

        Args:
            address: the server's.
            headers: are sent with each request.
            certificates: those that are trusted, as httpx takes them.
        """
        import httpx

        self._client = httpx.Client(
            headers=dict(headers),
            http1=True,
            http2=False,
            follow_redirects=False,
            timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=1, keepalive_expiry=_KEPT_SECONDS),
            # Nothing that is meant for this machine goes through a proxy.
            trust_env=not address.is_loopback,
            verify=certificates,
        )
        self._url = address.url
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._is_broken_off = False
        self._connecting: Outcomes | None = None
        """Takes what comes of a request that another thread sends."""
        self.is_lost = False
        """Whether that thread was left to itself: it closes the connection, which is over."""

    def send(self, method: str, path: str, body: Mapping[str, Any] | None) -> httpx.Response:
        """Returns the response to a request; its content is not read yet.

        A server may end a kept connection at the moment when it is used again.  Then nothing was
        answered, and the same is asked on another one.

        Raises:
            httpx.HTTPError: there is no answer, or the request was broken off.
        """
        import httpx

        request = self._client.build_request(
            method, self._url + path, json=body, extensions={"trace": self._trace}
        )
        for tries_left in reversed(range(_TRIES)):
            try:
                return self._sent(request)
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                if not tries_left or self._is_broken_off:
                    raise
        raise AssertionError("unreachable")

    def break_off(self) -> None:
        """Ends the request that is under way, at once."""
        with self._lock:
            self._is_broken_off = True
            if self._connecting is not None and self._socket is None:
                self.is_lost = True
                self._connecting.put(None)
            self._shut()

    def end_request(self) -> None:
        """Makes ready for the next request."""
        with self._lock:
            self._is_broken_off = False

    def close(self) -> None:
        """Closes the connection, which no request uses."""
        self._client.close()

    def _sent(self, request: httpx.Request) -> httpx.Response:
        """Sends in this thread where there is a connection, else in another one."""
        import httpx

        if self._socket is not None and self._socket.fileno() >= 0:
            return self._client.send(request, stream=True)
        outcomes: Outcomes = SimpleQueue()
        with self._lock:
            if self._is_broken_off:
                raise httpx.ConnectError("the request was given up")
            self._socket, self._connecting = None, outcomes
        threading.Thread(
            target=self._connect, args=(request, outcomes), name="remote connects", daemon=True
        ).start()
        outcome = outcomes.get()
        if outcome is None:
            raise httpx.ConnectError("the request was given up")
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def _connect(self, request: httpx.Request, outcomes: Outcomes) -> None:
        """Connects and sends, in a thread that nobody may be waiting for in the end."""
        outcome: httpx.Response | Exception
        try:
            outcome = self._client.send(request, stream=True)
        except Exception as error:
            outcome = error
        with self._lock:
            self._connecting = None
            if not self.is_lost:
                outcomes.put(outcome)
                return
        if not isinstance(outcome, Exception):
            outcome.close()
        self._client.close()

    def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Takes each event of httpcore."""
        if event in _NEW_STREAMS or event.endswith(_NEW_STREAMS):
            with self._lock:
                self._socket = info["return_value"].get_extra_info("socket")
                if self._is_broken_off or self.is_lost:
                    self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            with suppress(OSError):  # it is closed
                # That of an encrypted socket would take its encryption from the waiting thread.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
