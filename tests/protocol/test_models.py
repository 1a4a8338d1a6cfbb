"""Models that are offered, added and chosen while an editor runs, with a hub on this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.protocol.conftest import recorded
from tests.support.offered_model import NAME, Offered, offered
from tests.support.random_models import VARIANTS, make_source
from tests.support.wire import TIMEOUT_SECONDS, Wire, start_stdio, wait_for_log

pytestmark = [pytest.mark.own, pytest.mark.slow]

PATIENCE = 6 * TIMEOUT_SECONDS
"""A model is fetched, converted and loaded in another process in the meantime."""
WITH_ACTIONS = {
    "capabilities": {
        "window": {
            "workDoneProgress": True,
            "showMessage": {"messageActionItem": {"additionalPropertiesSupport": True}},
        }
    }
}
QUIET = {"initializationOptions": {"engine": "onnx", "offerModels": False}}
OFFERING = {"initializationOptions": {"engine": "onnx"}}
ASK = "window/showMessageRequest"
LINE = "for number in range("


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of a small model, as a hub has them."""
    return make_source(tmp_path_factory.mktemp("hub") / "tiny-fim", VARIANTS["rotary quarter"])


@pytest.fixture
def world(tmp_path: Path, files: Path) -> Iterator[Offered]:
    with offered(tmp_path / "home", files) as world:
        yield world


@pytest.fixture
def launch(world: Offered) -> Iterator[Callable[..., Wire]]:
    """Start the whole server as a client; `answer` chooses among the labels of a question."""
    started: list[tuple[subprocess.Popen[bytes], Wire]] = []

    def launch(
        params: dict[str, Any], answer: Callable[[list[str]], str | None] | None = None
    ) -> Wire:
        process, wire = start_stdio(
            [sys.executable, "-m", "fim_lsp"], env=world.environment, stderr=subprocess.DEVNULL
        )
        started.append((process, wire))
        if answer is None:
            wire.unanswered.add(ASK)
        else:

            def chosen(asked: dict[str, Any]) -> dict[str, str] | None:
                title = answer([action["title"] for action in asked["actions"]])
                return None if title is None else {"title": title}

            wire.answers[ASK] = chosen
        wire.initialize(params)
        wire.receive(is_status(state="ready"), PATIENCE)
        return wire

    yield launch
    for process, wire in started:
        wire.close_input()
        assert 0 == process.wait(TIMEOUT_SECONDS)
        wire.close()


def is_status(**wanted: Any) -> Callable[[dict[str, Any]], bool]:
    def found(message: dict[str, Any]) -> bool:
        if message.get("method") != "fimLsp/status":
            return False
        return all(message["params"].get(key) == value for key, value in wanted.items())

    return found


def has_fetched_some(message: dict[str, Any]) -> bool:
    return message.get("method") == "fimLsp/status" and bool(
        (message["params"]["adding"] or {"share": 0})["share"]
    )


def has_begun(message: dict[str, Any]) -> bool:
    return message.get("method") == "fimLsp/status" and bool(message["params"]["adding"])


def run_command(wire: Wire, command: str, argument: object, **more: object) -> int:
    """Send a command without waiting; gives the request's id."""
    number = wire.new_id()
    params = {"command": command, "arguments": [argument], **more}
    wire.send({"id": number, "method": "workspace/executeCommand", "params": params})
    return number


def add(wire: Wire, *, name: str = NAME, accept: bool = False, **more: object) -> int:
    return run_command(wire, "fimLsp.addModel", {"name": name, "acceptLicense": accept}, **more)


def question(wire: Wire) -> dict[str, Any]:
    """The next question to the user, which the server waits to be quiet for."""
    message = wire.receive(lambda message: message.get("method") == ASK, PATIENCE)
    params: dict[str, Any] = message["params"]
    return params


def progress(wire: Wire) -> list[dict[str, Any]]:
    """All that a progress bar has shown, from its beginning to its end."""
    begin = wire.receive(
        lambda message: (
            message.get("method") == "$/progress"
            and message["params"]["value"].get("title") == f"Adding {NAME}"
        ),
        PATIENCE,
    )
    shown = [begin["params"]["value"]]
    token = begin["params"]["token"]
    while shown[-1]["kind"] != "end":
        message = wire.receive(
            lambda message: (
                message.get("method") == "$/progress" and message["params"]["token"] == token
            ),
            PATIENCE,
        )
        shown.append(message["params"]["value"])
    return shown


