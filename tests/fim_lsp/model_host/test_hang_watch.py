"""An engine that does not return from a call is given up, once, and another one takes its place."""

import asyncio
import threading
import time

import pytest

from fim_lsp.model_host.hang_watch import EngineHung, HangBounds, Patience
from fim_lsp.model_host.host import ModelHost
from fim_lsp.settings import Settings
from model_runtime.engines.scripted import ScriptedEngine
from tests.support.scripted_host import scripted_model

GPU = Settings(engine="torch", device="cuda")
SOON = HangBounds(seconds=0.05, tick_seconds=0.01, seconds_between=0.0)
LATER = HangBounds(seconds=0.5, tick_seconds=0.01)


class ServerEngine(ScriptedEngine):
    """An engine that is a server."""

    server, has_probabilities, stops_abandoned, problem = "gpu:8000", True, None, ""


class Loader:
    """Loads an engine of the name that is asked for, and remembers which ones are closed."""

    def __init__(self, kind=ScriptedEngine):
        self.engines, self._kind = [], kind

    def __call__(self, settings):
        self.engines.append(self._kind([1]))
        self.engines[-1].name = settings.engine
        model = scripted_model("a")
        return type(model)(**{**vars(model), "engine": self.engines[-1]})

    @property
    def names(self):
        return [engine.name for engine in self.engines]


class Hanging:
    """Work that one engine never returns from, until the test is over; others do it at once."""

    def __init__(self, *engines):
        self.began, self.go_on, self._engines = threading.Event(), threading.Event(), engines

    def __call__(self, model):
        if model.engine.name in self._engines:
            self.began.set()
            assert self.go_on.wait(60)
        return model.engine.name


@pytest.fixture
def hanging():
    works = []

    def make(*engines):
        works.append(Hanging(*engines))
        return works[-1]

    yield make
    for work in works:
        work.go_on.set()


def cancelled():
    patience = Patience(threading.Event())
    patience.cancel.set()
    return patience


async def host_of(loader, bounds=SOON):
    host = ModelHost(loader, hang_bounds=bounds)
    await host.ready(GPU)
    return host


async def begun(work):
    while not work.began.is_set():
        await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    "patience",
    [cancelled(), Patience(threading.Event(), limit_seconds=0.02)],
    ids=["cancel", "limit"],
)
async def test_what_waits_behind_a_call_that_hangs_is_done_by_another_engine(hanging, patience):
    loader, work = Loader(), hanging("torch")
    host = await host_of(loader)
    hung = asyncio.ensure_future(host.run(work, patience))
    await begun(work)

    assert ["onnx", "onnx"] == await asyncio.gather(
        host.run(work, Patience(threading.Event())), host.run(work)
    )
    with pytest.raises(EngineHung, match=r"it has not returned for 0\.05 s"):
        await hung
    assert patience.cancel.is_set()  # in case it comes back
    assert ("ready", "onnx") == (host.status.state, host.status.engine)
    assert (
        "the engine torch failed (it has not returned for 0.05 s); another one took its place; "
        "restart the server to use torch again"
    ) == host.status.warning
    host.close()


async def test_an_engine_that_comes_back_too_late_is_closed(hanging):
    loader, work = Loader(), hanging("torch")
    host = await host_of(loader)
    with pytest.raises(EngineHung):
        await host.run(work, cancelled())
    assert ["torch", "onnx"] == loader.names
    assert not loader.engines[0].is_closed
    work.go_on.set()
    while not loader.engines[0].is_closed:
        await asyncio.sleep(0.001)

    assert "onnx" == await host.run(work)
    host.close()


@pytest.mark.parametrize("unload_after_minutes", [0.0, 0.001 / 60], ids=["kept", "unloaded"])
async def test_idle_work_that_hangs_is_noticed_by_the_next_request(hanging, unload_after_minutes):
    loader, work = Loader(), hanging("torch")
    host = await host_of(loader)
    idle = asyncio.ensure_future(host.run_idle(work, threading.Event()))
    await begun(work)
    if unload_after_minutes:
        host.apply(
            Settings(engine="torch", device="cuda", unload_after_minutes=unload_after_minutes)
        )
        while not host.status.is_unloaded:
            await asyncio.sleep(0.001)

    assert "onnx" == await host.run(work, Patience(threading.Event()))
    assert await idle is None
    host.close()


async def test_a_slow_call_that_somebody_waits_for_is_not_given_up(hanging):
    loader, work = Loader(), hanging("torch")
    host = await host_of(loader)
    waiting = asyncio.ensure_future(host.run(work, Patience(threading.Event())))
    await begun(work)
    for _ in range(50):
        await asyncio.sleep(SOON.tick_seconds)
    work.go_on.set()

    assert "torch" == await waiting
    assert (["torch"], "") == (loader.names, host.status.warning)
    host.close()


async def test_a_server_has_its_own_time_limits(hanging):
    loader, work = Loader(ServerEngine), hanging("torch")
    host = await host_of(loader)
    waiting = asyncio.ensure_future(host.run(work, cancelled()))
    await begun(work)
    for _ in range(50):
        await asyncio.sleep(SOON.tick_seconds)
    work.go_on.set()

    assert "torch" == await waiting
    assert ["torch"] == loader.names
    host.close()


async def test_a_process_that_stood_still_counts_that_as_one_tick(hanging):
    loader, work = Loader(), hanging("torch")
    host = await host_of(loader, LATER)
    waiting = asyncio.ensure_future(host.run(work, cancelled()))
    await begun(work)
    await asyncio.sleep(2 * LATER.tick_seconds)
    time.sleep(2 * LATER.seconds)  # the event loop stands still, as where the process is stopped
    await asyncio.sleep(2 * LATER.tick_seconds)
    work.go_on.set()

    assert "torch" == await waiting
    assert ["torch"] == loader.names
    host.close()


async def test_the_engine_that_took_the_place_is_not_replaced_in_its_turn(hanging):
    loader, work = Loader(), hanging("torch", "onnx")
    host = await host_of(loader)
    with pytest.raises(EngineHung):
        await host.run(work, cancelled())
    with pytest.raises(EngineHung):
        await host.run(work, cancelled())

    assert (["torch", "onnx"], "error") == (loader.names, host.status.state)
    assert (
        "the engine onnx failed (it has not returned for 0.05 s); restart the server, or set "
        "another engine"
    ) == host.status.message
    await host.ready(Settings(engine="ctranslate2"))
    assert "ctranslate2" == await host.run(work)
    host.close()


async def test_no_second_engine_is_given_up_soon_after_the_first(hanging):
    loader, work = Loader(), hanging("torch", "onnx")
    host = await host_of(loader, HangBounds(0.05, 0.01))
    with pytest.raises(EngineHung):
        await host.run(work, cancelled())
    work.began.clear()
    waiting = asyncio.ensure_future(host.run(work, cancelled()))
    await begun(work)
    for _ in range(50):
        await asyncio.sleep(SOON.tick_seconds)
    work.go_on.set()

    assert "onnx" == await waiting
    host.close()


async def test_another_model_answers_while_the_engine_of_the_old_one_hangs(hanging):
    loader, work = Loader(), hanging("torch")
    host = await host_of(loader, HangBounds())
    hung = asyncio.ensure_future(host.run(work, cancelled()))
    await begun(work)
    host.apply(Settings(engine="onnx"))

    while "onnx" != host.status.engine:
        await asyncio.sleep(0.001)
    assert "onnx" == await host.run(work)
    work.go_on.set()
    assert "torch" == await hung
    host.close()
