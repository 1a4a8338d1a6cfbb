"""Whatever an editor does with an excluded file, no byte of it gets out of it.

A file holds a mark that stands nowhere else.  After random acts with it the mark is looked for in all
prompts, answers, traces, in the log, and in every file that the server has written.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.hostile_repositories import git
from tests.support.wire import Wire, did_change, did_close

ROOT = Path(__file__).parents[2]
EXAMPLES = int(os.environ.get("FIM_LSP_HOSTILE_EXAMPLES", "15"))
BY_NAME = (
    ".env", ".env.local.py", "app_secrets.py", "secrets/api.py", ".aws/tool.py", "id_rsa.py",
    "credentials.py", ".ssh/keys/tool.py", "prod.env", "server.pem", ".env/prod.py", "client_secret_1.json",
    "SECRETS.PY", ".envrc", "db_secrets.py~", "deep/er/.kube/a.py",
)  # fmt: skip
BY_GLOB = ("private/a.py", "deep/private/b.py", "x.hidden.py", "made_1.py", "keep/private/c.py")
GLOBS = ["private/**", "*.hidden.py", "made_[0-9].py", "keep/private"]
IGNORED = ("local_keys.py", "ignored/a.py", "a.local.py", "deep/ignored/b.py")
GITIGNORE = "local_keys.py\nignored/\n*.local.py\n"


def text_with(mark: str) -> str:
    """Code that others would import, with lines that are written again and again."""
    again = f"    total += item.price * item.{mark}\n"
    return f"def {key_of(mark)}():\n    return '{mark}'\n\n\nfor item in items:\n{again * 6}"


def key_of(mark: str) -> str:
    """The name that a file with a mark defines; others may know it."""
    return f"key_{mark[4:16]}"


class Session:
    """A server, an editor, and all that the server has let out."""

    def __init__(self, folder: Path) -> None:
        self.root, self.state = folder / "project", folder / "state"
        self.root.mkdir()
        git(self.root, "init", "-q")
        (self.root / ".gitignore").write_text(GITIGNORE)
        self.prompts, self.log = folder / "prompts", folder / "log"
        self.prompts.touch()
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        for kind in ("STATE", "CACHE", "DATA", "CONFIG"):
            environment[f"XDG_{kind}_HOME"] = str(self.state / kind.lower())
        self._log = self.log.open("wb")
        script = str(Path(__file__).with_name("recording_server.py"))
        self.process = subprocess.Popen(
            [sys.executable, script, str(self.prompts)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=environment,
        )
        self.wire = Wire(self.process.stdout, self.process.stdin)
        self.told: list[Any] = []
        options = {"crossFileContext": True, "exclude": GLOBS, "debounceMs": 0}
        capabilities = {"workspace": {"fileOperations": {"didRename": True}}}
        self.wire.initialize(
            {
                "rootUri": self.root.as_uri(),
                "capabilities": capabilities,
                "initializationOptions": options,
            }
        )
        self.wire.notification("fimLsp/status", state="ready")

    def close(self) -> None:
        self.wire.shut_down()
        self.process.wait(30)
        self.wire.close()
        self._log.close()

    def complete(self, path: Path, text: str) -> None:
        """Ask at the end of a text that the editor has just opened."""
        uri = path.as_uri()
        self.wire.open(text, uri=uri)
        line = text.count("\n")
        self.told.append(self.wire.complete(line, len(text.rpartition("\n")[2]), kind=1, uri=uri))
        self.told.append(self.wire.traces())
        self.wire.send(did_close(uri=uri))

    def let_out(self, since: int = 0) -> str:
        """All that has left the server, but for prompts before a place in their file."""
        files = [path for path in self.state.rglob("*") if path.is_file()]
        written = [path.read_bytes().decode("utf-8", "replace") for path in (self.log, *files)]
        names = [str(path) for path in files]
        seen = [*self.told, *self.wire.seen()]
        prompts = self.prompts.read_text("utf-8")[since:]
        return "\n".join([prompts, *written, *names, json.dumps(seen)])


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with tempfile.TemporaryDirectory() as folder:
        opened = Session(Path(folder))
        yield opened
        opened.close()


def fresh(session: Session) -> tuple[Path, str]:
    """A folder of the project for one example, and its mark."""
    mark = f"mark{uuid.uuid4().hex[:12]}"
    folder = session.root / mark[4:]
    folder.mkdir()
    return folder, mark


def asked_beside(session: Session, folder: Path, mark: str) -> None:
    """Complete in a file that wants all there is: the name, the lines, the folder."""
    key = key_of(mark)
    start = f"from other import {key}\n\n\nx = {key}()\nfor item in items:\n    total += item"
    for name, end in (("new.py", ".price"), ("test_new.py", ""), ("test_settings.py", f" * {key}")):
        session.complete(folder / name, start + end)


ACTS = st.lists(
    st.sampled_from(["open", "change", "save", "complete", "close", "explain", "beside", "watch"]),
    min_size=1,
    max_size=8,
)


def act(
    session: Session, path: Path, mark: str, acts: list[str], *, completes: bool = True
) -> None:
    """Do what an editor may do with a file."""
    wire, uri, is_open, version = session.wire, path.as_uri(), False, 1
    text = text_with(mark)
    for one in acts:
        if one == "open" and not is_open:
            wire.open(text, uri=uri)
            is_open, version = True, 1
        elif one == "change" and is_open:
            version += 1
            wire.send(did_change(version, {"text": f"{text}\n{mark} = 1\n"}, uri=uri))
        elif one == "save" and is_open:
            wire.notify("textDocument/didSave", {"textDocument": {"uri": uri}, "text": text})
        elif one == "complete" and is_open and completes:
            session.told.append(wire.complete(1, 4, kind=1, uri=uri))
        elif one == "close" and is_open:
            wire.send(did_close(uri=uri))
            is_open = False
        elif one == "explain":
            session.told.append(wire.traces())
        elif one == "beside":
            asked_beside(session, path.parent, mark)
        elif one == "watch":
            changes = [{"uri": uri, "type": 2}]
            wire.notify("workspace/didChangeWatchedFiles", {"changes": changes})
    if is_open:
        wire.send(did_close(uri=uri))


EXCLUDED = st.one_of(
    st.tuples(st.just("name"), st.sampled_from(BY_NAME)),
    st.tuples(st.just("glob"), st.sampled_from(BY_GLOB)),
    st.tuples(st.just("ignored"), st.sampled_from(IGNORED)),
)
PROPERTY = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@PROPERTY
@given(excluded=EXCLUDED, as_link=st.booleans(), acts=ACTS)
def test_no_byte_of_an_excluded_file_gets_out(session, excluded, as_link, acts):
    kind, name = excluded
    folder, mark = fresh(session)
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text_with(mark))
    if as_link:
        link = folder / "harmless.py"
        link.symlink_to(path)
        path = link
    act(session, path, mark, acts, completes=kind != "ignored")
    asked_beside(session, folder, mark)

    assert mark not in session.let_out()


@PROPERTY
@given(
    name=st.sampled_from([*BY_NAME, *BY_GLOB]),
    way=st.sampled_from(["close, move", "move, close", "say", "move alone", "link"]),
    acts=ACTS,
)
def test_no_byte_of_a_file_gets_out_once_it_was_renamed_to_an_excluded_one(
    session, name, way, acts
):
    """Also what was learnt of it before, and what is typed into it after."""
    folder, mark = fresh(session)
    wire, old, new = session.wire, folder / "settings.py", folder / name
    new.parent.mkdir(parents=True, exist_ok=True)
    old.write_text(text_with(mark))
    wire.open(text_with(mark), uri=old.as_uri())
    wire.notify("textDocument/didSave", {"textDocument": {"uri": old.as_uri()}})
    if way.startswith("move") or way == "say":
        old.rename(new)
    if way == "link":
        new.write_text(text_with(mark))
        old.unlink()
        old.symlink_to(new)
    wire.send(did_close(uri=old.as_uri()))
    if way == "close, move":
        old.rename(new)
    if way == "say":
        files = [{"oldUri": old.as_uri(), "newUri": new.as_uri()}]
        wire.notify("workspace/didRenameFiles", {"files": files})
    if way != "say":
        wire.open(text_with(mark), uri=(old if way == "link" else new).as_uri())
        wire.send(did_close(uri=(old if way == "link" else new).as_uri()))
    wire.result("fimLsp/explain", {})  # all that came before has been dealt with
    session.told.clear()
    wire.seen()
    since = len(session.prompts.read_text("utf-8"))
    act(session, old if way == "link" else new, f"{mark}z", acts)
    asked_beside(session, folder, mark)

    assert mark not in session.let_out(since)


def test_a_file_that_is_not_excluded_does_get_into_prompts(session):
    """Else the others would prove nothing."""
    folder, mark = fresh(session)
    path = folder / "other.py"
    path.write_text(text_with(mark))
    session.wire.open(text_with(mark), uri=path.as_uri())
    session.complete(
        folder / "new.py",
        f"from other import {key_of(mark)}\n\n\nx = {key_of(mark)}",
    )

    assert f"return '{mark}'" in session.prompts.read_text("utf-8")
