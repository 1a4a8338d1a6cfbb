"""Does work for which nobody waits: reading up to the cursor, and what follows an acceptance.

`idle_budget` decides how much of it there may be, and the model's host that it makes way for every
request.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace

from fim_lsp.completion.cache import TypeThroughCache
from fim_lsp.completion.gate import silence_of, silence_of_language
from fim_lsp.completion.generator import Generator
from fim_lsp.completion.inputs import Inputs
from fim_lsp.completion.language_filters import is_inside_word
from fim_lsp.completion.request import CompletionRequest
from fim_lsp.completion.shown import ShownSuggestion
from fim_lsp.document import DocumentSnapshot
from fim_lsp.model_host.host import ModelHost
from fim_lsp.suggestion import Completion, Trigger
from fim_lsp.workspace.project import Project

PAUSE_SECONDS = 0.5
"""Clients that wait before they ask have asked by then."""

NextRequest = Callable[[], "CompletionRequest | None"]
"""Makes the request that typing would make where the cursor is now; None where that is unknown."""


class IdleTimer:
    """Calls back after a pause, unless it is started again or stopped before."""

    def __init__(self, pause_seconds: float = PAUSE_SECONDS) -> None:
        self._pause_seconds = pause_seconds
        self._timer: asyncio.TimerHandle | None = None

    def restart(self, callback: Callable[[], None]) -> None:
        """Forgets an earlier callback, and calls this one after the pause."""
        self.stop()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._pause_seconds, self._call, callback)

    def stop(self) -> None:
        """Calls nothing back."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None

    @property
    def is_running(self) -> bool:
        """Whether something will be called back."""
        return self._timer is not None

    def _call(self, callback: Callable[[], None]) -> None:
        self._timer = None
        callback()


class IdleWork:
    """The idle work of one editor."""

    def __init__(
        self,
        host: ModelHost,
        cache: TypeThroughCache,
        generator: Generator,
        project: Project,
        timer: IdleTimer,
    ) -> None:
        """Takes what the provider works with.

        Args:
            host: runs the work, where the budget allows it.
            cache: tells what is known already.
            generator: generates.
            project: has the files beside a document.
            timer: waits for a pause in the typing.
        """
        self._host = host
        self._cache = cache
        self._generator = generator
        self._project = project
        self._timer = timer
        self._cancel = threading.Event()
        self._running: asyncio.Future[None] | None = None

    def prefill_after_pause(self, next_request: NextRequest) -> None:
        """Lets the model read the prompt of the next request after a pause in the typing.

        What there was to do for the text before ends.
        """
        self._cancel.set()
        self._timer.restart(lambda: self._prefill(next_request))

    def stop(self) -> None:
        """Keeps the model from reading ahead, and ends within a token what it reads."""
        self._timer.stop()
        self._cancel.set()

    def prefetch_after(self, accepted: ShownSuggestion) -> None:
        """Makes the suggestion that may follow an accepted one."""
        request = request_after(accepted)
        is_wanted = request.settings.idle_work and silence_of(request, self._host) is None
        if not is_wanted or is_inside_word(request.snapshot.hole):
            return
        inputs = Inputs.of(request, self._host, self._project)
        if self._cache.lookup(inputs.key) is None:
            self._generator.prefetch(inputs)

    def _prefill(self, next_request: NextRequest) -> None:
        request = next_request()
        if request is None or not request.settings.idle_work or silence_of(request, self._host):
            return
        inputs = Inputs.of(request, self._host, self._project)
        if silence_of_language(request.snapshot.language_id, request.settings, inputs.model):
            return
        self._cancel = threading.Event()
        work = self._generator.prefill(inputs, self._cancel)
        self._running = asyncio.ensure_future(self._host.run_idle(work, self._cancel))


def request_after(accepted: ShownSuggestion) -> CompletionRequest:
    """Returns the request that typing will make once a suggestion was accepted."""
    request = accepted.request
    snapshot = snapshot_after(request.snapshot, accepted.completion)
    return replace(request, snapshot=snapshot, trigger=Trigger.AUTOMATIC, selected=None)


def snapshot_after(snapshot: DocumentSnapshot, completion: Completion) -> DocumentSnapshot:
    """Returns the document as it will be, with the cursor behind what was accepted."""
    new = completion.text
    if "\r\n" in snapshot.text:  # editors write the document's own line ends
        new = new.replace("\n", "\r\n")
    before = snapshot.text[: completion.start] + new
    return replace(
        snapshot,
        text=before + snapshot.text[completion.end :],
        offset=len(before),
        line=snapshot.line + new.count("\n"),
    )
