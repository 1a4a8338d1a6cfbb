"""`fim-runtime models add` and `models available`, as a user and as a program run them."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from model_runtime.cli import main
from model_runtime.store import installed

ROOT = Path(__file__).parents[3]
COMMAND = [sys.executable, "-m", "model_runtime", "models"]


def lines_of(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def on_terminal(arguments, answer):
    """Runs a command at a terminal, answers its question, and returns the exit code and all text."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "100"}
    shown = b""
    with subprocess.Popen(
        [*COMMAND, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        while True:
            try:
                block = os.read(ours, 4096)
            except OSError:  # the other end was closed
                break
            if not block:
                break
            shown += block
            if answer and b"[y/N]" in shown:
                os.write(ours, answer.encode())
                answer = ""
        code = process.wait()
    os.close(ours)
    return code, re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())


def test_a_program_reads_each_step_and_what_was_added(server, row, capsys):
    row()

    assert 0 == main(["models", "add", "small", "--yes", "--progress", "json"])

    *steps, last = lines_of(capsys)
    assert all({"step", "share", "seconds_left", "whole"} == set(step) for step in steps)
    shares = [step["share"] for step in steps if "fetching" in step["step"]]
    assert 0 == shares[0] and 1 == shares[-1]
    assert {"name": "small", "isNew": True}.items() <= last["added"].items()
    assert str(installed.find("small").path) == last["added"]["path"]


def test_the_share_of_all_the_work_grows_from_step_to_step(server, row, capsys):
    row()

    main(["models", "add", "small", "--yes", "--progress", "json"])

    *steps, _ = lines_of(capsys)
    done = [step["whole"] for step in steps if step["whole"] is not None]
    assert 0 == done[0]
    assert done == sorted(done)
    at_the_end = {step["step"].split()[0]: step["whole"] for step in steps if step["share"] == 1}
    assert at_the_end["fetching"] < at_the_end["reading"] < at_the_end["writing"] < 1


def test_a_program_reads_one_sentence_of_what_went_wrong(server, row, capsys):
    row()
    server.wrong_bytes = True

    assert 1 == main(["models", "add", "small", "--progress", "json"])

    assert "was damaged on its way" in lines_of(capsys)[-1]["problem"]


def test_a_program_is_not_asked(server, row, capsys):
    row(is_permissive=False)

    assert 1 == main(["models", "add", "small", "--progress", "json"])

    assert "was not accepted" in lines_of(capsys)[-1]["problem"]


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 1), ("\n", 1)])
def test_a_user_is_shown_the_license_and_asked(server, row, answer, code):
    row(is_permissive=False, license="Research")

    found, shown = on_terminal(["add", "small"], answer)

    assert code == found
    assert "small has the license Research: https://example.org/license" in shown
    assert ("small is ready" in shown) == (code == 0)
    assert ("was not accepted" in shown) == (code == 1)


def test_a_user_sees_the_download_and_the_result(server, row):
    row()
    server.slow = 500_000

    code, shown = on_terminal(["add", "small"], "")

    assert 0 == code
    assert re.search(r"fetching small \(1 MB\).*\d+%.*\d% of all", shown)
    assert "small is ready" in shown


def test_where_no_terminal_is_each_step_is_one_line(server, row, capsys):
    row()

    main(["models", "add", "small"])

    lines = capsys.readouterr().err.splitlines()
    for step in ("fetching small (1 MB)", "writing 0.1 M parameters as int8"):
        assert 1 == lines.count(step)


def test_a_user_is_told_that_nothing_was_to_do(server, row, capsys):
    row()
    main(["models", "add", "small"])

    assert 0 == main(["models", "add", "small"])

    assert (
        "small is up to date: revision c0ffeec0ff is installed already" in capsys.readouterr().err
    )


def test_the_origin_is_among_what_is_told_of_a_model(server, row, capsys):
    row()
    main(["models", "add", "small"])
    capsys.readouterr()

    main(["models", "info", "small", "--json"])

    assert (
        "org/small-GGUF" == json.loads(capsys.readouterr().out)["training"]["origin"]["repository"]
    )


def test_the_catalogue_is_shown_with_what_fits(row, server, capsys):
    row(scores=[{"benchmark": "SantaCoder-FIM", "value": 77.7, "source": "somewhere"}])
    main(["models", "add", "small"])
    capsys.readouterr()

    assert 0 == main(["models", "available", "--json"])

    (found,) = json.loads(capsys.readouterr().out)
    assert ("small", True, True) == (found["name"], found["is_installed"], found["fits"])
    assert found["memory_bytes"] > 0 and found["key_ms"] > 0 and found["why"]
    assert [{"benchmark": "SantaCoder-FIM", "value": 77.7, "source": "somewhere"}] == found[
        "scores"
    ]


@pytest.mark.parametrize("width", [60, 80, 140])
def test_the_table_fits_the_terminal(machine, capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))

    assert 0 == main(["models", "available"])

    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= width for line in lines)
    assert (
        any("qwen2.5-coder-0.5b" in line and "Apache-2.0" in line for line in lines) or width < 80
    )


def test_a_model_that_is_too_large_is_not_given_a_speed(row, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    row(parameters=10**14, license="Research", is_permissive=False)

    main(["models", "available"])

    (line,) = [
        line for line in capsys.readouterr().out.splitlines() if line.strip().startswith("small")
    ]
    assert "Research*" in line and line.rstrip().endswith("-")
