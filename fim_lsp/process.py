"""Runs the services of a shared server in one process, with one model, until it is told to end."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack

from fim_lsp.model_host.host import ModelHost
from fim_lsp.model_offers.manager import ModelManager

Service = Callable[[ModelHost, ModelManager], AbstractAsyncContextManager[None]]
"""Serves clients for as long as the block lasts.

Raises FimLspError where it cannot listen.
"""


def serve(make_host: Callable[[], ModelHost], services: Sequence[Service]) -> int:
    """Serves until the process is told to end; what clients do never ends it.

    Args:
        make_host: called once, on the event loop.
        services: begin in this order, and end in the opposite one.

    Raises:
        FimLspError: one of them cannot listen.
    """
    return asyncio.run(_serve(make_host, services))


async def _serve(make_host: Callable[[], ModelHost], services: Sequence[Service]) -> int:
    host = make_host()
    models = ModelManager(host)
    models.start()
    stopped = asyncio.Event()
    if sys.platform != "win32":
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopped.set)
    try:
        async with AsyncExitStack() as stack:
            for service in services:
                await stack.enter_async_context(service(host, models))
            await stopped.wait()
    finally:
        models.close()
        host.close()
    return 0
