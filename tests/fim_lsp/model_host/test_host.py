"""The one model of the process: what happens when its engine breaks, and how far its making is."""

import asyncio
import threading

import pytest

from fim_lsp.model_host.host import ModelHost
from fim_lsp.model_host.status import LoadProgress
from fim_lsp.settings import Settings
from model_runtime import progress
from model_runtime.errors import EngineError, EngineUnavailable, ModelNotFound
from model_runtime.served_model import ServedModel
from tests.support.scripted_host import scripted_model

GPU = Settings(engine="torch", device="cuda")


class Loader:
    """Loads what the settings name, and remembers it; waits for `go_on` after the first one."""

    def __init__(self, fallback_error: Exception | None = None) -> None:
        self.asked: list[tuple[str, str]] = []
        self.models: list[ServedModel] = []
        self.go_on = threading.Event()
        self._fallback_error = fallback_error

    def __call__(self, settings: Settings) -> ServedModel:
        self.asked.append((settings.engine, settings.device))
        if len(self.asked) > 1:
            assert self.go_on.wait(20)
            if self._fallback_error is not None:
                raise self._fallback_error
        model = scripted_model("a + b")
        model.engine.name = settings.engine
        self.models.append(model)
        return model


def failing_on(engine: str, error: Exception):
    def work(model: ServedModel) -> str:
        if model.engine.name == engine:
            raise error
        return model.engine.name

    return work


@pytest.mark.parametrize(
    ("settings", "error", "then"),
    [
        (GPU, EngineError("out of memory"), ("onnx", "cpu")),
        (GPU, MemoryError("no memory"), ("onnx", "cpu")),
        (Settings(engine="onnx"), EngineError("broken"), ("ctranslate2", "cpu")),
        (Settings(engine="ctranslate2"), EngineError("broken"), ("onnx", "cpu")),
    ],
)
async def test_the_work_is_done_by_the_engine_that_takes_the_place(settings, error, then):
    loader = Loader()
    loader.go_on.set()
    host = ModelHost(loader)
    await host.ready(settings)

    assert then[0] == await host.run(failing_on(settings.engine, error))
    assert [(settings.engine, settings.device), then] == loader.asked
    assert str(error) in host.status.warning
    assert "ready" == host.status.state
    broken, other = loader.models
    while not broken.engine.is_closed:
        await asyncio.sleep(0.001)
    assert not other.engine.is_closed
    host.close()


async def test_requests_that_come_meanwhile_wait_for_it():
    loader = Loader()
    host = ModelHost(loader)
    await host.ready(GPU)
    work = failing_on("torch", EngineError("gone"))
    waiting = [asyncio.ensure_future(host.run(work)) for _ in range(2)]
    while host.loaded is not None:
        await asyncio.sleep(0.001)
    waiting.append(asyncio.ensure_future(host.run(work)))
    await asyncio.sleep(0)
    loader.go_on.set()

    assert ["onnx"] * 3 == await asyncio.gather(*waiting)
    assert 2 == len(loader.asked)
    host.close()


async def test_when_no_other_engine_opens_all_are_told_why():
    loader = Loader(EngineUnavailable("there is no other engine"))
    loader.go_on.set()
    host = ModelHost(loader)
    await host.ready(GPU)
    work = failing_on("torch", EngineError("gone"))
    with pytest.raises(EngineError, match="gone"):
        await host.run(work)

    assert ("error", "there is no other engine") == (host.status.state, host.status.message)
    assert [("torch", "cuda"), ("onnx", "cpu"), ("ctranslate2", "cpu")] == loader.asked
    with pytest.raises(EngineError, match="there is no other engine"):
        await host.run(work)
    host.close()


async def test_other_settings_are_a_new_start():
    loader = Loader()
    loader.go_on.set()
    host = ModelHost(loader)
    await host.ready(GPU)
    await host.run(failing_on("torch", EngineError("gone")))
    await host.ready(Settings(engine="onnx"))
    while host.status.progress is not None:
        await asyncio.sleep(0.001)

    assert ("", "") == (host.status.warning, host.status.message)
    assert "ctranslate2" == await host.run(failing_on("onnx", EngineError("gone again")))
    host.close()


async def test_how_far_a_preparation_is_can_be_read_while_it_goes_on():
    go_on = threading.Event()

    def load(settings: Settings) -> ServedModel:
        with progress.step("preparing it"):
            while not go_on.wait(0.01):
                progress.advance(0.42)
        return scripted_model("a + b")

    host = ModelHost(load)
    told = []
    host.subscribe(lambda status: told.append((status.progress, status.message)))
    host.apply(Settings())
    while (LoadProgress("default", "preparing it", 42), "preparing it: 42 %") not in told:
        await asyncio.sleep(0.001)
    go_on.set()
    await host.ready(Settings())

    assert (LoadProgress("default"), "loading default") == told[0]
    assert (None, "") == (host.status.progress, host.status.message)
    host.close()