def log_of(world: Offered) -> Callable[[], str]:
    def read() -> str:
        return "".join(path.read_text("utf-8") for path in world.home.rglob("fim-lsp.log"))

    return read


def complete(wire: Wire) -> str:
    """Ask for a completion; gives the model that the server names then."""
    wire.open(LINE)
    assert "items" in wire.complete(0, len(LINE), kind=1)
    [trace, *_] = wire.traces()
    assert trace["outcome"] in ("shown", "nothing")
    return str(trace["source"])


def test_a_user_who_agrees_to_the_offer_completes_with_the_new_model(launch, world: Offered):
    wire = launch({**WITH_ACTIONS, **OFFERING}, lambda labels: labels[0])
    asked = question(wire)
    assert [asked["actions"][0]["title"][:10], "Not now", "Never"] == [
        "Download (",
        *[action["title"] for action in asked["actions"][1:]],
    ]
    assert NAME in asked["message"]
    assert "license apache-2.0" in asked["message"]
    shown = progress(wire)
    percentages = [value["percentage"] for value in shown[:-1]]
    assert shown[0]["cancellable"] is True
    assert percentages == sorted(percentages)
    assert any("fetching" in value["message"] for value in shown[1:-1])

    wire.receive(is_status(model=NAME, state="ready", adding=None), PATIENCE)
    assert "model" == complete(wire)
    assert [NAME] == world.models
    assert f"{NAME}\n" == (world.data / "chosen-model").read_text("utf-8")


def test_nothing_is_fetched_before_the_user_has_agreed(launch, world: Offered):
    wire = launch({**WITH_ACTIONS, **OFFERING}, lambda labels: "Not now")
    question(wire)
    wait_for_log(log_of(world), "the answer to the offer is Not now")

    assert [] == world.hub.requests
    assert date.today().isoformat() == json.loads((world.data / "offers.json").read_text())["asked"]
    launch({**WITH_ACTIONS, **OFFERING}, lambda labels: labels[0])
    wait_for_log(log_of(world), "no model is offered: the user was asked today")


def test_never_counts_for_every_later_day(launch, world: Offered):
    question(launch({**WITH_ACTIONS, **OFFERING}, lambda labels: "Never"))
    wait_for_log(log_of(world), "the answer to the offer is Never")
    file = world.data / "offers.json"
    wait_for_log(lambda: file.read_text("utf-8"), '"never": true')

    file.write_text(json.dumps({"version": 1, "never": True, "asked": "2020-01-01"}))
    launch({**WITH_ACTIONS, **OFFERING}, lambda labels: labels[0])
    wait_for_log(log_of(world), "no model is offered: the user has said never")


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({**WITH_ACTIONS, **QUIET}, "the setting `offerModels` is off"),
        (
            {**WITH_ACTIONS, "initializationOptions": {"model": "default", "engine": "onnx"}},
            "the setting `model` names one",
        ),
    ],
    ids=["offers are off", "a model is set"],
)
def test_settings_keep_the_offer_away(launch, world: Offered, params: dict, reason: str):
    launch(params, lambda labels: labels[0])
    wait_for_log(log_of(world), f"no model is offered: {reason}")


def test_a_client_without_answers_to_choose_from_is_asked_nothing(launch, world: Offered):
    wire = launch({**recorded("emacs"), **OFFERING})
    complete(wire)
    wait_for_log(log_of(world), "the client shows no questions")
    assert ASK not in {message.get("method") for message in wire.seen()}


def test_a_command_adds_a_model_and_shows_how_far_it_is(launch, world: Offered):
    wire = launch(QUIET)
    before = wire.result("fimLsp/models", {})
    assert ["default"] == [row["name"] for row in before["installed"]]
    assert [False] == [row["isInstalled"] for row in before["available"]]
    number = add(wire, workDoneToken="mine")
    shown = progress(wire)
    assert {"name": NAME, "message": ""} == wire.response(number, PATIENCE)["result"]
    wire.receive(is_status(model=NAME), PATIENCE)

    assert "begin" == shown[0]["kind"]
    rows = {row["name"]: row for row in wire.result("fimLsp/models", {})["installed"]}
    assert [False, True] == [rows[name]["isCurrent"] for name in ("default", NAME)]
    assert [False, True] == [rows[name]["isRemovable"] for name in ("default", NAME)]


