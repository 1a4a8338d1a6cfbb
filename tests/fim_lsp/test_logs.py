"""The log is a file; a place that cannot be written costs the file, not the server."""

import logging
import subprocess
import sys

import pytest

from fim_lsp import logs

pytestmark = pytest.mark.usefixtures("restored_logging")


def test_completions_go_to_the_file_and_only_problems_to_standard_error(tmp_path, capsys):
    file = tmp_path / "deep" / "fim-lsp.log"
    logs.configure("info", file)
    logging.getLogger("fim_lsp").info("completion shown")
    logging.getLogger("fim_lsp").warning("something to know")

    written = file.read_text()
    assert "completion shown" in written
    assert "something to know" in written
    told = capsys.readouterr().err
    assert "completion shown" not in told
    assert "something to know" in told


@pytest.mark.parametrize(("level", "is_told"), [("error", False), ("warning", True)])
def test_the_protocol_library_says_no_more_than_was_asked_for(tmp_path, capsys, level, is_told):
    logs.configure(level, tmp_path / "fim-lsp.log")
    logging.getLogger("pygls.protocol").warning("something odd")
    logging.getLogger("pygls.protocol").info("a message came")

    told = capsys.readouterr().err
    assert is_told == ("something odd" in told)
    assert "a message came" not in told


def test_a_folder_that_cannot_be_made_is_a_warning(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    logs.configure("info", tmp_path / "file" / "fim-lsp.log")

    assert "no log file" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
def test_a_full_disk_stops_nothing():
    """The server starts, reads the end of its input, and leaves with 0."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "fim_lsp",
            "serve",
            "--log-file",
            "/dev/full",
            "--log-level",
            "debug",
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert 0 == done.returncode
    assert b"" == done.stdout