async def test_idle_work_makes_way_for_a_request():
    host = ModelHost(lambda settings: scripted_model("a + b"))
    await host.ready(Settings())
    cancel = threading.Event()
    idle = asyncio.ensure_future(host.run_idle(lambda model: cancel.wait(20), cancel))
    await asyncio.sleep(0)

    assert "free" == await host.run(lambda model: "free")
    assert await idle is True
    host.close()


async def test_idle_work_does_not_begin_beside_a_request():
    host = ModelHost(lambda settings: scripted_model("a + b"))
    await host.ready(Settings())
    go_on = threading.Event()
    request = asyncio.ensure_future(host.run(lambda model: go_on.wait(20)))
    await asyncio.sleep(0)

    assert await host.run_idle(lambda model: "ran", threading.Event()) is None
    go_on.set()
    await request
    assert "ran" == await host.run_idle(lambda model: "ran", threading.Event())
    host.close()


class SlowLoader:
    """Waits for `go_on` at each load; counts those in progress."""

    def __init__(self) -> None:
        self.threads: list[int] = []
        self.models: list[ServedModel] = []
        self.most_at_once = self.most_open = 0
        self.go_on = threading.Event()
        self._in_progress = 0

    def __call__(self, settings: Settings) -> ServedModel:
        self.threads.append(settings.threads)
        self._in_progress += 1
        self.most_at_once = max(self.most_at_once, self._in_progress)
        self.most_open = max(self.most_open, 1 + sum(not m.engine.is_closed for m in self.models))
        assert self.go_on.wait(20)
        self._in_progress -= 1
        self.models.append(scripted_model("a + b"))
        return self.models[-1]


async def test_of_many_changes_in_one_go_only_the_last_one_is_loaded():
    loader = SlowLoader()
    host = ModelHost(loader)
    host.apply(Settings())
    while not loader.threads:
        await asyncio.sleep(0.001)
    for threads in range(1, 61):
        host.apply(Settings(threads=threads))
    loader.go_on.set()
    await host.ready(Settings(threads=60))

    assert [0, 60] == loader.threads
    assert [True, False] == [model.engine.is_closed for model in loader.models]
    assert (1, 1) == (loader.most_at_once, loader.most_open)
    host.close()


async def test_a_model_that_is_loading_takes_the_place_of_an_engine_that_breaks():
    loader = Loader()
    host = ModelHost(loader)
    await host.ready(GPU)
    host.apply(Settings(engine="onnx"))
    waiting = asyncio.ensure_future(host.run(failing_on("torch", EngineError("gone"))))
    while host.loaded is not None:
        await asyncio.sleep(0.001)
    loader.go_on.set()

    assert "onnx" == await waiting
    assert [("torch", "cuda"), ("onnx", "auto")] == loader.asked
    host.close()


async def test_after_a_load_that_fails_the_one_that_was_asked_for_meanwhile_is_tried():
    asked, go_on = [], threading.Event()

    def load(settings: Settings) -> ServedModel:
        asked.append(settings.engine)
        assert go_on.wait(20)
        if settings.engine == "torch":
            raise EngineUnavailable("there is no torch")
        return scripted_model("a + b")

    host = ModelHost(load)
    host.apply(Settings(engine="torch"))
    while not asked:
        await asyncio.sleep(0.001)
    host.apply(Settings(engine="onnx"))
    go_on.set()
    await host.ready(Settings(engine="onnx"))

    assert host.loaded is not None
    assert ["torch", "onnx"] == asked
    host.close()


async def test_a_model_that_does_not_load_leaves_the_old_one_answering():
    def load(settings: Settings) -> ServedModel:
        if settings.engine == "torch":
            raise EngineUnavailable("there is no torch")
        return scripted_model("a + b")

    host = ModelHost(load)
    await host.ready(Settings())
    host.apply(Settings(engine="torch"))
    assert LoadProgress("default") == host.status.progress
    while host.status.progress is not None:
        await asyncio.sleep(0.001)

    assert ("ready", "there is no torch") == (host.status.state, host.status.message)
    assert "done" == await host.run(lambda model: "done")
    host.close()


async def test_what_takes_the_place_of_a_broken_engine_runs_the_same_model():
    """Also where another model was asked for meanwhile, and did not load."""
    asked = []

    def load(settings: Settings) -> ServedModel:
        asked.append((settings.model, settings.engine))
        if settings.model == "missing":
            raise EngineUnavailable("there is no such model")
        model = scripted_model("a + b")
        model.engine.name = settings.engine
        return model

    host = ModelHost(load)
    await host.ready(Settings(engine="onnx"))
    host.apply(Settings(engine="onnx", model="missing"))
    while host.status.progress is not None:
        await asyncio.sleep(0.001)
    await host.run(failing_on("onnx", EngineError("gone")))

    assert ("default", "ctranslate2") == asked[-1]
    host.close()