def test_what_was_cancelled_leaves_nothing_and_goes_on_where_it_was(launch, world: Offered):
    wire = launch(QUIET)
    world.hub.slow = 100_000
    number = add(wire, workDoneToken="mine")
    wire.receive(has_fetched_some, PATIENCE)
    wire.notify("window/workDoneProgress/cancel", {"token": "mine"})
    assert -32800 == wire.response(number, PATIENCE)["error"]["code"]
    assert [] == world.models
    assert "embedded" == status(wire)["model"]

    world.hub.slow = None
    assert NAME == wire.response(add(wire), PATIENCE)["result"]["name"]
    assert [NAME] == world.models
    assert any(start > 0 for start in world.hub.ranges)


def status(wire: Wire) -> dict[str, Any]:
    """The last status that was sent."""
    statuses = [m["params"] for m in wire.seen() if m.get("method") == "fimLsp/status"]
    last: dict[str, Any] = statuses[-1]
    return last


def test_a_request_that_is_cancelled_stops_the_download(launch, world: Offered):
    wire = launch(QUIET)
    world.hub.slow = 100_000
    number = add(wire)
    wire.receive(has_begun, PATIENCE)
    wire.notify("$/cancelRequest", {"id": number})
    assert -32800 == wire.response(number, PATIENCE)["error"]["code"]
    wire.receive(is_status(adding=None), PATIENCE)
    assert [] == world.models


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ({"cut_at": 0.5, "is_gone_after_cut": True}, "run the same command again"),
        ({"wrong_bytes": True}, "again"),
        ({"down": True}, "again"),
    ],
    ids=["cut off in the middle", "wrong bytes", "gone"],
)
def test_a_failure_is_told_with_a_next_step_which_succeeds(
    launch, world: Offered, trouble: dict[str, Any], words: str
):
    for name, value in trouble.items():
        setattr(world.hub, name, value)

    def answer(labels: list[str]) -> str:
        if labels[0] == "Try again":
            world.hub.down = world.hub.wrong_bytes = False
            world.hub.is_gone_after_cut = False
        return labels[0]

    wire = launch({**WITH_ACTIONS, **OFFERING}, answer)
    question(wire)
    failed = question(wire)
    assert 1 == failed["type"]
    assert failed["message"].startswith(f"{NAME} was not added: ")
    assert words in failed["message"]
    wire.receive(is_status(model=NAME, state="ready"), PATIENCE)
    assert [NAME] == world.models


@pytest.mark.skipif(sys.platform != "linux", reason="children are found in /proc")
def test_a_process_that_is_killed_is_told_and_leaves_the_old_model(launch, world: Offered):
    wire = launch(QUIET)
    world.hub.slow = 100_000
    number = add(wire)
    wire.receive(has_begun, PATIENCE)
    os.kill(adding_process(world), signal.SIGKILL)
    error = wire.response(number, PATIENCE)["error"]
    assert -32803 == error["code"]
    assert "was killed (signal 9)" in error["message"]
    assert "try again" in error["message"]
    assert [] == world.models
    complete(wire)


