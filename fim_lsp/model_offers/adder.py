"""Adds one model at a time, for all editors of the process and of other processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fim_lsp.background import in_a_daemon_thread
from fim_lsp.model_offers.errors import AddingCancelled, AddingFailed
from fim_lsp.model_offers.process import AddStep, add_in_a_process

if TYPE_CHECKING:
    from filelock import BaseFileLock

_POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Adding:
    """Says which model is being added, and how far that is."""

    model: str
    """Name of the model."""
    share: float = 0.0
    """Share of all the work that is done, 0 to 1; it never goes back."""
    step: str = ""
    """Step of the work, for people."""
    seconds_left: float | None = None
    """Time that the step will still take; None where nobody knows."""

    @property
    def message(self) -> str:
        """The step with the time left, for people."""
        return self.step + _time_left(self.seconds_left)


Subscriber = Callable[["Adding | None"], None]
"""Takes what is being added; None when that is over."""


class ModelAdder:
    """Adds models.  All methods belong to the event loop's thread."""

    def __init__(self) -> None:
        """Begins with nothing to do."""
        self.current: Adding | None = None
        """The model that is being added; None where none is."""
        self._subscribers: list[Subscriber] = []
        self._task: asyncio.Task[None] | None = None

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Calls back at each change from now on; returns a function that stops it."""
        self._subscribers.append(subscriber)

        def stop() -> None:
            if subscriber in self._subscribers:
                self._subscribers.remove(subscriber)

        return stop

    async def add(self, name: str) -> None:
        """Adds a model of the catalogue; who asks for one that is on its way waits for the same.

        Raises:
            AddingFailed: it was not added, or another one is on its way.
            AddingCancelled: somebody has called `cancel`.
        """
        if self._task is not None and self.current is not None and self.current.model != name:
            raise AddingFailed(
                f"{self.current.model} is being added; wait for it or cancel it, then try again"
            )
        if self._task is None:
            self._task = asyncio.ensure_future(self._work(name))
            self._task.add_done_callback(self._finished)
        task = self._task
        await asyncio.wait([task])  # a task that waits may be cancelled without the work
        if task.cancelled():
            raise AddingCancelled(f"adding {name} was cancelled; what was fetched is kept")
        task.result()

    def cancel(self) -> None:
        """Ends the work, for all who wait."""
        if self._task is not None:
            self._task.cancel()

    async def _work(self, name: str) -> None:
        self._tell(Adding(name, 0.0, "starting"))
        async with _turn(
            lambda: self._tell(Adding(name, 0.0, "waiting for another editor"))
        ) as waited:
            if not (waited and await in_a_daemon_thread(partial(is_usable, name))):
                await add_in_a_process(name, partial(self._on_step, name))

    def _on_step(self, name: str, told: AddStep) -> None:
        share = self.current.share if self.current is not None else 0.0
        share = max(share, min(told.whole or 0.0, 1.0))
        self._tell(Adding(name, share, told.step, told.seconds_left))

    def _tell(self, adding: Adding | None) -> None:
        if adding != self.current:
            self.current = adding
            for subscriber in list(self._subscribers):
                subscriber(adding)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._task = None
        self._tell(None)
        if not task.cancelled():
            task.exception()  # nobody may be waiting any more


def is_usable(name: str) -> bool:
    """Tells whether a model is on this machine and can be opened; takes a moment."""
    from model_runtime.errors import ModelRuntimeError
    from model_runtime.store import installed

    try:
        installed.find(name)
    except ModelRuntimeError:
        return False
    return True


@asynccontextmanager
async def _turn(on_wait: Callable[[], None]) -> AsyncIterator[bool]:
    """Waits until no other process adds a model; says whether one did."""
    lock = await in_a_daemon_thread(_lock)
    waited = False
    while not await in_a_daemon_thread(partial(_try_to_lock, lock)):
        waited = True
        on_wait()
        await asyncio.sleep(_POLL_SECONDS)
    try:
        yield waited
    finally:
        lock.release()


def _lock() -> BaseFileLock:
    from filelock import FileLock
    from platformdirs import user_data_path

    folder: Path = user_data_path("fim-lsp", appauthor=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AddingFailed(
            f"{folder} cannot be made ({error.strerror}); models are kept there"
        ) from error
    return FileLock(folder / "adding.lock", thread_local=False)


def _try_to_lock(lock: BaseFileLock) -> bool:
    from filelock import Timeout

    try:
        lock.acquire(blocking=False)
    except Timeout:
        return False
    except OSError as error:
        raise AddingFailed(f"{lock.lock_file} cannot be written ({error.strerror})") from error
    return True


def _time_left(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f", {seconds / 60:.0f} min left" if seconds >= 90 else f", {seconds:.0f} s left"
