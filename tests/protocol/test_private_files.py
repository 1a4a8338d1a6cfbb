"""The whole server in folders of others: it runs nothing of theirs, and tells no secret of the user's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.protocol.conftest import ROOT, StartStdio, recorded
from tests.support import hostile_repositories
from tests.support.hostile_repositories import git
from tests.support.wire import TIMEOUT_SECONDS, Wire

pytestmark = pytest.mark.own

LOOP = "for item in items:\n    total += item.price * item.{}\n"
SECRET, HARMLESS = LOOP.format("secret") * 12, LOOP.format("count") * 3


@pytest.fixture(scope="session")
def server_command() -> list[str]:
    """Whatever `--server-cmd` says: this is about our own."""
    return [sys.executable, "-m", "fim_lsp"]


@pytest.fixture
def in_folder(start: StartStdio) -> Callable[..., Wire]:
    """Start the server on a folder, and wait until it has looked through so many files."""

    def begin(folder: Path, files: int | None, **settings: object) -> Wire:
        _, wire = start()
        params = recorded("vscode") | {"rootUri": folder.as_uri(), "workspaceFolders": None}
        wire.initialize(params | {"initializationOptions": settings})
        wanted = {} if files is None else {"indexedFiles": files}
        wire.notification("fimLsp/status", state="ready", **wanted)
        return wire

    return begin


def write(folder: Path, name: str, text: str) -> str:
    """The URI of a file that is there now."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return (folder / name).as_uri()


def recalled(wire: Wire, folder: Path) -> str:
    """Returns what the project's lines suggest below `for item in items:` in a new file."""
    uri = (folder / "new.py").as_uri()
    wire.open("for item in items:\n    total += item.price", uri=uri)
    items = wire.complete(1, 23, kind=2, uri=uri)["items"]
    trace = wire.traces()[0]
    wire.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    is_recalled = items and trace["source"] == "project memory"
    return items[0]["insertText"] if is_recalled else ""


@pytest.mark.parametrize(
    ("make", "files"), [(hostile_repositories.sparse, 2), (hostile_repositories.bare_inside, 1)]
)
def test_to_open_a_folder_runs_nothing_of_its_authors(in_folder, tmp_path, make, files):
    witness = tmp_path / "RAN"
    folder = make(tmp_path, witness)
    wire = in_folder(folder, files)
    uri = write(folder, "new.py", "import z\n")
    wire.open("import z\n", uri=uri)
    wire.complete(1, 0, uri=uri)
    wire.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
    wire.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    wire.shut_down()

    assert not witness.exists()


RECORDER = """
import os, sys
_programs = {"subprocess.Popen": 1, "os.exec": 1, "os.posix_spawn": 1, "os.spawn": 1, "os.system": 0}
_log = os.open(os.environ["PROGRAMS_STARTED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
def _record(event, arguments):
    if event in _programs:
        what = arguments[_programs[event]]
        os.write(_log, (__import__("json").dumps([str(word) for word in what]
            if isinstance(what, (list, tuple)) else [str(what)]) + "\\n").encode())
sys.addaudithook(_record)
os.write(_log, b'"python is recorded"\\n')
"""


