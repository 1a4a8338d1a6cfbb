"""Counts are kept in one small file that several servers write, and that may be anything."""

import json
import os
import subprocess
import sys
from collections import Counter

import pytest
from filelock import FileLock

from fim_lsp.cli import main
from fim_lsp.feedback import acceptance_store
from model_runtime.printable import printable

ONE = {("model", "0.5", "accepted"): 1}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "accepted.json"


def test_what_is_added_is_added_to_what_is_there(path):
    assert Counter(ONE) == acceptance_store.add(path, ONE)
    acceptance_store.add(path, {("model", "1", "rejected"): 2})
    acceptance_store.add(path, ONE)

    assert {
        ("model", "0.5", "accepted"): 2,
        ("model", "1", "rejected"): 2,
    } == acceptance_store.read(path)
    assert {"accepted.json", "accepted.json.lock"} == set(os.listdir(path.parent))


def test_the_file_holds_names_of_models_settings_and_numbers_only(path):
    acceptance_store.add(path, ONE)

    assert {"version": 1, "counts": {"model": {"0.5": {"accepted": 1}}}} == json.loads(
        path.read_text("utf-8")
    )


def test_the_file_of_a_newer_version_counts_as_nothing_and_stays_as_it_is(path):
    path.parent.mkdir()
    content = '{"version": 2, "counts": {"model": {"0.5": {"accepted": 3}}}}'
    path.write_text(content)

    assert Counter() == acceptance_store.read(path)
    assert acceptance_store.add(path, ONE) is None
    assert content == path.read_text()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"[]",
        b"3",
        b'{"version": 0, "counts": {"model": {"0.5": {"accepted": 3}}}}',
        b'{"version": 1, "counts": []}',
        b'{"version": 1, "counts": {"model": 3, "other": {"0.5": []}}}',
        b'{"version": 1, "counts": {"model": {"0.5": {"accepted": "3", "typed": -1, "x": 4}}}}',
        b'{"version": 1, "counts": {"model": {"0.5": {"accepted": true, "typed": 1e999}}}}',
        b'{"version": 1, "counts": {"model": {"often": {"accepted": 3}}}}',
        b'{"version": 1, "counts": {"model": {"0.5": {"accepted": NaN, "typed": -Infinity}}}}',
        b'{"version": 1, "counts": {"model": {"0.5": {"accepted": 9007199254740992}}}}',
        b'{"version": 1, "counts": {"model": {"0.5": {"accepted": ' + b"9" * 5000 + b"}}}}",
        b'{"version": 1, "counts": {"model": {"0.5": {"accepted": 3.0, "typed": null}}}}',
        b'{"version": 1}',
        b"[" * 100_000,
        b'{"version": 1, "counts": {"model": {"0.5": {"accepted": 1}}}}' + b" " * 1_000_000,
    ],
)
def test_a_file_that_is_none_of_ours_counts_as_nothing_and_is_replaced(path, content):
    path.parent.mkdir()
    path.write_bytes(content)

    assert Counter() == acceptance_store.read(path)
    assert Counter(ONE) == acceptance_store.add(path, ONE)


def test_what_was_tampered_with_is_said_once_and_the_rest_counts(path, caplog):
    path.parent.mkdir()
    path.write_text('{"version": 1, "counts": {"model": {"0.5": {"accepted": 1, "typed": -4}}}}')

    for _ in range(3):
        assert Counter(ONE) == acceptance_store.read(path)
    (said,) = [record.getMessage() for record in caplog.records]
    assert str(path) in said


@pytest.mark.parametrize("content", [None, b'{"version": 1, "counts": {"m": {"1": {"typed": 0}}}}'])
def test_of_no_file_and_of_one_without_faults_nothing_is_said(path, content, caplog):
    path.parent.mkdir()
    if content is not None:
        path.write_bytes(content)

    assert Counter() == acceptance_store.read(path)
    assert [] == caplog.records


def test_where_nothing_can_be_written_nothing_fails(tmp_path):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder.json").mkdir()
    for path in (tmp_path / "file" / "accepted.json", tmp_path / "folder.json"):
        assert acceptance_store.add(path, ONE) is None
        assert Counter() == acceptance_store.read(path)
    assert {"file", "folder.json", "folder.json.lock"} == set(os.listdir(tmp_path))


def test_while_somebody_writes_nothing_is_added(path):
    acceptance_store.add(path, ONE)
    with FileLock(path.with_name("accepted.json.lock")):
        assert acceptance_store.add(path, ONE) is None

    assert {("model", "0.5", "accepted"): 2} == acceptance_store.add(path, ONE)


def test_the_lock_of_a_program_that_died_is_none(path):
    path.parent.mkdir()
    code = (
        "import os, sys; from filelock import FileLock\n"
        "FileLock(sys.argv[1]).acquire(); os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", code, f"{path}.lock"], check=False)

    assert Counter(ONE) == acceptance_store.add(path, ONE)


def test_servers_that_write_at_once_lose_nothing(path):
    code = (
        "import sys; from pathlib import Path; from fim_lsp.feedback import acceptance_store\n"
        "for _ in range(25):\n"
        "    while acceptance_store.add(Path(sys.argv[1]), {('model', '0.5', 'typed'): 1}) is None: pass\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(path)]) for _ in range(4)]

    assert [0] * 4 == [writer.wait() for writer in writers]
    assert {("model", "0.5", "typed"): 100} == acceptance_store.read(path)


def told(capsys, *arguments: str) -> str:
    assert 0 == main(["stats", *arguments])
    return capsys.readouterr().out


def test_the_command_shows_the_counts_where_they_lie_and_deletes_them(
    monkeypatch, tmp_path, capsys
):
    monkeypatch.setattr(acceptance_store, "default_file", lambda: tmp_path / "accepted.json")
    assert "Nothing has been counted yet" in told(capsys)

    acceptance_store.add(tmp_path / "accepted.json", {**ONE, ("model", "0.5", "rejected"): 3})
    shown = told(capsys)
    assert "25 %" in shown
    assert str(tmp_path) in shown
    assert "never leave" in shown
    (row,) = json.loads(told(capsys, "--json"))["counts"]
    assert ("model", 0.5, 1, 0, 3, 0.25) == tuple(
        row[name] for name in ("model", "eagerness", "accepted", "typed", "rejected", "takenShare")
    )

    assert "deleted" in told(capsys, "--clear")
    assert {"deleted": False} == {
        name: value
        for name, value in json.loads(told(capsys, "--clear", "--json")).items()
        if name == "deleted"
    }
    assert "Nothing has been counted yet" in told(capsys)


@pytest.mark.parametrize("name", ["[/bold]", "\x1b[31m", "a model", "\u202e"])
def test_whatever_a_file_calls_a_model_the_command_shows_it(monkeypatch, tmp_path, capsys, name):
    monkeypatch.setattr(acceptance_store, "default_file", lambda: tmp_path / "accepted.json")
    acceptance_store.add(tmp_path / "accepted.json", {(name, "0.5", "accepted"): 2**53 - 1})

    shown = told(capsys)
    assert printable(name) in shown
    assert "\x1b" not in shown


def test_what_cannot_be_deleted_is_said_in_one_sentence(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(acceptance_store, "default_file", lambda: tmp_path)

    assert 1 == main(["stats", "--clear"])
    said = capsys.readouterr().err
    assert str(tmp_path) in said
    assert "delete the file yourself" in said