async def test_a_model_that_comes_after_the_end_is_closed():
    loader = SlowLoader()
    host = ModelHost(loader)
    host.apply(Settings())
    while not loader.threads:
        await asyncio.sleep(0.001)
    host.close()
    loader.go_on.set()
    while not loader.models or not loader.models[0].engine.is_closed:
        await asyncio.sleep(0.001)

    assert host.loaded is None


async def host_of(max_concurrency: int) -> ModelHost:
    model = scripted_model("a + b")
    model.engine.max_concurrency = max_concurrency
    host = ModelHost(lambda settings: model)
    await host.ready(Settings())
    return host


async def test_an_engine_that_takes_several_requests_gets_them_at_once():
    """Each waits for the others, so that none ends unless all have begun."""
    host = await host_of(3)
    together = threading.Barrier(3)
    work = [host.run(lambda model: together.wait(20)) for _ in range(3)]

    assert [0, 1, 2] == sorted(await asyncio.gather(*work))
    host.close()


@pytest.mark.parametrize("max_concurrency", [1, 3])
async def test_no_more_requests_run_at_once_than_an_engine_takes(max_concurrency):
    host = await host_of(max_concurrency)
    lock, running, most = threading.Lock(), 0, 0

    def work(model: ServedModel) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        with lock:
            running -= 1

    await asyncio.gather(*(host.run(work) for _ in range(50)))

    assert 1 <= most <= max_concurrency
    host.close()


@pytest.mark.parametrize("max_concurrency", [1, 3])
async def test_an_engine_is_closed_when_what_it_runs_is_over(max_concurrency):
    host = await host_of(max_concurrency)
    engine, go_on = host.loaded.engine, threading.Event()

    def work(model: ServedModel) -> bool:
        assert go_on.wait(20)
        return model.engine.is_closed

    running = [asyncio.ensure_future(host.run(work)) for _ in range(max_concurrency)]
    await asyncio.sleep(0)
    host.close()
    go_on.set()

    assert [False] * max_concurrency == await asyncio.gather(*running)
    while not engine.is_closed:
        await asyncio.sleep(0.001)


class Named:
    """Loads a model of each name but those that are broken, and remembers the names."""

    def __init__(self, *broken: str) -> None:
        self.asked: list[str] = []
        self._broken = broken

    def __call__(self, settings: Settings) -> ServedModel:
        self.asked.append(settings.model)
        if settings.model in self._broken:
            raise ModelNotFound(f"no model has the name {settings.model!r}")
        return scripted_model("a + b")


async def loaded(host: ModelHost) -> None:
    while host.status.progress is not None:
        await asyncio.sleep(0.001)


async def test_auto_stands_for_the_chosen_model_and_a_name_for_itself():
    loader = Named()
    host = ModelHost(loader, chosen="mine")
    await host.ready(Settings())
    assert "mine" == host.in_use
    host.apply(Settings(model="other"))
    await loaded(host)
    host.choose("new")
    await loaded(host)

    assert ["mine", "other"] == loader.asked
    assert ("other", "other") == (host.asked_for, host.in_use)
    host.close()


async def test_another_choice_loads_beside_the_model_that_answers():
    loader = Named()
    host = ModelHost(loader)
    await host.ready(Settings())
    host.choose("mine")
    assert ("ready", "default") == (host.status.state, host.in_use)
    await loaded(host)
    assert "mine" == host.in_use
    host.choose("mine")  # its files are new
    await loaded(host)

    assert ["default", "mine", "mine"] == loader.asked
    host.close()


async def test_without_the_chosen_model_the_embedded_one_answers_and_the_status_says_why():
    loader = Named("gone")
    host = ModelHost(loader, chosen="gone")
    await host.ready(Settings())

    assert "default" == host.in_use
    assert "gone, the chosen model, cannot be used (no model has the name 'gone')" in (
        host.status.warning
    )
    host.apply(Settings())  # of another editor
    assert ["gone", "default"] == loader.asked
    host.choose("back")
    await loaded(host)
    assert ("back", "") == (host.in_use, host.status.warning)
    host.close()


async def test_a_choice_that_does_not_load_leaves_the_model_that_answers():
    loader = Named("broken")
    host = ModelHost(loader, chosen="mine")
    await host.ready(Settings())
    host.choose("broken")
    await loaded(host)

    assert ("ready", "mine") == (host.status.state, host.in_use)
    assert "broken, the chosen model, cannot be used" in host.status.message
    assert ["mine", "broken"] == loader.asked
    host.close()
