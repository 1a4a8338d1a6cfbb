"""Generations under way, and who waits for them.

A request ends when the user types on, but what the model is writing for it may be just what is
typed.  So a generation outlives its request for a moment: the next request joins it when the typed
characters agree with its text, and gets the rest.  One that has written nothing yet is stopped at
once, and so is one whose text and the typed characters part.

All methods belong to the event loop's thread, except `InFlightGeneration.wrote`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from fim_lsp.completion.cache import CacheKey, typed_between

_GRACE_SECONDS = 0.3
"""After its request is over; clients that wait before they ask wait less than this."""


def agree(text: str, typed: str) -> bool:
    """Whether a text and what was typed meanwhile may still be the same.

    >>> agree("return x", "ret"), agree("ret", "return"), agree("ret", "raise")
    (True, True, False)
    """
    return text.startswith(typed) or typed.startswith(text)


class InFlightGeneration:
    """One generation."""

    def __init__(self, key: CacheKey, *, is_joinable: bool = True) -> None:
        self.key = key
        self.cancel = threading.Event()
        """Polled by the engine at each token."""
        self.work: asyncio.Future[Any]
        self.is_joinable = is_joinable
        self._text = ""
        self._typed = ""
        self._waiting = 0
        self._landing: asyncio.TimerHandle | None = None

    def wrote(self, text: str) -> None:
        """The text so far; called on the engine's thread at each token."""
        self._text = text
        if not agree(text, self._typed):
            self.cancel.set()

    def join(self, key: CacheKey) -> bool:
        """Whether this may go on for a request that sees this now; it then does."""
        typed = typed_between(self.key, key)
        if typed is None or self.cancel.is_set() or not self.is_joinable:
            return False
        if typed and not (self._text and agree(self._text, typed)):
            return False
        self._typed = typed
        return True

    def enter(self) -> None:
        """A request waits for this."""
        self._waiting += 1
        self._stay()

    def leave(self) -> None:
        """It does no more: land soon, or at once where nothing is written yet."""
        self._waiting -= 1
        if self._waiting or self.work.done():  # the next request may have come before
            return
        if self._text and self.is_joinable:
            self._stay()
            self._landing = asyncio.get_running_loop().call_later(_GRACE_SECONDS, self.cancel.set)
        else:
            self.cancel.set()

    def _stay(self) -> None:
        if self._landing is not None:
            self._landing.cancel()
        self._landing = None


class InFlightGenerations:
    """At most one generation of each document."""

    def __init__(self) -> None:
        self._generations: dict[str, InFlightGeneration] = {}

    def start(
        self, flight: InFlightGeneration, work: Callable[[], Awaitable[Any]]
    ) -> InFlightGeneration:
        """Begin a generation; an older one of the same document ends now."""
        self.stop(flight.key.uri)
        self._generations[flight.key.uri] = flight
        flight.work = asyncio.ensure_future(work())
        flight.work.add_done_callback(lambda done: self._landed(flight))
        return flight

    def join(self, key: CacheKey) -> InFlightGeneration | None:
        """The generation that already writes what this request needs; any other of it ends now."""
        flight = self._generations.get(key.uri)
        if flight is None or flight.join(key):
            return flight
        self.stop(key.uri)
        return None

    def stop(self, uri: str) -> None:
        """End the generation of a document within a token, if there is one."""
        flight = self._generations.pop(uri, None)
        if flight is not None:
            flight.cancel.set()

    def _landed(self, flight: InFlightGeneration) -> None:
        flight._stay()
        if self._generations.get(flight.key.uri) is flight:
            del self._generations[flight.key.uri]
        # Nobody may be waiting any more; taking the exception keeps asyncio from reporting it.
        if not flight.work.cancelled():
            flight.work.exception()
