"""Shows one client a progress bar, with a button to cancel, while a model is added."""

from __future__ import annotations

import logging
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException

from fim_lsp.lsp.session import FimServer
from fim_lsp.model_offers.adder import Adding

logger = logging.getLogger(__name__)


@asynccontextmanager
async def shown_progress(server: FimServer, name: str, token: Any = None) -> AsyncIterator[None]:
    """Shows for the time of the block how far the adding of a model is.

    Args:
        server: of the client.
        name: of the model.
        token: of a bar that the client has made; without one the server asks for a bar, where the
            client has any.
    """
    if not isinstance(token, str | int):
        token = await _asked_for(server)
    if token is None:
        yield
        return

    def send(value: object) -> None:
        server.protocol.notify(lsp.PROGRESS, lsp.ProgressParams(token, value))

    shown: tuple[int, str] | None = None

    def report(adding: Adding | None) -> None:
        nonlocal shown
        if adding is None or adding.model != name:
            return
        told = int(adding.share * 100), adding.message
        if told != shown:
            shown = told
            send(lsp.WorkDoneProgressReport(percentage=told[0], message=told[1]))

    title = f"Adding {name}"
    send(lsp.WorkDoneProgressBegin(title, cancellable=True, message="", percentage=0))
    server.cancellable[token] = server.models.adder.cancel
    stop = server.models.adder.subscribe(report)
    try:
        yield
    finally:
        stop()
        server.cancellable.pop(token, None)
        send(lsp.WorkDoneProgressEnd())


async def _asked_for(server: FimServer) -> str | None:
    window = server.client_capabilities.window
    if window is None or not window.work_done_progress:
        return None
    token = f"fim-lsp-{uuid.uuid4()}"
    try:
        await server.protocol.send_request_async(
            lsp.WINDOW_WORK_DONE_PROGRESS_CREATE, lsp.WorkDoneProgressCreateParams(token)
        )
    except JsonRpcException as error:
        logger.info("the client shows no progress: %s", error)
        return None
    return token
