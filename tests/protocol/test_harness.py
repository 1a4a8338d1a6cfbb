"""The suite as a harness for others: it passes a good server and fails each broken one."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

import pytest

from tests.protocol.broken_server import FAULTS
from tests.protocol.conftest import HERE, ROOT

pytestmark = [pytest.mark.own, pytest.mark.slow]

NOTICED_BY = {
    "inline completion is not offered": "test_lifecycle.py::test_inline_completion_is_offered_in_an_encoding_that_the_editor_takes",
    "counts in utf-8 whatever the client takes": "test_lifecycle.py::test_inline_completion_is_offered_in_an_encoding_that_the_editor_takes",
    "prints to standard output": "test_lifecycle.py::test_shutdown_and_exit_end_the_process_with_0",
    "wrong parameters get no answer": "test_bad_input.py::test_a_request_that_does_not_fit_its_type_is_answered[textDocument/inlineCompletion-params0-textDocument]",
    "unknown requests get null": "test_lifecycle.py::test_an_unknown_request_is_refused_and_an_unknown_notification_ignored",
    "a traceback in the error": "test_bad_input.py::test_a_request_that_does_not_fit_its_type_is_answered",
    "dies of rubbish": "test_bad_input.py::test_rubbish_between_messages_does_no_harm",
    "null for a place beyond the text": "test_inline_completion.py::test_a_position_beyond_the_text_is_answered",
    "serves before initialize": "test_lifecycle.py::test_before_initialize_only_initialize_is_served",
    "serves after shutdown": "test_lifecycle.py::test_after_shutdown_only_exit_is_served",
    "leaves with 0 without shutdown": "test_lifecycle.py::test_exit_without_shutdown_ends_it_with_1",
    "goes on when the input has ended": "test_lifecycle.py::test_the_end_of_the_input_inside_a_message_ends_it_too",
}


def judge(fault: str, *tests: str) -> subprocess.CompletedProcess[str]:
    """Run the suite on a server that has a fault, or none."""
    server = [
        sys.executable,
        str(HERE / "broken_server.py"),
        *(["--fault", fault] if fault else []),
    ]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
    command += ["--server-cmd", shlex.join(server), *(str(HERE / test) for test in tests)]
    patience = "2" if fault else "20"  # an answer that never comes need not be awaited for long
    return subprocess.run(
        command,
        env={**os.environ, "FIM_LSP_TEST_PATIENCE": patience},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_server_without_faults_passes_whatever_is_asked_of_any_server():
    run = judge("", "")
    assert run.returncode == 0, run.stdout
    assert " passed" in run.stdout


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_noticed(fault: str):
    run = judge(fault, NOTICED_BY[fault])
    assert run.returncode == 1, run.stdout
    assert "1 failed" in run.stdout
