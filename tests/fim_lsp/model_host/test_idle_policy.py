"""The model leaves memory while nobody asks, and comes back for the next request."""

import asyncio
import threading

from fim_lsp.completion.provider import CompletionProvider
from fim_lsp.completion.request import CompletionRequest
from fim_lsp.document import DocumentSnapshot
from fim_lsp.model_host.host import ModelHost
from fim_lsp.model_host.idle_policy import IdleUnload
from fim_lsp.settings import Settings
from fim_lsp.suggestion import Trigger
from model_runtime.errors import EngineUnavailable
from tests.support.scripted_host import scripted_model

SOON = Settings(debounce_ms=0, unload_after_minutes=0.02 / 60)
NEVER = Settings(debounce_ms=0, unload_after_minutes=0)


class Loader:
    """Loads scripted models and keeps count of them."""

    def __init__(self, **options):
        self.options, self.models, self.asked, self.fails = options, [], [], False

    def __call__(self, settings):
        self.asked.append(settings.engine)
        if self.fails:
            raise EngineUnavailable("the weights are gone")
        self.models.append(scripted_model("a + b", **self.options))
        return self.models[-1]


async def started(loader, settings=SOON):
    host = ModelHost(loader)
    await host.ready(settings)
    return host


async def until(host, is_so):
    """Waits for a status of which `is_so` is true."""
    changed = asyncio.Event()
    unsubscribe = host.subscribe(lambda status: changed.set())
    while not is_so(host.status):
        changed.clear()
        await asyncio.wait_for(changed.wait(), 20)
    unsubscribe()


def is_unloaded(status):
    return status.is_unloaded


async def ask(host, text="x = "):
    snapshot = DocumentSnapshot("file:///a.py", "python", 1, text, len(text))
    request = CompletionRequest(snapshot, Trigger.INVOKED, NEVER)
    return await CompletionProvider(host).complete(request)


async def test_an_idle_model_is_closed_and_the_status_says_so():
    loader = Loader()
    host = await started(loader)
    await until(host, is_unloaded)
    assert host.status.message.startswith("unloaded while idle")
    await host.run(lambda model: None)  # its thread works in order: the closing was before this

    assert loader.models[0].engine.is_closed
    assert "ready" == host.status.state  # an editor may ask
    host.close()


async def test_the_next_request_brings_it_back_and_is_answered():
    loader = Loader()
    host = await started(loader)
    await until(host, is_unloaded)
    host.apply(NEVER)

    assert "a + b" == (await ask(host))[0].text
    assert ("", False) == (host.status.message, host.status.is_unloaded)
    assert [True, False] == [model.engine.is_closed for model in loader.models]
    host.close()


async def test_what_comes_back_is_the_engine_that_left():
    """The choice of the fastest is not made again."""
    loader = Loader()
    host = await started(loader)
    await until(host, is_unloaded)
    await ask(host)

    assert ["auto", "scripted"] == loader.asked[:2]
    host.close()


async def test_requests_that_come_together_wait_for_one_reload():
    loader = Loader()
    host = await started(loader)
    await until(host, is_unloaded)
    host.apply(NEVER)
    answers = await asyncio.gather(*(ask(host, text) for text in ("x = ", "y = ", "z = ")))

    assert all(answers)
    assert 2 == len(loader.models)
    host.close()


async def test_work_is_not_interrupted():
    """The time of a request does not count, however long it is."""
    loader = Loader(token_seconds=0.05)
    host = await started(loader, NEVER)
    asking = asyncio.ensure_future(ask(host))
    await until(host, lambda status: "busy" == status.state)
    host.apply(SOON)

    assert "a + b" == (await asking)[0].text
    assert 1 == len(loader.models)
    host.close()


async def test_another_model_takes_the_place_of_the_unloaded_one():
    loader = Loader()
    host = await started(loader)
    await until(host, is_unloaded)
    other = Settings(model="other", unload_after_minutes=0)
    host.apply(other)
    await until(host, lambda status: status.state == "ready" and not status.message)

    assert await ask(host)
    unloaded, model = loader.models
    while not unloaded.engine.is_closed:
        await asyncio.sleep(0.001)
    assert not model.engine.is_closed
    host.close()


async def test_a_reload_that_fails_gives_nothing_and_the_next_request_tries_again():
    loader = Loader()
    host = await started(loader)
    await until(host, is_unloaded)
    host.apply(NEVER)
    loader.fails = True
    assert [] == await ask(host)
    loader.fails = False

    assert await ask(host)
    host.close()


async def test_a_reload_opens_what_was_loaded_though_another_model_is_wanted_by_now():
    """The other one is still loading when a request comes."""
    go_on, asked = threading.Event(), []

    def load(settings):
        asked.append(settings.model)
        if settings.model == "other":
            assert go_on.wait(20)
        return scripted_model("a + b")

    host = await started(load)
    await until(host, is_unloaded)
    host.apply(Settings(model="other", unload_after_minutes=0))

    assert await ask(host)
    assert ["default", "default", "other"] == sorted(asked)
    go_on.set()
    await until(host, lambda status: status.progress is None)
    host.close()


async def test_zero_minutes_stand_for_never():
    idle = IdleUnload(unload=lambda: None, reload=asyncio.Event().wait)
    idle.rest()
    assert not idle.is_counting
    idle.allow(30)
    assert idle.is_counting
    idle.allow(0)

    assert not idle.is_counting
