"""Folders that are read-only, full or gone: the server completes, and says at most one sentence."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable

import pytest

from model_runtime.models.bundle import ModelBundle
from tests.faults import folders
from tests.faults.servers import SERVER, Home, Server, serving
from tests.faults.tally import Tally

STATES = {"read-only": folders.read_only, "full": folders.full}
RUNTIME = (sys.executable, "-m", "model_runtime")
SETTINGS = {"engine": "onnx", "threads": 1}


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Returns what is suggested where nothing is wrong."""
    with Home.made(tmp_path_factory.mktemp("usual")) as home, serving(home) as server:
        return server.become_ready(**SETTINGS).complete()


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(
    "names",
    [["cache"], ["data"], ["state"], ["cache", "data", "state"]],
    ids=lambda names: " and ".join(names),
)
def test_a_folder_that_cannot_be_written_costs_no_suggestion(
    home: Home, usual: list[str], tally: Tally, state: str, names: list[str]
):
    count = tally.of(f"folders of cache, data and state {state}")
    command, options = STATES[state](*(getattr(home, name) for name in names))
    with serving(home, command, **options) as server:
        server.become_ready(**SETTINGS)
        count.injected += 1
        assert usual == server.complete()
        server.type(25)
        count.requests, count.answered = count.requests + 26, count.answered + 26
        count.errors_shown += len(shown(server))
        leave(server)
        count.survived += 1
    assert [] == list(home.temporary.iterdir())


def test_no_room_at_all_is_said_in_one_sentence(home: Home, tally: Tally):
    """The cache is full and so is the temporary folder, so the engine's form can lie nowhere."""
    count = tally.of("cache and temporary folder full")
    command, options = folders.full(home.cache, home.temporary)
    with serving(home, command, **options) as server:
        server.wire.initialize(initializationOptions=SETTINGS)
        count.injected += 1
        status = server.wire.notification("fimLsp/status", state="error")
        assert "make room" in status["message"]
        assert "\n" not in status["message"]
        count.errors_shown += len(shown(server))
        leave(server)
        count.survived += 1


@pytest.mark.parametrize("kind", ["bundle", "source"])
def test_a_model_that_has_no_room_is_refused_in_one_sentence_with_the_remedy(
    home: Home, tiny: ModelBundle, tally: Tally, kind: str
):
    count = tally.of("folder of models full")
    add = [*RUNTIME, "models", "add", str(tiny.path.parent / kind), "--name", "mine"]
    command, options = folders.full(home.data, command=add)
    done = subprocess.run(
        command, env=home.environment, cwd=home.path, capture_output=True, text=True, **options
    )
    count.injected += 1
    assert 1 == done.returncode
    *_, told = done.stderr.splitlines()  # behind the steps
    assert told.startswith("fim-runtime: cannot write ")
    assert told.endswith("make room there and try again")
    assert [] == list(home.models.glob("*"))
    count.errors_shown += 1
    count.survived += 1


@pytest.mark.parametrize("names", [["cache"], ["data"], ["state"], ["cache", "data", "state"]])
def test_folders_that_vanish_under_a_running_server_cost_no_suggestion(
    home: Home, usual: list[str], tally: Tally, names: list[str]
):
    count = tally.of("folders vanish under a running server")
    with serving(home) as server:
        server.become_ready(**SETTINGS)
        for name in names:
            shutil.rmtree(getattr(home, name))
        count.injected += 1
        assert usual == server.complete()
        server.type(25)
        reload(server)
        assert usual == server.complete()
        count.requests, count.answered = count.requests + 27, count.answered + 27
        count.errors_shown += len(shown(server))
        leave(server)
        count.survived += 1


def test_the_folder_in_which_the_server_was_started_may_vanish(
    home: Home, usual: list[str], tally: Tally
):
    count = tally.of("folders vanish under a running server")
    folder = home.path / "started here"
    folder.mkdir()
    command = ("sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", str(folder), *SERVER)
    with serving(home, command) as server:
        server.wire.initialize(initializationOptions=SETTINGS)
        folder.rmdir()
        count.injected += 1
        server.wire.notification("fimLsp/status", state="ready")
        assert usual == server.complete()
        reload(server)
        assert usual == server.complete()
        count.requests, count.answered = count.requests + 2, count.answered + 2
        leave(server)
        count.survived += 1


def reload(server: Server) -> None:
    """Lets the server open its model again, with as many threads more."""
    settings = {"fimLsp": {**SETTINGS, "threads": 2}}
    server.wire.notify("workspace/didChangeConfiguration", {"settings": settings})
    is_loading: Callable[[str], bool] = lambda text: text.startswith(("loading", "preparing"))  # noqa: E731

    def says(loading: bool) -> None:
        server.wire.receive(
            lambda m: (
                m.get("method") == "fimLsp/status" and is_loading(m["params"]["message"]) is loading
            )
        )

    says(True)
    says(False)


def shown(server: Server) -> list[str]:
    """Returns what the user has been shown in a window."""
    messages = server.wire.seen()
    return [m["params"]["message"] for m in messages if m.get("method") == "window/showMessage"]


def leave(server: Server) -> None:
    """Shuts the server down; it must end well, and have logged no traceback."""
    server.wire.shut_down()
    assert 0 == server.process.wait(20)
    assert "Traceback" not in server.read_log()
