"""The one model of the process: what happens when its engine breaks, and how far its making is."""

import asyncio
import threading

import pytest

from fim_lsp.model_host.host import LoadedModel, ModelHost
from fim_lsp.settings import Settings
from model_runtime import progress
from model_runtime.errors import EngineError, EngineUnavailable
from tests.support.scripted_host import scripted_model

GPU = Settings(engine="torch", device="cuda")


class Loader:
    """Loads what the settings name, and remembers it; waits for `go_on` after the first one."""

    def __init__(self, fallback_error: Exception | None = None) -> None:
        self.asked: list[tuple[str, str]] = []
        self.models: list[LoadedModel] = []
        self.go_on = threading.Event()
        self._fallback_error = fallback_error

    def __call__(self, settings: Settings) -> LoadedModel:
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
    def work(model: LoadedModel) -> str:
        if model.engine.name == engine:
            raise error
        return model.engine.name

    return work


@pytest.mark.parametrize(
    ("settings", "error", "then"),
    [
        (GPU, EngineError("out of memory"), ("auto", "cpu")),
        (GPU, MemoryError("no memory"), ("auto", "cpu")),
        (Settings(engine="onnx"), EngineError("broken"), ("ctranslate2", "cpu")),
        (Settings(engine="ctranslate2"), EngineError("broken"), ("auto", "cpu")),
    ],
)
async def test_the_work_is_done_by_the_engine_that_takes_the_place(settings, error, then):
    loader = Loader()
    loader.go_on.set()
    host = ModelHost(loader)
    await host.ready(settings)

    assert then[0] == await host.run(failing_on(settings.engine, error))
    assert [(settings.engine, settings.device), then] == loader.asked
    assert str(error) in host.warning
    assert "ready" == host.state
    await host.run(lambda model: None)
    assert [True, False] == [model.engine.is_closed for model in loader.models]
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

    assert ["auto"] * 3 == await asyncio.gather(*waiting)
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

    assert ("error", "there is no other engine") == (host.state, host.message)
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
    while host.engine != "onnx":
        await asyncio.sleep(0.001)

    assert ("", "") == (host.warning, host.message)
    assert "ctranslate2" == await host.run(failing_on("onnx", EngineError("gone again")))
    host.close()


async def test_how_far_a_preparation_is_can_be_read_while_it_goes_on():
    go_on = threading.Event()

    def load(settings: Settings) -> LoadedModel:
        with progress.step("preparing it"):
            while not go_on.wait(0.01):
                progress.advance(0.42)
        return scripted_model("a + b")

    host = ModelHost(load)
    told = []
    host.subscribe(lambda: told.append((host.percent, host.message)))
    host.apply(Settings())
    while (42, "preparing it: 42 %") not in told:
        await asyncio.sleep(0.001)
    go_on.set()
    await host.ready(Settings())

    assert (None, "") == (host.percent, host.message)
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
        self.models: list[LoadedModel] = []
        self.most_at_once = self.most_open = 0
        self.go_on = threading.Event()
        self._in_progress = 0

    def __call__(self, settings: Settings) -> LoadedModel:
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
    go_on = threading.Event()

    def load(settings: Settings) -> LoadedModel:
        assert go_on.wait(20)
        if settings.engine == "torch":
            raise EngineUnavailable("there is no torch")
        return scripted_model("a + b")

    host = ModelHost(load)
    host.apply(Settings(engine="torch"))
    host.apply(Settings(engine="onnx"))
    go_on.set()
    await host.ready(Settings(engine="onnx"))

    assert host.loaded is not None
    host.close()
