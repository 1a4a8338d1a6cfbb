"""A model here answers while a server does not, and its user is told once."""

import pytest

from fim_lsp.model_host.host import ModelHost
from fim_lsp.model_host.status import ServerState
from fim_lsp.settings import Settings
from model_runtime.engines.scripted import ScriptedEngine
from model_runtime.errors import ModelNotFound, ServerUnavailable
from tests.support.scripted_host import scripted_model

DOWN = "no server answers at gpu:8000 on another machine; it is asked again later"
REMOTE = Settings(engine="vllm", model="big", fallback_model="small")


class ServerEngine(ScriptedEngine):
    """An engine whose server may be down."""

    server = "gpu:8000 on another machine"
    has_probabilities = True
    stops_abandoned: bool | None = None
    problem = ""


class Loader:
    """Opens "big" behind a server and "small" here, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.remote = ServerEngine([1])
        self.local = ScriptedEngine([1])

    def __call__(self, settings: Settings):
        self.asked.append(f"{settings.model} on {settings.engine}")
        if settings.model == "missing":
            raise ModelNotFound("there is no model missing")
        engine = self.remote if settings.model == "big" else self.local
        model = scripted_model("a")
        return type(model)(**{**vars(model), "name": settings.model, "engine": engine})


def ask(model) -> str:
    if problem := getattr(model.engine, "problem", ""):
        raise ServerUnavailable(problem)
    return model.name


@pytest.fixture
async def loader():
    return Loader()


async def test_the_stand_in_answers_until_the_server_does(loader):
    host = ModelHost(loader)
    told = []
    await host.ready(REMOTE)
    host.subscribe(lambda status: told.append(status.warning))
    assert "big" == await host.run(ask)
    loader.remote.problem = DOWN
    assert ["small", "small"] == [await host.run(ask), await host.run(ask)]
    assert f"{DOWN}; small answers meanwhile" == host.status.message
    loader.remote.problem = ""

    assert "big" == await host.run(ask)
    assert ["big on vllm", "small on auto"] == loader.asked
    assert 1 == sum(new != old and new != "" for old, new in zip(["", *told], told, strict=False))
    assert "the model runs at gpu:8000 on another machine, to which your code is sent" == (
        host.status.message
    )
    host.close()


async def test_the_status_is_as_new_as_the_outage_and_its_user_is_warned_once(loader):
    """A problem that only the user can mend is a warning of its own."""
    host, said = ModelHost(loader), []
    await host.ready(Settings(engine="vllm", model="big"))
    host.subscribe(lambda status: said.append(status.message))
    for problem in (DOWN, "the server gpu:8000 still loads its model", DOWN):
        loader.remote.problem = problem
        with pytest.raises(ServerUnavailable):
            await host.run(ask)
        assert (problem, DOWN) == (host.status.message, host.status.warning)

    def ask_another(model):
        raise ServerUnavailable("it has another tokenizer; set model", is_lasting=True)

    with pytest.raises(ServerUnavailable):
        await host.run(ask_another)
    assert host.status.message == host.status.warning == "it has another tokenizer; set model"
    host.close()


async def test_a_server_that_goes_on_with_abandoned_answers_is_named(loader):
    host = ModelHost(loader)
    await host.ready(REMOTE)
    loader.remote.stops_abandoned = False
    await host.run(ask)

    assert host.status.server.stops_abandoned is False
    assert "it goes on with answers that nobody waits for" in host.status.message
    host.close()


async def test_without_a_stand_in_a_request_fails_with_the_reason(loader):
    host = ModelHost(loader)
    await host.ready(Settings(engine="vllm", model="big"))
    loader.remote.problem = DOWN
    with pytest.raises(ServerUnavailable, match="no server answers"):
        await host.run(ask)

    assert (DOWN, DOWN, "ready") == (
        host.status.message,
        host.status.warning,
        host.status.state,
    )
    assert not loader.remote.is_closed
    host.close()


async def test_a_stand_in_that_is_not_there_changes_nothing(loader):
    host = ModelHost(loader)
    await host.ready(Settings(engine="vllm", model="big", fallback_model="missing"))
    loader.remote.problem = DOWN
    for _ in range(2):
        with pytest.raises(ServerUnavailable, match="no server answers"):
            await host.run(ask)
    loader.remote.problem = ""

    assert "big" == await host.run(ask)
    assert ["big on vllm", "missing on auto"] == loader.asked
    host.close()


async def test_the_status_says_where_the_server_is_and_that_it_tells_no_probabilities(loader):
    loader.remote.has_probabilities = False
    host = ModelHost(loader)
    await host.ready(REMOTE)

    assert ServerState("gpu:8000 on another machine", False) == host.status.server
    assert host.status.message.endswith("; it tells no probabilities, so eagerness is off")
    host.close()


async def test_a_server_that_is_down_at_the_start_is_no_error(loader):
    loader.remote.problem = DOWN
    host = ModelHost(loader)
    await host.ready(REMOTE)
    assert ("ready", DOWN) == (host.status.state, host.status.warning)
    assert "small" == await host.run(ask)
    loader.remote.problem = ""

    assert "big" == await host.run(ask)
    assert "" == host.status.warning
    host.close()