def test_the_server_starts_no_program_but_python(tmp_path: Path, environment: dict[str, str]):
    """The process that looks through the folder included."""
    write(tmp_path, "hook/sitecustomize.py", RECORDER)
    log = tmp_path / "started"
    folder = hostile_repositories.with_programs(tmp_path, tmp_path / "RAN")
    python_path = os.pathsep.join([str(tmp_path / "hook"), str(ROOT)])
    more = {"PYTHONPATH": python_path, "PROGRAMS_STARTED": str(log)}
    process = subprocess.Popen(
        [sys.executable, "-m", "fim_lsp"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment | more,
    )
    wire = Wire(process.stdout, process.stdin)
    wire.initialize(recorded("vscode") | {"rootUri": folder.as_uri(), "workspaceFolders": None})
    wire.notification("fimLsp/status", state="ready", indexedFiles=1)
    wire.open("x = ", uri=(folder / "a.py").as_uri())
    wire.complete(0, 4, kind=1, uri=(folder / "a.py").as_uri())
    wire.notify("textDocument/didSave", {"textDocument": {"uri": (folder / "a.py").as_uri()}})
    wire.shut_down()
    process.wait()
    wire.close()

    lines = [json.loads(line) for line in log.read_text().splitlines()]
    started = [line for line in lines if isinstance(line, list)]
    assert lines.count("python is recorded") >= 2  # the server, and the process that reads
    assert ["fim_lsp.workspace.reader"] == [words[-1] for words in started]
    assert {sys.executable} == {words[0] for words in started}
    assert not (tmp_path / "RAN").exists()


SECRETS = [".env/prod.py", ".env.d/a.py", "secrets/api.py", ".aws/sso/cache.py",
           ".ssh/keys/tool.py", "deep/in/secrets/a.py", "app_secrets.py"]  # fmt: skip


@pytest.mark.parametrize("has_git", [False, True])
def test_secrets_are_neither_indexed_nor_offered(in_folder, tmp_path: Path, has_git: bool):
    for name in SECRETS:
        write(tmp_path, name, SECRET)
    write(tmp_path, "a.py", HARMLESS)
    if has_git:
        git(tmp_path, "init", "-q")
        git(tmp_path, "add", "-f", ".")
    wire = in_folder(tmp_path, 1)

    assert " * item.count" == recalled(wire, tmp_path)


def test_a_secret_behind_a_link_is_neither_completed_nor_learnt(in_folder, tmp_path: Path):
    write(tmp_path, ".env", SECRET)
    (tmp_path / "settings_link.py").symlink_to(".env")
    uri = (tmp_path / "settings_link.py").as_uri()
    wire = in_folder(tmp_path, 0)
    wire.open(SECRET + "x = ", uri=uri)
    line = SECRET.count("\n")

    assert [] == wire.complete(line, 4, kind=1, uri=uri)["items"]
    assert "excluded" in wire.traces()[0]["reason"]
    assert "" == recalled(wire, tmp_path)


def test_what_was_learnt_of_a_file_goes_when_it_is_renamed_to_a_secret(in_folder, tmp_path: Path):
    """An editor may close and open, on the disk first or last, or say that it renames."""
    wire = in_folder(tmp_path, 0)
    for number, way in enumerate(["close, move", "move, close", "say"]):
        name = f"settings{number}.py"
        old, new = write(tmp_path, name, SECRET), (tmp_path / f".env.{number}").as_uri()
        wire.open(SECRET, uri=old)
        assert " * item.secret" == recalled(wire, tmp_path), way
        move = (tmp_path / name).rename, tmp_path / f".env.{number}"
        closing = "textDocument/didClose", {"textDocument": {"uri": old}}
        if way == "move, close":
            move[0](move[1])
        if way != "say":
            wire.notify(*closing)
        if way == "close, move":
            move[0](move[1])
        if way == "say":
            wire.notify("workspace/didRenameFiles", {"files": [{"oldUri": old, "newUri": new}]})
        else:
            wire.open(SECRET, uri=new)

        assert "" == recalled(wire, tmp_path), way


def test_a_renamed_folder_takes_what_was_learnt_along(in_folder, tmp_path: Path):
    wire = in_folder(tmp_path, 0)
    old = write(tmp_path, "settings/a.py", SECRET)
    wire.open(SECRET, uri=old)
    assert " * item.secret" == recalled(wire, tmp_path)
    files = [{"oldUri": (tmp_path / "settings").as_uri(), "newUri": (tmp_path / ".aws").as_uri()}]
    wire.notify("workspace/didRenameFiles", {"files": files})

    assert "" == recalled(wire, tmp_path)


def test_the_server_asks_to_be_told_of_renamed_files(start: StartStdio):
    _, wire = start()
    offered = {"workspace": {"fileOperations": {"didRename": True}}}
    capabilities = wire.initialize({"capabilities": offered})["capabilities"]

    assert "didRename" in capabilities["workspace"]["fileOperations"]


def test_a_file_that_git_ignores_is_no_context_for_others_opened_saved_or_closed(
    in_folder, tmp_path: Path
):
    git(tmp_path, "init", "-q")
    write(tmp_path, ".gitignore", "local_keys.py\n")
    uri = write(tmp_path, "local_keys.py", "def local_key():\n    return 'abc'\n" + SECRET)
    text = (tmp_path / "local_keys.py").read_text()
    wire = in_folder(tmp_path, 0, crossFileContext=True)
    saved = "textDocument/didSave", {"textDocument": {"uri": uri}}
    wire.open(text, uri=uri)
    wire.notify(*saved)
    for state in ("open", "closed"):
        if state == "closed":
            wire.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
        asked = "from local_keys import local_key\n\n\nkey = local_key"
        wire.open(asked, uri=(tmp_path / "b.py").as_uri())
        wire.complete(3, 15, kind=1, uri=(tmp_path / "b.py").as_uri())

        assert 0 == wire.traces()[0].get("snippetTokens", 0), state
        assert "" == recalled(wire, tmp_path)


def test_a_file_that_is_ignored_from_now_on_is_forgotten(in_folder, tmp_path: Path):
    git(tmp_path, "init", "-q")
    wire = in_folder(tmp_path, 0)
    wire.open(SECRET, uri=write(tmp_path, "local.py", SECRET))
    assert " * item.secret" == recalled(wire, tmp_path)
    rules = write(tmp_path, ".gitignore", "local.py\n")
    wire.open("local.py\n", uri=rules, language="ignore")
    wire.notify("textDocument/didSave", {"textDocument": {"uri": rules}})
    end = time.monotonic() + TIMEOUT_SECONDS
    while recalled(wire, tmp_path):  # it is judged in a thread
        assert time.monotonic() < end, "it is remembered for ever"


def test_a_hard_glob_holds_up_no_other_document(in_folder, tmp_path: Path):
    hard = ["*a" * 20 + "b", "**/*a" * 20 + "b"]
    wire = in_folder(tmp_path, 0, exclude=hard)
    wire.open("x = ", uri=write(tmp_path, "a" * 60, ""))
    wire.open("x = ", uri=write(tmp_path, "b.py", ""))

    assert "items" in wire.complete(0, 4, kind=1, uri=(tmp_path / "b.py").as_uri())


def test_a_wrong_glob_is_said_once_and_the_others_stay_in_force(in_folder, tmp_path: Path):
    wire = in_folder(tmp_path, 0, exclude=["~nosuchuser/x", "private"])
    message = wire.notification("window/showMessage")
    wire.open("x = ", uri=write(tmp_path, "private/a.py", ""))
    wire.open(HARMLESS, uri=write(tmp_path, "b.py", HARMLESS))

    assert "'~nosuchuser/x', which names nothing" in message["message"]
    assert [] == wire.complete(0, 4, kind=1, uri=(tmp_path / "private/a.py").as_uri())["items"]
    assert " * item.count" == recalled(wire, tmp_path)
