"""Loads models, one at a time: of those that are asked for meanwhile the last one is next."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial

from fim_lsp.background import call_on, in_a_daemon_thread
from fim_lsp.settings import Settings
from model_runtime import progress
from model_runtime.served_model import ServedModel, serve_bundle

logger = logging.getLogger(__name__)

LoadModel = Callable[[Settings], ServedModel]
"""Opens the model that the settings name; raises ModelRuntimeError."""

_REPORT_SECONDS = 0.1
"""Time between two reports of a preparation that goes on."""


def opened_by(settings: Settings) -> tuple[object, ...]:
    """Returns the values of the settings by which `load_model` opens a model."""
    return (
        settings.model,
        settings.engine,
        settings.device,
        settings.threads,
        settings.prompt_memory_mb,
        settings.endpoint,
        settings.endpoint_model,
        settings.endpoint_key_variable,
        settings.allow_remote,
    )


def load_model(settings: Settings, *, measure: bool = False) -> ServedModel:
    """Opens the model and the engine that the settings name.

    Args:
        settings: name the model, and how to run it.
        measure: compares the engines also where it is known which one is fastest.

    Raises:
        ModelRuntimeError: one sentence, with the remedy.
    """
    from model_runtime.engines.endpoint import Endpoint
    from model_runtime.engines.kind import AUTO, EngineOptions
    from model_runtime.store import choice, installed

    megabytes = settings.prompt_memory_mb
    kept_bytes = int(megabytes) * 10**6 if megabytes != AUTO else None
    endpoint = Endpoint(
        settings.endpoint,
        settings.endpoint_model,
        settings.endpoint_key_variable,
        settings.allow_remote,
    )
    options = EngineOptions(settings.device, settings.threads, kept_bytes, endpoint)
    bundle = installed.find(choice.resolved(settings.model))
    return serve_bundle(bundle, settings.engine, options, anew=measure)


def close_engine(model: ServedModel) -> None:
    """Closes a model's engine; a failure is logged, for nobody can do anything about it."""
    try:
        model.engine.close()
    except Exception:
        logger.exception("the engine %s could not be closed", model.engine.name)


class ModelLoader:
    """Loads in a thread of its own; all methods and callbacks belong to the event loop's thread."""

    def __init__(
        self,
        load: LoadModel,
        *,
        on_step: Callable[[Settings, str, float], None],
        on_loaded: Callable[[Settings, ServedModel], None],
        on_failed: Callable[[Settings, BaseException], None],
    ) -> None:
        """Takes how a model is opened, and whom to tell.

        Args:
            load: runs in the thread.
            on_step: told what is prepared, and which share of it is done (0 to 1; 1: it is over).
            on_loaded: gets the model that was asked for last; older ones are closed unseen.
            on_failed: told why the model that was asked for last did not load.
        """
        self._load = load
        self._on_step, self._on_loaded, self._on_failed = on_step, on_loaded, on_failed
        self._next: Settings | None = None
        """Settings whose load begins when the one in progress is over."""
        self._task: asyncio.Task[None] | None = None
        self._is_closed = False

    @property
    def is_loading(self) -> bool:
        """True while a load is in progress, which cannot be broken off."""
        return self._task is not None

    def ask(self, settings: Settings) -> None:
        """Loads now, or next where a load is in progress."""
        self._next = settings
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work())

    def close(self) -> None:
        """Loads no more; a model that is on its way is closed when it comes."""
        self._is_closed = True
        self._next = None

    async def _work(self) -> None:
        while (settings := self._next) is not None:
            self._next = None
            model, error = await self._outcome(settings)
            if model is not None and (self._next is not None or self._is_closed):
                # Its memory and its threads are given back before those of the next are taken.
                await in_a_daemon_thread(partial(close_engine, model))
            elif self._next is None:
                self._task = None  # what is told may ask for another one
                if model is not None:
                    self._on_loaded(settings, model)
                elif error is not None and not self._is_closed:
                    self._on_failed(settings, error)
                return
        self._task = None

    async def _outcome(self, settings: Settings) -> tuple[ServedModel | None, Exception | None]:
        """Returns the model, or why it did not load."""
        started = time.perf_counter()
        try:
            model = await in_a_daemon_thread(self._told(settings))
        except Exception as error:
            return None, error
        milliseconds = (time.perf_counter() - started) * 1e3
        logger.info("loaded %s on %s in %.0f ms", model.name, model.engine.name, milliseconds)
        return model, None

    def _told(self, settings: Settings) -> Callable[[], ServedModel]:
        """Returns the load, with its preparations reported on the event loop."""
        loop = asyncio.get_running_loop()
        told_at = 0.0

        def tell(what: str, share: float) -> None:
            nonlocal told_at
            if share in (0.0, 1.0) or time.monotonic() - told_at > _REPORT_SECONDS:
                told_at = time.monotonic()
                call_on(loop, lambda: self._step(settings, what, share))

        def load() -> ServedModel:
            with progress.told_to(tell):
                return self._load(settings)

        return load

    def _step(self, settings: Settings, what: str, share: float) -> None:
        if self._task is not None and not self._is_closed:
            self._on_step(settings, what, share)
