"""The doctor's report tells what a helper needs, and nothing that its owner keeps to himself."""

import getpass
import io
import sys

import pytest

from fim_lsp import cli
from fim_lsp.commands import support_report as reports
from fim_lsp.commands.doctor_report import Keys, Report
from fim_lsp.commands.support_report import support_report, without_names, write_report
from fim_lsp.errors import UsageError
from fim_lsp.settings import Settings

REPORT = Report(
    version="1.0",
    python="3.11",
    platform="Linux x86_64",
    cores=8,
    ok=True,
    model="default",
    engine="onnx",
    keys=Keys(number=3, measured_p95_ms=9.0, steps_ms={"decode": 4.25, "total": 6.5}),
)
LOG = """\
the rest of a line that was cut: def secret_of_the_cut_line():
2026-11-29 10:00:00,000 INFO fim_lsp: loaded default on onnx in 80 ms
2026-11-29 10:00:01,000 DEBUG fim_lsp: prompt: def secret_of_debug():
    secret_of_its_next_line = 1
2026-11-29 10:00:02,000 ERROR fim_lsp: the engine broke
Traceback (most recent call last):
  File "engine.py", line 1, in run
"""


@pytest.fixture
def log(tmp_path, monkeypatch):
    file = tmp_path / "fim-lsp.log"
    file.write_text(LOG)
    monkeypatch.setattr(reports, "default_log_file", lambda: file)
    return file


@pytest.fixture
def text(log):
    return support_report(REPORT, Settings(eagerness=0.75), prompt_tokens=512)


@pytest.mark.parametrize(
    "told",
    [
        "| decode | 4.25 |",
        "| eagerness | 0.75 |",
        "| pygls | ",
        "| default | ",
        "first token",
        "INFO fim_lsp: loaded default on onnx in 80 ms",
        "ERROR fim_lsp: the engine broke",
        'File "engine.py", line 1, in run',
    ],
)
def test_it_tells(text, told):
    assert told in text


@pytest.mark.parametrize("kept", ["of_debug", "of_its_next_line", "of_the_cut_line"])
def test_lines_that_may_hold_code_stay_away(text, kept):
    assert f"secret_{kept}" not in text


def test_an_environment_variable_is_named_without_its_value(log, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "a-secret-value")
    monkeypatch.setenv("UNRELATED_PASSWORD", "another-secret")

    text = support_report(REPORT, Settings(), prompt_tokens=512)

    assert "HF_TOKEN" in text
    for word in ("a-secret-value", "UNRELATED_PASSWORD", "another-secret"):
        assert word not in text


def test_home_and_user_are_not_named(monkeypatch):
    monkeypatch.setenv("HOME", "/home/annabel")
    monkeypatch.setattr(getpass, "getuser", lambda: "annabel")

    text = without_names("/home/annabel/.cache and /mnt/annabel/x; annabella stays")

    assert text == "~/.cache and /mnt/USER/x; annabella stays"


def test_a_log_with_backticks_stays_inside_its_block(log):
    log.write_text("2026-11-29 10:00:00,000 INFO fim_lsp: ```` and more\n")

    text = support_report(REPORT, Settings(), prompt_tokens=512)

    assert "`````text\n2026-11-29" in text


def test_a_log_that_is_not_there_is_said(log):
    log.unlink()

    assert "there is no log at" in support_report(REPORT, Settings(), prompt_tokens=512)


def test_a_file_that_exists_is_kept(tmp_path):
    file = tmp_path / "report.md"
    file.write_text("mine")

    with pytest.raises(UsageError, match="name another file"):
        write_report("new", file)

    assert file.read_text() == "mine"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("answer", "is_written"), [("y\n", True), ("\n", True), ("n\n", False)])
def test_it_is_shown_and_written_if_the_person_agrees(
    answer, is_written, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    file = tmp_path / "report.md"

    assert cli.main(["doctor", "--engine", "onnx", "--report", str(file)]) == 0

    shown = capsys.readouterr().out
    assert "# A report of fim-lsp doctor" in shown
    assert is_written == file.exists()
    if is_written:
        assert file.read_text() in shown
        assert "| total | " in shown


@pytest.mark.parametrize("others", [["--json"], []])
def test_wrong_use_is_one_sentence(others, tmp_path, capsys):
    file = tmp_path / "report.md"
    file.write_text("mine")

    assert cli.main(["doctor", *others, "--report", str(file)]) == 2

    assert len(capsys.readouterr().err.splitlines()) == 1
    assert file.read_text() == "mine"
