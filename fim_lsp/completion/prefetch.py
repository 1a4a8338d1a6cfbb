"""Work for which nobody waits: after a pause in the typing the model reads up to the cursor.

How much of it there may be is decided by the `idle_budget`; that it makes way for every request, by
the `engine_host`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace

from fim_lsp.document import DocumentSnapshot
from fim_lsp.model_host.host import ModelHost
from fim_lsp.suggestion import Completion
from model_runtime.served_model import ServedModel

_PAUSE_SECONDS = 0.5
"""Clients that wait before they ask have asked by then."""

Work = Callable[[ServedModel], object]


class IdlePrefill:
    """One job at a time, and only while nothing else happens in this editor."""

    def __init__(self, host: ModelHost, pause_seconds: float = _PAUSE_SECONDS) -> None:
        self._host, self._pause_seconds = host, pause_seconds
        self._timer: asyncio.TimerHandle | None = None
        self._cancel = threading.Event()
        self._running: asyncio.Future[object] | None = None

    def after_a_pause(self, make: Callable[[threading.Event], Work | None]) -> None:
        """Make a job and run it, unless `stop` is called within the pause.

        `make` is called with the flag that will stop the job, and may decide that there is none.
        """
        self.stop()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._pause_seconds, self._begin, make)

    def stop(self) -> None:
        """Something happens: no job begins, and a running one ends within a token."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._cancel.set()
        self._cancel = threading.Event()

    def _begin(self, make: Callable[[threading.Event], Work | None]) -> None:
        work = make(self._cancel)
        if work is not None:
            self._running = asyncio.ensure_future(self._host.run_idle(work, self._cancel))


def after_accepting(snapshot: DocumentSnapshot, completion: Completion) -> DocumentSnapshot:
    """The document as it will be, with the cursor behind what was accepted."""
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
