"""The connections to one server: each is lent to a request, and kept for the next one.

One thread looks after all that are lent: a request that is cancelled, or that takes longer than it
may, is broken off.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from model_runtime.engines.remote.connection import Connection
from model_runtime.engines.remote.problem import Cancelled

_POLL_SECONDS = 0.01
"""Time in which it is noticed that a request is cancelled, while others wait as well."""


@dataclass(eq=False)
class Exchange:
    """One request that is under way, and its connection."""

    connection: Connection
    cancel: threading.Event
    """Breaks it off when it is set."""
    deadline: float
    """Breaks it off when `time.monotonic` is there."""
    is_broken_off: bool = False

    @property
    def is_late(self) -> bool:
        """Whether it takes longer than it may."""
        return time.monotonic() >= self.deadline


class Connections:
    """Lends connections; may be used by several threads."""

    def __init__(self, make: Callable[[], Connection]) -> None:
        """Opens none yet.

        Args:
            make: returns a new connection.
        """
        self._make = make
        self._changed = threading.Condition()
        self._idle: list[Connection] = []
        self._lent: list[Exchange] = []
        self.is_open = True
        self._watcher = threading.Thread(target=self._watch, name="remote engine", daemon=True)
        self._watcher.start()

    @contextmanager
    def lend(self, cancel: threading.Event, seconds: float = float("inf")) -> Iterator[Exchange]:
        """Lends a connection to one request.

        Args:
            cancel: breaks the request off when it is set.
            seconds: after which it is broken off as well.

        Raises:
            Cancelled: all connections have been closed.
        """
        with self._changed:
            if not self.is_open:
                raise Cancelled
            connection = self._idle.pop() if self._idle else self._make()
            exchange = Exchange(connection, cancel, time.monotonic() + seconds)
            self._lent.append(exchange)
            self._changed.notify()
        try:
            yield exchange
        finally:
            self._take_back(exchange)

    def close(self) -> None:
        """Breaks off what is under way, and closes all connections."""
        with self._changed:
            if not self.is_open:
                return
            self.is_open = False
            self._changed.notify()
        self._watcher.join()
        for connection in self._idle:
            connection.close()

    def _take_back(self, exchange: Exchange) -> None:
        connection = exchange.connection
        with self._changed:
            self._lent.remove(exchange)
            connection.end_request()
            if connection.is_lost:
                return
            if self.is_open:
                self._idle.append(connection)
                return
        connection.close()

    def _watch(self) -> None:
        while self.is_open:
            with self._changed:
                running = [one for one in self._lent if not one.is_broken_off]
                if not running and self.is_open:
                    self._changed.wait()
            for exchange in running:
                if exchange.cancel.wait(_POLL_SECONDS / len(running)) or exchange.is_late:
                    self._break_off(exchange)
        with self._changed:
            for exchange in self._lent:
                exchange.connection.break_off()

    def _break_off(self, exchange: Exchange) -> None:
        with self._changed:  # its connection may serve another request by now
            if exchange in self._lent:
                exchange.is_broken_off = True
                exchange.connection.break_off()
