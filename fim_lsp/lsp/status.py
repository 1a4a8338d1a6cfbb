"""Tells the client of the model: its state, a progress bar while it loads, an error once."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Coroutine
from typing import Any

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException

from fim_lsp.lsp.jsonrpc import FimProtocol
from fim_lsp.model_host.host import ModelHost
from fim_lsp.model_host.status import HostStatus
from fim_lsp.model_offers.adder import Adding, ModelAdder

logger = logging.getLogger(__name__)

STATUS = "fimLsp/status"
_BEHIND_SECONDS = 0.002
"""Time after which a status is sent: behind the work that it tells of, and the answer.

A message takes a part of a millisecond, in which the engine's thread waits for Python's lock.
"""


class StatusReporter:
    """Follows the model's state and tells one client."""

    def __init__(
        self,
        host: ModelHost,
        adder: ModelAdder,
        protocol: FimProtocol,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        """`spawn` starts a task that nobody cancels.

        A request to the client from a task that is cancelled would leave its reply without a taker.
        """
        self._host, self._adder = host, adder
        self._protocol = protocol
        self._spawn = spawn
        self._subscriptions: list[Callable[[], None]] = []
        self._is_enabled = True
        self._shows_progress = False
        self._is_loading = False
        self._loaded = asyncio.Event()
        self._last: dict[str, Any] | None = None
        self._indexed_files: int | None = None
        self._percent: int | None = None
        self._token = ""
        """Token of the progress bar, while one is shown."""
        self._told: set[str] = set()

    def start(self, *, shows_progress: bool) -> None:
        """Reports from now on; call when the client is initialized, which it must be to listen."""
        self._shows_progress = shows_progress
        self._subscriptions = [
            self._host.subscribe(lambda status: self._update()),
            self._adder.subscribe(lambda adding: self._update()),
        ]
        self._update()

    def stop(self) -> None:
        """Reports no more."""
        for unsubscribe in self._subscriptions:
            unsubscribe()
        self._subscriptions = []

    def enable(self, is_enabled: bool) -> None:
        """Takes whether this client wants completions at all."""
        self._is_enabled = is_enabled
        if self._subscriptions:
            self._update()

    def indexed(self, num_files: int) -> None:
        """Takes the number of files, when the workspace has been looked through."""
        self._indexed_files = num_files
        if self._subscriptions:
            self._update()

    def _update(self) -> None:
        host = self._host.status
        state = host.state if self._is_enabled else "disabled"
        status: dict[str, Any] = {
            "state": state,
            "model": host.model,
            "engine": host.engine,
            "message": host.message,
            "adding": _as_json(self._adder.current),
        }
        if host.warning:
            status["warning"] = host.warning
        if host.languages:
            status["languages"] = list(host.languages)
        if (kept := host.kept_texts) is not None:
            status["keptTexts"] = {
                "number": kept.number,
                "usedBytes": kept.used_bytes,
                "maxBytes": kept.max_bytes,
            }
        if (forms := host.weight_forms) is not None:
            status["weightForms"] = {
                "reading": forms.reading,
                "writing": forms.writing,
                "hasShortlist": forms.has_shortlist,
            }
        if (server := host.server) is not None:
            status["server"] = {
                "place": server.place,
                "hasProbabilities": server.has_probabilities,
                "stopsAbandoned": server.stops_abandoned,
            }
        if self._indexed_files is not None:
            status["indexedFiles"] = self._indexed_files
        if status == self._last:
            return
        self._last = status
        asyncio.get_running_loop().call_later(
            _BEHIND_SECONDS, self._protocol.notify, STATUS, status
        )
        if state == "starting":
            self._loaded.clear()
            if self._shows_progress and not self._is_loading:
                self._is_loading = True
                self._spawn(self._show_loading())
            self._report_preparation(host)
        else:
            self._loaded.set()
        if state == "error":
            self._tell_once(lsp.MessageType.Error, host.message)
        elif state != "disabled" and host.warning:
            self._tell_once(lsp.MessageType.Warning, host.warning)

    def _tell_once(self, kind: lsp.MessageType, message: str) -> None:
        if message not in self._told:
            self._told.add(message)
            self._protocol.notify(
                lsp.WINDOW_SHOW_MESSAGE, lsp.ShowMessageParams(kind, f"fim-lsp: {message}")
            )

    def _report_preparation(self, status: HostStatus) -> None:
        """Shows on the progress bar, where there is one, how far the model's preparation is."""
        percent = status.progress.percent if status.progress else None
        if percent is not None and self._token and percent != self._percent:
            self._percent = percent
            self._progress(
                self._token,
                lsp.WorkDoneProgressReport(message=status.message, percentage=percent),
            )

    async def _show_loading(self) -> None:
        """Shows a progress bar from now until the model is loaded."""
        token = f"fim-lsp-{uuid.uuid4()}"
        try:
            await self._protocol.send_request_async(
                lsp.WINDOW_WORK_DONE_PROGRESS_CREATE, lsp.WorkDoneProgressCreateParams(token)
            )
            if not self._loaded.is_set():
                title = f"Loading {self._host.status.model or 'the model'}"
                self._progress(token, lsp.WorkDoneProgressBegin(title, cancellable=False))
                self._token, self._percent = token, None
                self._report_preparation(self._host.status)
                await self._loaded.wait()
                self._progress(token, lsp.WorkDoneProgressEnd(message=self._host.status.state))
        except JsonRpcException as error:
            logger.info("the client shows no progress: %s", error)
        finally:
            self._is_loading, self._token = False, ""

    def _progress(
        self,
        token: str,
        value: lsp.WorkDoneProgressBegin | lsp.WorkDoneProgressReport | lsp.WorkDoneProgressEnd,
    ) -> None:
        self._protocol.notify(lsp.PROGRESS, lsp.ProgressParams(token, value))


def _as_json(adding: Adding | None) -> dict[str, Any] | None:
    if adding is None:
        return None
    return {"model": adding.model, "share": int(adding.share * 100) / 100, "step": adding.step}
