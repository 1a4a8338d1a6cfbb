"""Runs what may block in a thread of its own, for the event loop to wait without standing still."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import subprocess
import threading
from collections.abc import Callable
from typing import TypeVar

logger = logging.getLogger(__name__)

T = TypeVar("T")

PROCESS_FLAGS: int = getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0) | getattr(
    subprocess, "CREATE_NO_WINDOW", 0
)
"""Creation flags of a process that nobody waits for; 0 where the system is not Windows."""


def in_a_daemon_thread(work: Callable[[], T]) -> asyncio.Future[T]:
    """Runs work in a thread for which the end of the process does not wait."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def finish(result: T | None, error: Exception | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        try:
            result = work()
        except BaseException as failure:
            # A future takes no StopIteration, and nobody is helped by a thread's SystemExit.
            error = failure if isinstance(failure, Exception) else RuntimeError(repr(failure))
            call_on(loop, lambda: finish(None, error))
        else:
            call_on(loop, lambda: finish(result, None))

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(run,), name="background", daemon=True).start()
    return done


def call_on(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    """Calls a function on the loop; silent when the server has gone meanwhile."""
    try:
        loop.call_soon_threadsafe(function)
    except RuntimeError:
        logger.debug("a thread ended after the server had stopped")
