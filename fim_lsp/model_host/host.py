"""The one model in memory, shared by every connected editor, and the one thread that runs it.

A model loads in a thread of its own, one at a time: of those that are asked for meanwhile the last
is next.  When settings ask for another one, it loads beside the old, which keeps answering until
the new one is ready.  An engine that breaks while it works (a GPU that vanishes, or has no memory
left) is replaced by one on the processor, once, and that is said once.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from fim_lsp.errors import FimLspError
from fim_lsp.model_host.idle_budget import IdleBudget, is_on_battery
from fim_lsp.model_host.idle_unload import IdleUnload, give_back_memory
from fim_lsp.settings import Settings
from model_runtime import progress
from model_runtime.errors import EngineError, ModelRuntimeError
from model_runtime.models.calibration import MIN_ACCEPTANCE, UNCALIBRATED, Calibration

if TYPE_CHECKING:
    from model_runtime.engines.auto_select import Choice
    from model_runtime.engines.protocol import Engine
    from model_runtime.models.bundle import ModelBundle

logger = logging.getLogger(__name__)

T = TypeVar("T")

_REPORT_SECONDS = 0.1
"""Between two reports of a preparation that goes on."""


@dataclass(frozen=True)
class LoadedModel:
    """A bundle and an engine that runs it."""

    bundle: ModelBundle
    engine: Engine
    choice: Choice | None = None
    """Why this engine, where the settings left that open."""

    @property
    def name(self) -> str:
        """As its manifest says it."""
        return self.bundle.manifest.name

    @property
    def calibration(self) -> Calibration:
        """How sure it must be at each eagerness."""
        return self.bundle.manifest.calibration or UNCALIBRATED

    def suggests_in(self, language_id: str) -> bool:
        """Tells whether the model is right often enough in a language to show anything unasked.

        Where nobody measured, it is in the languages that it has learned, and in all of them where
        its manifest names none.
        """
        points = self.calibration.languages.get(language_id)
        if points is not None:
            measured = self.calibration.for_language(language_id)
            return measured.acceptance(Settings().eagerness) >= MIN_ACCEPTANCE
        learned = self.bundle.manifest.languages
        return not learned or language_id in learned

    @property
    def languages(self) -> list[str]:
        """Languages in which it suggests; empty where nothing is known of any."""
        known = {*self.calibration.languages, *self.bundle.manifest.languages}
        return sorted(name for name in known if self.suggests_in(name))

    @property
    def context_sources(self) -> tuple[str, ...]:
        """Kinds of parts of other files that help it."""
        return self.bundle.manifest.context_sources

    @property
    def identity(self) -> tuple[str, str]:
        """Compares equal only for the same weights in the same engine."""
        return self.bundle.manifest.weights.sha256, self.engine.name


ModelLoader = Callable[[Settings], LoadedModel]


def load_model(settings: Settings, *, measure: bool = False) -> LoadedModel:
    """Open the bundle and the engine that the settings name.

    Where they leave the engine open, it is the fastest one on this machine's processor.

    Args:
        settings: name the model, and how to run it.
        measure: compare the engines also where it is known which one is fastest.

    Raises:
        ModelRuntimeError: one sentence, with the remedy.
    """
    from model_runtime.engines import open_engine
    from model_runtime.engines.auto_select import open_auto_selected
    from model_runtime.store import catalogue

    bundle = catalogue.find(settings.model)

    def open_named(name: str) -> Engine:
        return open_engine(bundle, engine=name, device=settings.device, threads=settings.threads)

    if settings.engine != "auto" or settings.device == "cuda":
        return LoadedModel(bundle, open_named(settings.engine))
    engine, choice = open_auto_selected(bundle, open_named, threads=settings.threads, anew=measure)
    return LoadedModel(bundle, engine, choice)


class ModelHost:
    """Loads, switches and runs the model.  All methods belong to the event loop's thread."""

    def __init__(self, loader: ModelLoader = load_model) -> None:
        self._loader = loader
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine")
        self._idle = IdleUnload(self._unload, self._reload)
        self._wanted: tuple[object, ...] | None = None
        self._callbacks: list[Callable[[], None]] = []
        self._running = 0
        self._closed = False
        self._load_state = "starting"
        self._settings = Settings()
        self._next: Settings | None = None
        """Loaded when the load in progress is over, unless something newer takes its place."""
        self._is_loading = False
        self._has_fallen_back = False
        self._idle_budget = IdleBudget(time.monotonic())
        self._idle_flags: set[threading.Event] = set()
        self.loaded: LoadedModel | None = None
        self.model = ""
        self.engine = ""
        self.message = ""
        self.warning = ""
        """What goes on otherwise than the user wanted it; to be shown once."""
        self.percent: int | None = None
        """How far the model's preparation is, while there is one; `message` says what it is."""

    @property
    def state(self) -> str:
        """starting, ready, busy or error, as `fimLsp/status` says it."""
        if self._load_state == "ready" and self._running:
            return "busy"
        return self._load_state

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back on the event loop at each change of state; returns how to stop that."""
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback) if callback in self._callbacks else None

    def apply(self, settings: Settings) -> None:
        """Load the model that the settings name, unless it is loaded or loading already."""
        self._idle.allow(settings.unload_after_minutes)
        wanted = (settings.model, settings.engine, settings.device, settings.threads)
        if self._closed or wanted == self._wanted:
            return
        self._wanted = wanted
        self._has_fallen_back, self.warning = False, ""
        self._load(settings)

    def _load(self, settings: Settings) -> None:
        """Load now, or next where a load is in progress, which cannot be broken off."""
        self._next = self._settings = settings
        self.message = f"loading {settings.model}"
        if self.loaded is None:
            self._load_state, self.model, self.engine = "starting", settings.model, settings.engine
        self._notify()
        if not self._is_loading:
            self._start_loading()

    def _start_loading(self) -> None:
        settings, self._next = self._next, None
        self._is_loading = settings is not None and not self._closed
        if settings is None or not self._is_loading:
            return
        loop = asyncio.get_running_loop()
        future: Future[LoadedModel] = Future()
        future.add_done_callback(lambda done: _call_on(loop, lambda: self._finish_loading(done)))

        told_at = 0.0

        def tell(what: str, share: float) -> None:
            nonlocal told_at
            if share in (0.0, 1.0) or time.monotonic() - told_at > _REPORT_SECONDS:
                told_at = time.monotonic()
                _call_on(loop, lambda: self._prepare(what, share))

        def load() -> None:
            started = time.perf_counter()
            try:
                with progress.told_to(tell):
                    model = self._loader(settings)
            except BaseException as error:
                future.set_exception(error)
            else:
                logger.info(
                    "loaded %s on %s in %.0f ms",
                    model.bundle.manifest.name,
                    model.engine.name,
                    (time.perf_counter() - started) * 1e3,
                )
                future.set_result(model)

        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(load,), name="load model", daemon=True).start()

    def _prepare(self, what: str, share: float) -> None:
        """Something that is done once goes on; it is over when its share is 1."""
        self.percent = int(share * 100) if share < 1 else None
        self.message = f"{what}: {self.percent} %" if share < 1 else f"loading {self.model}"
        self._notify()

    def _finish_loading(self, done: Future[LoadedModel]) -> None:
        error = done.exception()
        self.percent = None
        if self._closed:
            if error is None:
                done.result().engine.close()
            return
        if self._next is not None:  # the settings have changed again since
            if error is not None:
                self._start_loading()
                return
            loop = asyncio.get_running_loop()
            closing = self._thread.submit(done.result().engine.close)
            # Its memory and its threads are given back before those of the next are taken.
            closing.add_done_callback(lambda _: _call_on(loop, self._start_loading))
            return
        self._is_loading = False
        if error is not None:
            known = isinstance(error, ModelRuntimeError | MemoryError)
            logger.error("the model did not load: %s", error, exc_info=None if known else error)
            self.message = str(error) or type(error).__name__
            self._wanted = None  # the same settings may be tried again
            # A model that was loaded before goes on answering.
            self._load_state = "ready" if self.loaded else "error"
        else:
            old, self.loaded = self.loaded, done.result()
            if old is not None:
                self._thread.submit(old.engine.close)
            self.model = self.loaded.bundle.manifest.name
            self.engine = self.loaded.engine.name
            self.message, self._load_state = self.warning, "ready"
            self._idle.is_unloaded = False
            if not self._running:
                self._idle.rest()
        self._notify()

    async def ready(self, settings: Settings) -> None:
        """Load the model and wait for it; for programs that have nothing else to do meanwhile.

        Raises:
            FimLspError: it did not load; the message says why.
        """
        self.apply(settings)
        await self._settled()
        if self._load_state == "error":
            raise FimLspError(self.message)

    async def _settled(self) -> None:
        """Wait until nothing is being loaded."""
        changed = asyncio.Event()
        unsubscribe = self.subscribe(changed.set)
        try:
            while self._load_state == "starting":
                changed.clear()
                await changed.wait()
        finally:
            unsubscribe()

    async def run(self, work: Callable[[LoadedModel], T]) -> T:
        """Run `work` on the engine's thread, after what was asked for earlier; idle work ends.

        Where the engine breaks, the work is done again by the one that takes its place.
        Call only when `loaded` is not None, or has been a moment ago.

        Raises:
            EngineError: the engine broke, and no other one took its place.
        """
        if self.loaded is None:
            await self._settled()
        model = self.loaded
        if model is None:
            raise EngineError(self.message)
        for flag in self._idle_flags:
            flag.set()
        self._running += 1
        if self._running == 1:
            self._idle.stir()
            self._notify()
        try:
            await self._idle.awake()
            model = self.loaded or model
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, model)
        except (EngineError, MemoryError) as error:
            if not await self._fall_back(model, error):
                raise
        finally:
            self._running -= 1
            if self._running == 0 and not self._closed:
                if self.loaded is not None:
                    self._idle.rest()
                self._notify()
        return await self.run(work)

    async def run_idle(self, work: Callable[[LoadedModel], T], cancel: threading.Event) -> T | None:
        """Run `work`, for which nobody waits, within the budget; None where it may not run now.

        Args:
            work: looks at `cancel` as an engine does.
            cancel: is set when somebody wants the engine.
        """
        model = self.loaded
        if model is None or self._idle.is_unloaded or self._running:
            return None
        if not self._idle_budget.allows(time.monotonic()):
            return None
        spent = 0.0

        def timed(model: LoadedModel) -> T | None:
            nonlocal spent
            if cancel.is_set() or is_on_battery():
                return None
            begun = time.process_time()  # of all threads, so of the engine's own as well
            try:
                return work(model)
            finally:
                spent = time.process_time() - begun

        self._idle_flags.add(cancel)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, timed, model)
        except ModelRuntimeError as error:  # the next request meets it too, and says so
            logger.info("idle work failed: %s", error)
            return None
        finally:
            self._idle_flags.discard(cancel)
            self._idle_budget.spend(spent, time.monotonic())
            if spent:
                logger.info("idle work took %.0f ms of processor time", spent * 1e3)

    async def _fall_back(self, broken: LoadedModel, error: Exception) -> bool:
        """Replace an engine that broke; whether there is another one now."""
        if self.loaded is broken:
            if self._has_fallen_back or self._closed:
                return False
            self._has_fallen_back = True
            name = broken.engine.name
            self.warning = f"the engine {name} failed ({error}); another one took its place"
            logger.error("%s", self.warning)
            self.loaded = None
            self._thread.submit(_close_broken, broken)  # first of all: it may hold the memory
            engine = "ctranslate2" if name == "onnx" else "auto"
            if self._is_loading:  # another one is on its way already
                self._load_state = "starting"
            else:
                self._load(replace(self._settings, engine=engine, device="cpu"))
        await self._settled()
        return self.loaded is not None

    def close(self) -> None:
        """Free the engine; pending work is dropped."""
        self._closed = True
        self._idle.stir()
        self._callbacks.clear()
        if self.loaded is not None:
            self._thread.submit(self.loaded.engine.close)
        self._thread.shutdown(wait=False, cancel_futures=False)

    def _unload(self) -> None:
        """Nobody has asked for a while; what is known of the model stays."""
        assert self.loaded is not None
        self._thread.submit(self.loaded.engine.close)
        self._thread.submit(give_back_memory)
        logger.info("unloaded %s, which nobody has used for a while", self.model)
        self.message = "unloaded while idle; the next request loads it again"
        self._notify()

    async def _reload(self) -> None:
        """Open the engine that was unloaded, unless another model has come meanwhile."""
        old = self.loaded
        assert old is not None
        settings = replace(self._settings, engine=old.engine.name)
        started = time.perf_counter()
        loop = asyncio.get_running_loop()
        model = await loop.run_in_executor(self._thread, self._loader, settings)
        logger.info("loaded %s again in %.0f ms", self.model, (time.perf_counter() - started) * 1e3)
        if self.loaded is old:
            self.loaded, self.message = model, self.warning
            self._notify()
        else:
            self._thread.submit(model.engine.close)

    def _notify(self) -> None:
        for callback in list(self._callbacks):
            callback()


def _close_broken(model: LoadedModel) -> None:
    try:
        model.engine.close()
    except Exception:
        logger.exception("an engine that broke could not be closed")


def _call_on(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    """`call_soon_threadsafe`, silent when the server has gone meanwhile."""
    try:
        loop.call_soon_threadsafe(function)
    except RuntimeError:
        logger.debug("the model was loaded after the server had stopped")
