"""Answers the newest request of each document, after a pause in the typing.

All state changes on the event loop.  `in_flight` decides whether a generation goes on that a
superseded request has begun.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")


class Superseded(Exception):
    """A newer request for the same document came, or the document changed or was closed."""


class PendingRequest:
    """The place of one request, which it has until its `with` block is left."""

    def __init__(self, requests: PendingRequests, key: str) -> None:
        self._requests = requests
        self._key = key
        self._superseded: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def pause(self, seconds: float) -> None:
        """Waits for the typing to pause.

        Raises:
            Superseded: the next key came first.
        """
        await asyncio.wait({self._superseded}, timeout=seconds)
        self._check()

    async def until_superseded(self, work: Awaitable[T]) -> T:
        """Returns the result of `work`, which goes on where the request is superseded meanwhile.

        Raises:
            Superseded: a newer request came first.
        """
        running = asyncio.ensure_future(work)
        # Nobody awaits an abandoned result; taking its exception keeps asyncio from reporting it.
        running.add_done_callback(lambda done: done.cancelled() or done.exception())
        either: set[asyncio.Future[Any]] = {running, self._superseded}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        self._check()
        return running.result()

    def supersede(self) -> None:
        """Ends this request; its `pause` or `until_superseded` raises."""
        if not self._superseded.done():
            self._superseded.set_result(None)

    def _check(self) -> None:
        if self._superseded.done():
            raise Superseded

    def __enter__(self) -> PendingRequest:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.supersede()
        self._requests.leave(self._key, self)


class PendingRequests:
    """The newest request of each document."""

    def __init__(self) -> None:
        self._newest: dict[str, PendingRequest] = {}

    def begin(self, key: str) -> PendingRequest:
        """Returns the place of a new request; the older one of the same document ends now."""
        self.supersede(key)
        request = self._newest[key] = PendingRequest(self, key)
        return request

    def supersede(self, key: str) -> bool:
        """Ends the request under way for a document; tells whether there was one."""
        request = self._newest.pop(key, None)
        if request is None:
            return False
        request.supersede()
        return True

    def leave(self, key: str, request: PendingRequest) -> None:
        """Forgets a request that is done."""
        if self._newest.get(key) is request:
            del self._newest[key]