def adding_process(world: Offered) -> int:
    """The process that adds a model in the home of the test."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_bytes()
                environment = (folder / "environ").read_bytes()
            except OSError:
                continue
            is_ours = f"HOME={world.home}\0".encode() in environment
            if is_ours and b"model_runtime\0models\0add" in command:
                return int(folder.name)
        time.sleep(0.02)
    raise AssertionError("no process adds a model")


def test_the_end_of_the_server_ends_the_download(launch, world: Offered):
    wire = launch(QUIET)
    world.hub.slow = 100_000
    add(wire)
    wire.receive(has_begun, PATIENCE)
    process = Path("/proc") / str(adding_process(world))
    wire.shut_down()
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while process.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not process.exists()
    assert [] == world.models


def test_a_license_with_conditions_has_to_be_accepted(tmp_path: Path, files: Path):
    with offered(tmp_path / "home", files, is_permissive=False) as world:
        process, wire = start_stdio(
            [sys.executable, "-m", "fim_lsp"], env=world.environment, stderr=subprocess.DEVNULL
        )
        wire.answers[ASK] = lambda asked: None
        wire.initialize({**WITH_ACTIONS, **OFFERING})
        asked = question(wire)
        assert asked["actions"][0]["title"].startswith("Accept the license and download (")
        assert "https://example.org/license" in asked["message"]
        error = wire.response(add(wire), PATIENCE)["error"]
        assert "accept it to go on" in error["message"]
        assert [] == world.hub.requests
        assert NAME == wire.response(add(wire, accept=True), PATIENCE)["result"]["name"]
        wire.shut_down()
        assert 0 == process.wait(TIMEOUT_SECONDS)
        wire.close()


def test_two_servers_fetch_a_model_once_and_both_use_it(launch, world: Offered):
    wires = [launch(QUIET), launch(QUIET)]
    world.hub.slow = 300_000
    numbers = [add(wire) for wire in wires]
    for wire, number in zip(wires, numbers, strict=True):
        assert NAME == wire.response(number, PATIENCE)["result"]["name"]
        wire.receive(is_status(model=NAME), PATIENCE)
    assert 1 == sum(path.endswith(".safetensors") for path in fetched(world))


def fetched(world: Offered) -> list[str]:
    """Paths of the large files that were sent from their beginning, in the order of requests."""
    return [path for path in dict.fromkeys(world.hub.requests) if "/resolve/" in path]


def test_a_choice_in_a_terminal_is_used_by_editors_that_run(launch, world: Offered):
    first, second = launch(QUIET), launch({"initializationOptions": {"model": "default"}})
    assert NAME == first.response(add(first), PATIENCE)["result"]["name"]
    first.receive(is_status(model=NAME), PATIENCE)
    first.seen()  # older words about the embedded model
    done = subprocess.run(
        [sys.executable, "-m", "model_runtime", "models", "use", "default"],
        env=world.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "editors use default from now on\n" == done.stdout
    first.receive(is_status(model="embedded", state="ready"), PATIENCE)

    answer = second.response(run_command(second, "fimLsp.useModel", {"name": NAME}), PATIENCE)
    assert "the setting `model` says default; set it to auto" in answer["result"]["message"]
    first.receive(is_status(model=NAME), PATIENCE)


@pytest.mark.parametrize(
    ("command", "argument", "words"),
    [
        ("fimLsp.useModel", {"name": "nobody"}, "no model has the name 'nobody'"),
        ("fimLsp.useModel", {"name": "/etc"}, "/etc"),
        ("fimLsp.useModel", {}, "wants an argument"),
        ("fimLsp.addModel", {"name": "nobody"}, "the catalogue has no model 'nobody'"),
        ("fimLsp.addModel", {"name": "/etc"}, "the catalogue has no model '/etc'"),
        ("fimLsp.addModel", None, "wants an argument"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(wire_of_whole, command, argument, words):
    error = wire_of_whole.response(run_command(wire_of_whole, command, argument))["error"]
    assert -32803 == error["code"]
    assert words in error["message"]


def test_a_refused_request_is_a_line_of_the_log(launch, world: Offered):
    wire = launch(QUIET)
    number = run_command(wire, "fimLsp.addModel", {"name": "nobody"})
    assert -32803 == wire.response(number)["error"]["code"]
    line = f"request {number} refused: the catalogue has no model 'nobody'"
    wait_for_log(log_of(world), line)
    assert "Traceback" not in log_of(world)()


@pytest.fixture(scope="module")
def wire_of_whole(tmp_path_factory: pytest.TempPathFactory, files: Path) -> Iterator[Wire]:
    """One server for requests that change nothing."""
    with offered(tmp_path_factory.mktemp("refusals") / "home", files) as world:
        process, wire = start_stdio(
            [sys.executable, "-m", "fim_lsp"], env=world.environment, stderr=subprocess.DEVNULL
        )
        wire.initialize(QUIET)
        yield wire
        wire.shut_down()
        assert 0 == process.wait(TIMEOUT_SECONDS)
        wire.close()


def test_without_a_catalogue_the_models_of_this_machine_can_be_chosen(launch, world: Offered):
    world.catalogue.write_text("{")
    found = launch({**WITH_ACTIONS, **OFFERING}).result("fimLsp/models", {})
    assert ["default"] == [row["name"] for row in found["installed"]]
    assert [] == found["available"]
    assert f"the catalogue {world.catalogue} cannot be used" in found["problem"]
    wait_for_log(log_of(world), "no model is offered: the catalogue")


def test_a_chosen_model_that_is_gone_is_told_and_the_embedded_one_answers(launch, world: Offered):
    world.data.mkdir(parents=True)
    (world.data / "chosen-model").write_text("vanished\n")
    wire = launch(QUIET)
    told = wire.notification("window/showMessage")["message"]

    assert "vanished, the chosen model, cannot be used" in told
    assert "fim-runtime models use NAME" in told
    assert "model" == complete(wire)
    [row] = wire.result("fimLsp/models", {})["installed"]
    assert ("default", True) == (row["name"], row["isCurrent"])
