"""The model that answers while the server of a remote engine does not, if its user names one.

It is loaded when it is needed for the first time, runs in this process on a thread of its own, and
leaves memory with the model that it stands in for.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar

from fim_lsp.background import in_a_daemon_thread
from fim_lsp.model_host.engine_threads import EngineThreads
from fim_lsp.model_host.loader import LoadModel, close_engine
from fim_lsp.model_host.status import StatusPublisher
from fim_lsp.settings import Settings
from model_runtime.engines.kind import AUTO
from model_runtime.errors import ModelRuntimeError, ServerUnavailable
from model_runtime.served_model import ServedModel

logger = logging.getLogger(__name__)

T = TypeVar("T")


class StandIn:
    """Runs work in place of a server.  All methods belong to the event loop's thread."""

    def __init__(self, load: LoadModel, publisher: StatusPublisher) -> None:
        """Loads nothing yet.

        Args:
            load: opens a model; runs in a thread.
            publisher: is told why a server does not answer, and who does.
        """
        self._load, self._publisher = load, publisher
        self._threads = EngineThreads()
        self._loading: asyncio.Future[ServedModel] | None = None
        self._name = ""

    async def run(
        self, answer: Awaitable[T], work: Callable[[ServedModel], T], settings: Settings | None
    ) -> T:
        """Returns what a server answers, or else what the stand-in makes of the same work.

        Args:
            answer: is waited for.
            work: what it is the answer to.
            settings: name the stand-in.

        Raises:
            ServerUnavailable: the server does not answer, and nothing stands in for it.
        """
        try:
            return await answer
        except ServerUnavailable as error:
            problem = error
        name = settings.fallback_model if settings is not None else ""
        model = None
        if settings is not None and name:
            model = await self._model(replace(settings, model=name, engine=AUTO, device=AUTO))
        meanwhile = f"; {model.name} answers meanwhile" if model is not None else ""
        self._publisher.show_server_problem(f"{problem}{meanwhile}", is_lasting=problem.is_lasting)
        if model is None:
            raise problem
        return await self._threads.run(partial(work, model))

    def unload(self) -> None:
        """Takes the stand-in out of memory; it comes back when it is needed again."""
        loading, self._loading = self._loading, None
        if loading is not None and loading.done():
            self._free(loading)
        elif loading is not None:
            loading.add_done_callback(self._free)

    def close(self) -> None:
        """Takes the stand-in out of memory for ever."""
        self.unload()
        self._threads.close()

    def _free(self, loading: asyncio.Future[ServedModel]) -> None:
        if not loading.cancelled() and loading.exception() is None:
            in_a_daemon_thread(partial(close_engine, loading.result()))

    async def _model(self, settings: Settings) -> ServedModel | None:
        """Returns the stand-in; None where it cannot be loaded."""
        if self._loading is None or self._name != settings.model:
            self.unload()
            self._name = settings.model
            self._loading = in_a_daemon_thread(partial(self._load, settings))
        try:
            return await asyncio.shield(self._loading)
        except ModelRuntimeError as error:
            logger.error("the model %s cannot stand in: %s", settings.model, error)
            return None
