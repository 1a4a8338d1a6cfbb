"""Keeps generations that are under way, and lets later requests join them.

A request ends when the user types on, but what the model is writing for it may be just what is
typed.  So a generation outlives its request for a moment: the next request joins it when the typed
characters agree with its text, and gets the rest.  One that has written nothing yet is stopped at
once, and so is one whose text and the typed characters part.

All methods belong to the event loop's thread, except `InFlightGeneration.on_text`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

from fim_lsp.completion.cache import CacheKey, after_typing, typed_between
from fim_lsp.completion.pending import PendingRequest
from fim_lsp.completion.trace import GenerationResult

GRACE_SECONDS = 0.3
"""Time that a generation goes on after its request; clients that wait before they ask wait less."""


def agree(text: str, typed: str) -> bool:
    """Tells whether a text and what was typed meanwhile may still be the same.

    >>> agree("return x", "ret"), agree("ret", "return"), agree("ret", "raise")
    (True, True, False)
    """
    return text.startswith(typed) or typed.startswith(text)


class InFlightGeneration:
    """One generation, which begins when it is made."""

    def __init__(
        self,
        key: CacheKey,
        run: Callable[[InFlightGeneration], Awaitable[GenerationResult]],
        *,
        is_joinable: bool = True,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        """Begins to run.

        Args:
            key: of the request that it is for.
            run: generates; polls `cancel`, and calls `on_text` with the text so far.
            is_joinable: whether a request other than the first may take its result.
            grace_seconds: how long it goes on when nobody waits for it.
        """
        self.key = key
        self.cancel = threading.Event()
        """Polled by the engine at each token."""
        self.is_joinable = is_joinable
        self._grace_seconds = grace_seconds
        self._text = ""
        self._typed = ""
        self._waiting = 0
        self._stopping: asyncio.TimerHandle | None = None
        self._work = asyncio.ensure_future(run(self))
        self._work.add_done_callback(self._finished)

    def on_text(self, text: str) -> None:
        """Takes the text so far; called on the engine's thread at each token."""
        self._text = text
        if not agree(text, self._typed):
            self.cancel.set()

    def join(self, key: CacheKey) -> bool:
        """Tells whether a request may wait for this generation, which then goes on for it."""
        typed = typed_between(self.key, key)
        if typed is None or self.cancel.is_set() or not self.is_joinable:
            return False
        if typed and not (self._text and agree(self._text, typed)):
            return False
        self._typed = typed
        return True

    async def result(self, pending: PendingRequest) -> GenerationResult:
        """Returns what the generation gives to the request that waits for it.

        Raises:
            Superseded: the request was overtaken; the generation goes on for a moment, or ends.
            ModelRuntimeError: the engine failed.
        """
        self._waiting += 1
        self._go_on()
        try:
            return await pending.until_superseded(self._work)
        finally:
            self._waiting -= 1
            self._leave()

    async def result_for(self, key: CacheKey, pending: PendingRequest) -> GenerationResult | None:
        """Returns the result less what was typed of it meanwhile; None where it is of no use.

        Args:
            key: of the request, which has joined.
            pending: the request's place.

        Raises:
            Superseded: the request was overtaken.
            ModelRuntimeError: the engine failed.
        """
        completions, trace = await self.result(pending)
        typed = typed_between(self.key, key)
        if typed is None or self.cancel.is_set():
            return None
        rest = after_typing(completions, self.key, typed)
        return GenerationResult(tuple(rest), trace) if rest or not typed else None

    @property
    def is_done(self) -> bool:
        """Tells whether there is a result, or an error."""
        return self._work.done()

    def add_done_callback(self, callback: Callable[[InFlightGeneration], None]) -> None:
        """Calls back on the event loop when there is a result, or an error."""
        self._work.add_done_callback(lambda _: callback(self))

    def _leave(self) -> None:
        """Ends the work soon, or at once where nothing is written yet."""
        if self._waiting or self._work.done():  # the next request may have come before
            return
        if self._text and self.is_joinable:
            self._go_on()
            loop = asyncio.get_running_loop()
            self._stopping = loop.call_later(self._grace_seconds, self.cancel.set)
        else:
            self.cancel.set()

    def _go_on(self) -> None:
        if self._stopping is not None:
            self._stopping.cancel()
        self._stopping = None

    def _finished(self, work: asyncio.Future[GenerationResult]) -> None:
        self._go_on()
        # Nobody may be waiting any more; taking the exception keeps asyncio from reporting it.
        if not work.cancelled():
            work.exception()


class InFlightGenerations:
    """The generations under way, at most one of each document."""

    def __init__(self, grace_seconds: float = GRACE_SECONDS) -> None:
        self._grace_seconds = grace_seconds
        self._generations: dict[str, InFlightGeneration] = {}

    def __len__(self) -> int:
        return len(self._generations)

    def start(
        self,
        key: CacheKey,
        run: Callable[[InFlightGeneration], Awaitable[GenerationResult]],
        *,
        is_joinable: bool = True,
    ) -> InFlightGeneration:
        """Begins a generation; an older one of the same document ends now.

        Args:
            key: of the request that it is for.
            run: generates.
            is_joinable: whether another request may take its result.
        """
        self.stop(key.uri)
        generation = InFlightGeneration(
            key, run, is_joinable=is_joinable, grace_seconds=self._grace_seconds
        )
        self._generations[key.uri] = generation
        generation.add_done_callback(self._forget)
        return generation

    def join(self, key: CacheKey) -> InFlightGeneration | None:
        """Returns the generation that already writes what a request needs; any other ends now."""
        generation = self._generations.get(key.uri)
        if generation is None or generation.join(key):
            return generation
        self.stop(key.uri)
        return None

    def stop(self, uri: str) -> None:
        """Ends the generation of a document within a token, if there is one."""
        generation = self._generations.pop(uri, None)
        if generation is not None:
            generation.cancel.set()

    def _forget(self, generation: InFlightGeneration) -> None:
        if self._generations.get(generation.key.uri) is generation:
            del self._generations[generation.key.uri]
