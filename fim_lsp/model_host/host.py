"""The one model in memory, shared by every connected editor.

When settings ask for another model, it loads beside the old one, which keeps answering until the
new one is ready.  An engine that breaks or hangs (a GPU that vanishes, or has no memory left) is
replaced, once, by the next one of the registry that runs on the processor; the status says so.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar

from fim_lsp.errors import FimLspError, reason_of, sentence_of_failure
from fim_lsp.model_host.engine_threads import EngineThreads
from fim_lsp.model_host.hang_watch import EngineHung, HangBounds, HangWatch, Patience
from fim_lsp.model_host.idle_budget import IdleBudget
from fim_lsp.model_host.idle_policy import IdleUnload, IdleWork
from fim_lsp.model_host.loader import LoadModel, ModelLoader, close_engine, load_model, opened_by
from fim_lsp.model_host.stand_in import StandIn
from fim_lsp.model_host.status import HostStatus, LoadProgress, StatusPublisher, Subscriber
from fim_lsp.settings import Settings
from model_runtime.engines import registry
from model_runtime.errors import EngineError, ModelRuntimeError
from model_runtime.served_model import ServedModel
from model_runtime.store.names import AUTO, DEFAULT

logger = logging.getLogger(__name__)

T = TypeVar("T")


class ModelHost:
    """Runs the model, and switches it.  All methods belong to the event loop's thread."""

    def __init__(
        self,
        load: LoadModel = load_model,
        idle_budget: IdleBudget | None = None,
        chosen: str = DEFAULT,
        hang_bounds: HangBounds | None = None,
    ) -> None:
        """Begins without a model.

        Args:
            load: opens the model that settings name; runs in threads of the host.
            idle_budget: limits what is computed while nobody waits.
            chosen: name of the model that "auto" stands for in settings.
            hang_bounds: say when an engine that does not return is given up.
        """
        self._load = load
        self._hang_watch = HangWatch(hang_bounds)
        self._threads = EngineThreads()
        self._loader = ModelLoader(
            load, on_step=self._on_step, on_loaded=self._on_loaded, on_failed=self._on_failed
        )
        self._idle_unload = IdleUnload(self._unload, self._reload)
        self._idle_work = IdleWork(idle_budget or IdleBudget())
        self._publisher = StatusPublisher()
        self._stand_in = StandIn(load, self._publisher)
        self.chosen = chosen
        """Name of the model that "auto" stands for."""
        self._settings: Settings | None = None
        """Settings as they were asked for last."""
        self._wanted: tuple[object, ...] | None = None
        """Settings that name the model which is loaded or loading; None: none is."""
        self._fallbacks: list[str] | None = None
        """Engines that may still take the place of one that broke; None while none has broken."""
        self._loaded: tuple[Settings, ServedModel] | None = None
        """The model that answers, and the settings by which it was opened."""
        self._num_running = 0
        self._is_closed = False

    @property
    def status(self) -> HostStatus:
        """The state of the model."""
        return self._publisher.current

    @property
    def loaded(self) -> ServedModel | None:
        """The model that answers; None where none does yet."""
        return self._loaded[1] if self._loaded else None

    @property
    def in_use(self) -> str:
        """Name or folder by which the model that answers was opened; empty for none."""
        return self._loaded[0].model if self._loaded else ""

    @property
    def asked_for(self) -> str:
        """The setting `model` that was applied last; empty where none was."""
        return self._settings.model if self._settings else ""

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Calls back on the event loop with each new status; returns a function that stops it."""
        return self._publisher.subscribe(subscriber)

    # Loading

    def apply(self, settings: Settings) -> None:
        """Loads the model that the settings name, unless it is loaded or loading already."""
        self._idle_unload.allow(settings.unload_after_minutes)
        self._settings = settings
        if settings.model == AUTO:
            settings = replace(settings, model=self.chosen)
        wanted = opened_by(settings)
        if self._is_closed or wanted == self._wanted:
            return
        self._wanted, self._fallbacks = wanted, None
        self._begin_loading(settings, warning="")

    def choose(self, name: str) -> None:
        """Loads another model for "auto", or this one again, for its files may be new ones."""
        self.chosen = name
        if self._settings is not None and self._settings.model == AUTO:
            self._wanted = None
            self.apply(self._settings)

    async def ready(self, settings: Settings) -> None:
        """Loads the model and waits for it; for programs that have nothing else to do meanwhile.

        Raises:
            FimLspError: it did not load; the message says why.
        """
        self.apply(settings)
        await self._publisher.settled()
        if self.status.state == "error":
            raise FimLspError(self.status.message)

    def _begin_loading(self, settings: Settings, warning: str) -> None:
        progress = LoadProgress(settings.model)
        if self._loaded is None:
            self._publisher.show_start(progress, settings.engine, warning)
        else:
            self._publisher.show_progress(progress, warning)
        self._loader.ask(settings)

    def _on_step(self, settings: Settings, what: str, share: float) -> None:
        made = (what, int(share * 100)) if share < 1 else ()
        self._publisher.show_progress(LoadProgress(settings.model, *made), self.status.warning)

    def _on_loaded(self, settings: Settings, model: ServedModel) -> None:
        self._threads.free_engine()
        self._take(settings, model)
        self._idle_unload.is_unloaded = False
        if not self._num_running:
            self._idle_unload.rest()
        self._publisher.show_model(model, is_busy=self._num_running > 0)

    def _on_failed(self, settings: Settings, error: BaseException) -> None:
        known = isinstance(error, ModelRuntimeError | MemoryError)
        logger.error("the model did not load: %s", error, exc_info=None if known else error)
        if self._loaded is None and self._fallbacks:
            engine = self._fallbacks.pop(0)
            settings = replace(settings, engine=engine, device="cpu")
            self._begin_loading(settings, self.status.warning)
            return
        if self.asked_for == AUTO and settings.model == self.chosen != DEFAULT:
            self._do_without_the_chosen(settings, error)
            return
        self._wanted = None  # the same settings may be tried again
        self._publisher.show_failure(reason_of(error))

    def _do_without_the_chosen(self, settings: Settings, error: BaseException) -> None:
        """Loads the embedded model where none answers; says in either case what is wrong."""
        warning = (
            f"{settings.model}, the chosen model, cannot be used ({reason_of(error)}); another one "
            "answers; choose one with: fim-runtime models use NAME"
        )
        if self._loaded is None:
            self._begin_loading(replace(settings, model=DEFAULT), warning)
        else:
            self._publisher.change(message=warning, warning=warning, progress=None)

    def _take(self, settings: Settings, model: ServedModel) -> None:
        self._stand_in.unload()
        self._loaded = settings, model
        self._threads.close()
        self._threads = EngineThreads(model, self._hang_watch)

    # Running

    async def run(self, work: Callable[[ServedModel], T], patience: Patience | None = None) -> T:
        """Runs `work` on the engine's threads, after what was asked for earlier; idle work ends.

        Where the engine breaks, the work is done again by the one that takes its place, if
        somebody waits for it still.  There has to be a model, or there was one a moment ago.

        Raises:
            EngineError: the engine broke, and no other one took its place.
        """
        while True:
            model = await self._present()
            self._begin_running()
            try:
                await self._idle_unload.awake()
                model = self.loaded or model
                answer = self._threads.run(partial(work, model), patience)
                return await self._stand_in.run(answer, work, self._settings)
            except (EngineError, MemoryError) as error:
                is_replaced = await self._fall_back(model, error)
                if not is_replaced or (patience is not None and patience.cancel.is_set()):
                    raise
            finally:
                self._end_running()

    async def run_idle(self, work: Callable[[ServedModel], T], cancel: threading.Event) -> T | None:
        """Runs work that polls `cancel`, for which nobody waits; None where it may not run now."""
        model = self.loaded
        if model is None or self._idle_unload.is_unloaded or self._num_running:
            return None
        try:
            return await self._idle_work.run(self._threads, partial(work, model), cancel)
        except ModelRuntimeError as error:  # the next request meets it too, and says so
            logger.info("idle work failed: %s", error)
            return None

    async def _present(self) -> ServedModel:
        if self.loaded is None:
            await self._publisher.settled()
        if self.loaded is None:
            raise EngineError(self.status.message)
        return self.loaded

    def _begin_running(self) -> None:
        self._idle_work.interrupt()
        self._num_running += 1
        if self._num_running == 1:
            self._idle_unload.stir()
            self._publisher.show_busy()

    def _end_running(self) -> None:
        self._num_running -= 1
        if self._num_running == 0 and not self._is_closed:
            if self.loaded is not None:
                self._idle_unload.rest()
            self._publisher.show_rest(self.loaded)

    async def _fall_back(self, broken: ServedModel, error: Exception) -> bool:
        """Replaces an engine that broke; returns whether there is another one now."""
        if self._loaded is not None and self._loaded[1] is broken:
            settings, _ = self._loaded
            is_first, name = self._fallbacks is None, broken.engine.name
            if self._is_closed or not (is_first or isinstance(error, EngineHung)):
                return False
            may_be_replaced = is_first or self._loader.is_loading
            self._fallbacks = (registry.fallbacks(name) or [name]) if may_be_replaced else []
            warning = sentence_of_failure(name, error, self._fallbacks)
            logger.error("%s", warning)
            self._loaded = None
            self._threads.free_engine()  # first: it may hold the memory
            if self._loader.is_loading:  # another one is on its way already
                self._publisher.change(state="starting", warning=warning, languages=())
            elif self._fallbacks:
                engine = self._fallbacks.pop(0)
                self._begin_loading(replace(settings, engine=engine, device="cpu"), warning)
            else:
                self._wanted = None  # the same settings may be tried again
                self._publisher.show_lost(warning)
        await self._publisher.settled()
        return self.loaded is not None

    # Leaving memory

    def _unload(self) -> None:
        """Frees the engine; what is known of the model stays."""
        self._stand_in.unload()
        self._threads.free_engine()
        logger.info("unloaded %s, which nobody has used for a while", self.status.model)
        self._publisher.show_unloaded(True)

    async def _reload(self) -> None:
        """Opens the engine that was unloaded, unless another model has come meanwhile."""
        assert self._loaded is not None
        settings, old = self._loaded
        settings = replace(settings, engine=old.engine.name)  # what is fastest is known
        model = await self._threads.run_alone(partial(self._load, settings))
        logger.info("loaded %s again", model.name)
        if self.loaded is old:
            self._take(settings, model)
            self._publisher.show_unloaded(False)
        else:
            self._threads.alone(partial(close_engine, model))

    def close(self) -> None:
        """Frees the engine; pending work is dropped."""
        self._is_closed = True
        self._loader.close()
        self._idle_unload.stir()
        self._publisher.close()
        self._stand_in.close()
        self._threads.free_engine()
        self._threads.close()
