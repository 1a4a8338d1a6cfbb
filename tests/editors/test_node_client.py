"""Tests the server with the client of the LSP authors, independently of pygls."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

pytestmark = pytest.mark.editor


def check(*server: str) -> subprocess.CompletedProcess[str]:
    """Runs the Node client, which `make test-editors` installs, on a server."""
    node, modules = shutil.which("node"), os.environ.get("FIM_LSP_NODE_MODULES")
    assert node, "node is missing; run the editor suite with: make test-editors"
    assert modules, "the client is not installed; run the editor suite with: make test-editors"
    return subprocess.run(
        [node, str(HERE / "node" / "wire_check.cjs"), sys.executable, "-m", *server],
        env={**os.environ, "NODE_PATH": modules},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def seen() -> dict:
    """Returns what the client saw of the scripted server."""
    run = check("tests.protocol.scripted_server")
    assert 0 == run.returncode, run.stderr
    return json.loads(run.stdout)


def test_inline_completion_is_advertised_in_the_negotiated_encoding(seen):
    assert seen["provider"] is not None
    assert seen["provider"] is not False
    assert "utf-16" == seen["encoding"]


def test_an_item_has_text_range_and_command(seen):
    (item,) = seen["automatic"]["items"]
    here = {"line": 1, "character": 4}

    assert item["insertText"].startswith("SAW:")
    assert {"start": here, "end": here} == item["range"]
    assert item["command"]["command"] in seen["commands"]


def test_a_user_who_asks_gets_several(seen):
    assert 3 == seen["invoked"]


def test_positions_behind_an_emoji_count_utf_16_units(seen):
    here = {"line": 0, "character": 4}

    assert {"start": here, "end": here} == seen["behindEmoji"]


def test_a_cancelled_request_is_answered_with_its_code(seen):
    assert -32800 == seen["cancelled"]


def test_the_client_gets_the_status_the_documents_state_and_explanations(seen):
    assert "ready" in seen["statuses"]
    assert seen["documentStates"] == ["disabled"]
    assert seen["traces"] >= 4
    assert seen["markdown"].startswith("# Explain last suggestion\n")


def test_the_server_leaves_with_0(seen):
    assert 0 == seen["exitCode"]


def test_the_client_does_not_take_a_wire_with_other_text_in_it():
    run = check("tests.protocol.broken_server", "--fault", "prints to standard output")
    assert 1 == run.returncode
    assert "the wire is broken" in run.stderr
