"""The whole server with the embedded model, as an editor starts it: `python -m fim_lsp`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.protocol.conftest import EDITORS, StartStdio, hang_up, recorded, token_file
from tests.support.wire import (
    TIMEOUT_SECONDS,
    URI,
    Wire,
    ask,
    cancel,
    connect,
    did_change,
    did_close,
    did_open,
    free_port,
    notification,
    replace,
)

pytestmark = pytest.mark.own

FUNCTIONS = "".join(f"def add_{i}(a, b):\n    return a + b + {i}\n\n\n" for i in range(40))
OTHER = "file:///project/users.py"
TEXT = f"import os\n\n\n{FUNCTIONS}def total(numbers):\n    result = 0\n    for number in "
LINE, CHARACTER = TEXT.count("\n"), len("    for number in ")
SLOW = {"maxNewTokens": 200, "contextTokens": 1000, "multiline": "always", "eagerness": 1}


@pytest.fixture(scope="session")
def server_command() -> list[str]:
    """Whatever `--server-cmd` says: this is about our own."""
    return [sys.executable, "-m", "fim_lsp"]


@pytest.fixture
def ready(start: StartStdio) -> Wire:
    """Initialized as VS Code, with the model loaded and a Python file open."""
    _, wire = start()
    wire.initialize(recorded("vscode"))
    wire.notification("fimLsp/status", state="ready")
    wire.open(TEXT)
    return wire


def ask_slowly(wire: Wire, working: bool) -> int:
    """A request that takes the model long; `working` waits until the model is at it.

    The server itself says when, so that no machine is too fast or too slow for the test.
    """
    wire.notify("workspace/didChangeConfiguration", {"settings": {"fimLsp": SLOW}})
    pending = wire.start_completion(LINE, CHARACTER, kind=1)
    if working:
        wire.notification("fimLsp/status", state="busy")
    return pending


def test_files_that_were_never_opened_are_remembered_when_they_have_been_looked_at(
    start: StartStdio, tmp_path: Path
):
    for number in range(4):
        text = "for item in items:\n    total += item.price * item.count\n"
        (tmp_path / f"part{number}.py").write_text(text)
    (tmp_path / "secrets.py").write_text("for item in items:\n    total += secret\n" * 9)
    _, wire = start()
    wire.initialize(recorded("vscode") | {"rootUri": tmp_path.as_uri(), "workspaceFolders": None})
    wire.notification("fimLsp/status", state="ready", indexedFiles=4)
    wire.open("for item in items:\n    ", uri=(tmp_path / "new.py").as_uri())
    (item,) = wire.complete(1, 4, kind=2, uri=(tmp_path / "new.py").as_uri())["items"]

    assert "total += item.price * item.count" == item["insertText"]
    assert "project memory" == last_trace(wire)["source"]


def last_trace(wire: Wire) -> dict:
    traces = wire.traces()
    assert isinstance(traces[0], dict)
    return traces[0]


@pytest.mark.parametrize("editor", EDITORS)
def test_asking_gives_suggestions_that_every_editor_can_show(start: StartStdio, editor: str):
    _, wire = start()
    wire.initialize(recorded(editor))
    assert wire.notification("fimLsp/status", state="ready")["model"]
    wire.open(TEXT)
    items = wire.complete(LINE, CHARACTER, kind=1)["items"]
    assert 1 <= len(items) <= 3
    assert len({item["insertText"] for item in items}) == len(items)
    for item in items:
        assert item["insertText"].strip()
        assert "filterText" not in item
        assert item["range"]["start"] == {"line": LINE, "character": CHARACTER}
        assert item["range"]["end"]["line"] == LINE
        assert item["command"]["command"] == "fimLsp.accept"
        wire.result("workspace/executeCommand", item["command"])


def test_of_requests_in_one_breath_only_the_last_is_answered(ready: Wire):
    """Neovim types so: nothing is cancelled, each key is an edit and a request."""
    messages = []
    for number, letter in enumerate("numb"):
        place = (LINE, CHARACTER + number)
        messages.append(did_change(number + 2, replace(place, place, letter)))
        messages.append(ask(100 + number, LINE, CHARACTER + number + 1))
    ready.send(*messages)
    results = [ready.response(100 + number)["result"] for number in range(4)]
    assert results[:3] == [None, None, None]
    assert isinstance(results[3]["items"], list)


@pytest.mark.parametrize("working", [False, True], ids=["while it waits", "while the model works"])
@pytest.mark.parametrize(
    "event",
    [did_change(2, replace((0, 0), (0, 0), "#")), did_close()],
    ids=["edited", "closed"],
)
def test_a_request_whose_text_is_gone_is_null(ready: Wire, event: dict, working: bool):
    pending = ask_slowly(ready, working)
    ready.send(event)
    response = ready.response(pending)
    assert "error" not in response
    assert response["result"] is None


@pytest.mark.parametrize("working", [False, True], ids=["while it waits", "while the model works"])
def test_a_cancelled_request_is_answered_so_and_stops_the_model(ready: Wire, working: bool):
    pending = ask_slowly(ready, working)
    ready.send(cancel(pending))
    assert ready.response(pending)["error"]["code"] == -32800
    assert last_trace(ready)["outcome"] == "cancelled"
    assert ready.notification("fimLsp/status", state="ready")


def test_a_request_before_the_model_is_loaded_is_answered_empty_and_at_once(start: StartStdio):
    _, wire = start()
    params = {"processId": None, "rootUri": None, **recorded("nvim")}
    wire.send(
        {"id": "first", "method": "initialize", "params": params},
        notification("initialized", {}),
        did_open(TEXT),
        ask("early", LINE, CHARACTER, kind=1),
    )
    assert wire.response("early")["result"] == {"items": []}
    assert last_trace(wire)["reason"] == "loading: default"
    wire.notification("fimLsp/status", state="ready")
    assert wire.complete(LINE, CHARACTER, kind=1)["items"]


@pytest.mark.parametrize(
    ("uri", "settings", "reason"),
    [
        ("file:///project/.env", {}, "excluded"),
        ("file:///project/x.py", {"exclude": ["*.py"]}, "excluded"),
        ("file:///project/x.py", {"languages": {"python": False}}, "language"),
        ("file:///project/x.py", {"enabled": False}, "disabled"),
    ],
)
def test_why_there_is_nothing_can_be_asked(ready: Wire, uri: str, settings: dict, reason: str):
    ready.notify("workspace/didChangeConfiguration", {"settings": {"fimLsp": settings}})
    ready.open(TEXT, uri=uri)
    assert ready.complete(LINE, CHARACTER, uri=uri, kind=1) == {"items": []}
    trace = last_trace(ready)
    assert trace["reason"].startswith(reason)
    assert trace["remedy"]


def test_the_end_of_the_input_while_the_model_works_ends_the_process(
    start: StartStdio,
):
    process, wire = start()
    wire.initialize({"initializationOptions": SLOW})
    wire.notification("fimLsp/status", state="ready")
    wire.open(TEXT)
    wire.start_completion(LINE, CHARACTER, kind=1)
    wire.notification("fimLsp/status", state="busy")
    wire.close_input()
    assert process.wait(TIMEOUT_SECONDS) == 0


def test_exit_while_the_model_loads_ends_the_process(start: StartStdio):
    process, wire = start()
    wire.initialize()
    wire.shut_down()
    assert process.wait(TIMEOUT_SECONDS) == 0


def test_the_log_names_times_and_no_code(start: StartStdio, tmp_path: Path):
    file = tmp_path / "fim-lsp.log"
    _, wire = start("--log-file", str(file))
    wire.initialize()
    wire.notification("fimLsp/status", state="ready")
    wire.open(TEXT.replace("total", "CANARY_IN_TEXT"))
    [item, *_] = wire.complete(LINE, CHARACTER, kind=1)["items"]
    wire.send(did_change(2, replace((0, 0), (0, 0), "CANARY_IN_TEXT")))
    wire.complete(0, 3)
    log = file.read_text("utf-8")
    assert "ms:" in log
    assert "CANARY_IN_TEXT" not in log
    assert "insertText" not in log
    assert item["insertText"] not in log or len(item["insertText"]) < 8


def test_a_model_that_is_not_there_is_told_once_and_another_can_be_chosen(start: StartStdio):
    _, wire = start()
    wire.initialize({"initializationOptions": {"model": "no-such-model"}})
    assert wire.notification("fimLsp/status", state="error")
    assert "no-such-model" in wire.notification("window/showMessage")["message"]
    wire.open(TEXT)
    assert wire.complete(LINE, CHARACTER, kind=1) == {"items": []}
    settings = {"settings": {"fimLsp": {"model": "default"}}}
    wire.notify("workspace/didChangeConfiguration", settings)
    wire.notification("fimLsp/status", state="ready")
    assert wire.complete(LINE, CHARACTER, kind=1)["items"]


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
def test_many_changes_of_a_setting_in_one_go_load_the_model_twice_at_the_most(
    start: StartStdio, tmp_path: Path
):
    file = tmp_path / "fim-lsp.log"
    process, wire = start("--log-file", str(file))
    wire.initialize({"initializationOptions": {"engine": "ctranslate2", "threads": 1}})
    wire.notification("fimLsp/status", state="ready")
    wire.open(TEXT)

    def change(threads: int) -> dict[str, Any]:
        settings = {"fimLsp": {"engine": "ctranslate2", "threads": threads}}
        return notification("workspace/didChangeConfiguration", {"settings": settings})

    def loads() -> int:
        return file.read_text("utf-8").count("loaded ")

    wire.send(*(change(threads) for threads in range(3, 61)), change(2))
    while loads() < 3:
        assert wire.complete(LINE, CHARACTER, kind=1)["items"]
    wire.result("fimLsp/explain")
    threads = len(list(Path(f"/proc/{process.pid}/task").iterdir()))
    assert loads() == 3
    assert threads < 30


@pytest.fixture
def tcp_port(
    server_command: list[str], environment: dict[str, str], tmp_path: Path
) -> Iterator[int]:
    """Returns the log of a server that writes it to `fim-lsp.log` in the test's folder."""
    port = free_port()
    process = subprocess.Popen(
        [
            *[*server_command, "--tcp", f"127.0.0.1:{port}"],
            *["--log-file", str(tmp_path / "fim-lsp.log")],
        ],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    yield port
    process.kill()
    process.wait()


def test_two_editors_share_one_model_and_nothing_else(
    tcp_port: int, environment: dict[str, str], tmp_path: Path
):
    token = token_file(environment, tcp_port)
    connections = [connect(tcp_port, token) for _ in range(2)]
    try:
        for _, wire in connections:
            wire.initialize(recorded("nvim"))
            wire.notification("fimLsp/status", state="ready")
            wire.open(TEXT)
        pending = [wire.start_completion(LINE, CHARACTER, kind=1) for _, wire in connections]
        for (_, wire), number in zip(connections, pending, strict=True):
            assert wire.response(number)["result"]["items"]
            assert len(wire.traces()) == 1
        assert (tmp_path / "fim-lsp.log").read_text("utf-8").count("loaded ") == 1
    finally:
        for client, wire in connections:
            hang_up(client, wire)


def test_a_notebooks_cell_is_completed(ready: Wire):
    cell = "vscode-notebook-cell:/project/n.ipynb#one"
    ready.notify(
        "notebookDocument/didOpen",
        {
            "notebookDocument": {
                "uri": "file:///project/n.ipynb",
                "notebookType": "jupyter-notebook",
                "version": 1,
                "cells": [{"kind": 2, "document": cell}],
            },
            "cellTextDocuments": [
                {"uri": cell, "languageId": "python", "version": 1, "text": TEXT}
            ],
        },
    )
    assert ready.complete(LINE, CHARACTER, uri=cell, kind=1)["items"]
    assert last_trace(ready)["uri"] == cell
    assert ready.complete(LINE, CHARACTER, uri=URI, kind=1)["items"]


@pytest.mark.parametrize("kind", [1, 2])
@pytest.mark.parametrize("entry", ["findProduct", "forEach", "fzzzUnlikely", "for"])
def test_an_entry_of_the_popup_alone_is_no_suggestion(ready: Wire, entry: str, kind: int):
    """VS Code would show the rest of the entry in grey, as if the model had meant it."""
    ready.open("def report(users):\n    users.f\n", uri=OTHER)
    place = {"start": {"line": 1, "character": 10}, "end": {"line": 1, "character": 11}}
    context = {
        "triggerKind": kind,
        "selectedCompletionInfo": {"range": place, "text": entry},
    }
    items = ready.complete(1, 11, uri=OTHER, context=context)["items"]

    assert entry not in [item["insertText"] for item in items]
    told = last_trace(ready)
    assert ("shown" if items else "nothing") == told["outcome"]


def test_what_became_of_suggestions_is_in_the_file_when_the_server_has_gone(
    start: StartStdio, environment: dict[str, str]
):
    """And nothing else is: no code, and no name of a file."""
    process, wire = start()
    wire.initialize(recorded("vscode"))
    wire.notification("fimLsp/status", state="ready")
    again = "for item in items:\n    total += item.price\n\n" * 12
    wire.open(f"{again}for item in items:\n")
    line = again.count("\n") + 1
    wire.send(did_change(2, {"text": f"{again}for item in items:\n    "}))
    (shown,) = wire.complete(line, 4)["items"]
    assert shown["insertText"] == "total += item.price"
    assert last_trace(wire)["source"] == "project memory"
    wire.send(did_change(3, {"text": f"{again}for item in items:\n    x = 1"}))
    wire.complete(line, 9)
    wire.shut_down()
    assert process.wait(10) == 0

    kept = Path(environment["XDG_STATE_HOME"]) / "fim-lsp" / "accepted.json"
    counts = json.loads(kept.read_text("utf-8"))["counts"]
    assert {"0.5": {"rejected": 1}} == counts["project memory"]
    assert "item" not in kept.read_text("utf-8")
    assert ".py" not in kept.read_text("utf-8")


def test_the_keys_that_an_accepted_suggestion_saved_are_told_and_kept(
    start: StartStdio, environment: dict[str, str]
):
    process, wire = start()
    wire.initialize(recorded("vscode"))
    wire.notification("fimLsp/status", state="ready")
    again = "for item in items:\n    total += item.price\n\n" * 12
    wire.open(f"{again}for item in items:\n")
    wire.send(did_change(2, {"text": f"{again}for item in items:\n    "}))
    (shown,) = wire.complete(again.count("\n") + 1, 4)["items"]
    accept = {name: shown["command"][name] for name in ("command", "arguments")}
    wire.result("workspace/executeCommand", accept)

    answer = wire.result("fimLsp/stats", {})
    (day,) = answer["days"]
    assert {"accepted": 1, "keys": len("total += item.price") - 1} == {
        name: day[name] for name in ("accepted", "keys")
    }
    assert answer["isCounting"]
    wire.shut_down()
    assert process.wait(10) == 0

    kept = Path(environment["XDG_STATE_HOME"]) / "fim-lsp" / "saved_keys.json"
    assert {day["day"]: {"accepted": 1, "keys": day["keys"]}} == json.loads(
        kept.read_text("utf-8")
    )["days"]
