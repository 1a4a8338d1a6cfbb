"""Servers that are not there, that come back, and that come back as another one."""

from __future__ import annotations

import time

import pytest

from model_runtime.exporters.gguf import export_gguf
from tests.remote.conftest import BOTH
from tests.remote.editor import suggestion, wait_until_suggested
from tests.support.random_models import VARIANTS, make_bundle
from tests.support.wire import TIMEOUT_SECONDS, free_port

pytestmark = pytest.mark.remote

TEXT = "total = 0\nfor number in numbers:\n    ^\nprint(total)\n"


@pytest.fixture
def other_gguf(tmp_path):
    bundle = make_bundle(tmp_path, VARIANTS["tied"])
    export_gguf(bundle, tmp_path / "other.gguf", "f32")
    return tmp_path / "other.gguf"


def statuses(wire):
    """All that was said of the model and not yet looked at."""
    seen = wire.seen()
    return [message["params"] for message in seen if message.get("method") == "fimLsp/status"]


def wait_until_told(wire, words):
    """Returns when the status has these words; something is asked for all the while."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    said = []
    while not any(words in text for text in said):
        assert time.monotonic() < deadline, said
        assert "" == suggestion(wire, TEXT)
        said += [status["message"] for status in statuses(wire)] + [str(wire.traces(limit=1))]
        time.sleep(0.1)


def test_a_server_that_dies_is_missed_in_silence_and_used_again(start_llama, edit):
    server = start_llama()
    server.wait_until_loaded()
    wire = edit(engine="llama-server", endpoint=server.url)
    wire.notification("fimLsp/status", state="ready")
    before = wait_until_suggested(wire, TEXT)
    wire.seen()

    server.kill()
    for _ in range(4):
        assert "" == suggestion(wire, TEXT)
        assert "failed" == wire.traces(limit=1)[0]["outcome"]
    messages = wire.seen()
    shown = [m for m in messages if m.get("method", "").startswith("window/show")]
    told = [m["params"]["message"] for m in messages if m.get("method") == "fimLsp/status"]
    assert any("answers at" in text or "broke" in text for text in told), told
    assert 1 == len(shown), shown

    server.start()
    assert before == wait_until_suggested(wire, TEXT)
    assert "on this machine" in wire.notification("fimLsp/status", state="ready")["message"]


def test_the_model_that_the_user_names_answers_meanwhile(start_llama, edit):
    server = start_llama()
    server.wait_until_loaded()
    wire = edit(engine="llama-server", endpoint=server.url, fallbackModel="default")
    wire.notification("fimLsp/status", state="ready")
    wait_until_suggested(wire, TEXT)
    server.kill()
    wire.seen()
    for _ in range(3):
        assert suggestion(wire, TEXT)
    messages = wire.seen()
    told = [m["params"]["message"] for m in messages if m.get("method") == "fimLsp/status"]
    assert any("answers meanwhile" in text for text in told), told
    assert 1 == sum(m.get("method") == "window/showMessage" for m in messages), messages


def test_another_model_at_the_same_address_is_named_and_not_used(start_llama, other_gguf, edit):
    server = start_llama()
    server.wait_until_loaded()
    port = int(server.url.rpartition(":")[2])
    wire = edit(engine="llama-server", endpoint=server.url)
    wire.notification("fimLsp/status", state="ready")
    wait_until_suggested(wire, TEXT)
    server.kill()
    assert "" == suggestion(wire, TEXT)

    other = start_llama(other_gguf, port=port, context=512)
    other.wait_until_loaded()
    wait_until_told(wire, "set model to the one that the server runs")
    other.kill()

    server.start()
    assert wait_until_suggested(wire, TEXT)


def test_an_editor_may_be_started_before_the_server(start_llama, edit):
    port = free_port()
    wire = edit(engine="llama-server", endpoint=f"http://127.0.0.1:{port}")
    assert "no server answers" in wire.notification("fimLsp/status", state="ready")["message"]
    assert "" == suggestion(wire, TEXT)
    start_llama(port=port)
    assert wait_until_suggested(wire, TEXT)


def test_an_editor_may_be_started_while_the_server_loads(start_llama, edit):
    server = start_llama()
    assert 503 == server.wait_for_health(503, 200)
    wire = edit(engine="llama-server", endpoint=server.url)
    assert wait_until_suggested(wire, TEXT)


@pytest.mark.parametrize(("engine", "server"), BOTH)
def test_a_server_with_another_model_is_refused_by_name(engine, server, request, edit, tmp_path):
    bundle = make_bundle(tmp_path, VARIANTS["tied"])
    server = request.getfixturevalue(server)
    wire = edit(str(bundle.path), engine=engine, endpoint=server.url)
    message = wire.notification("fimLsp/status", state="error")["message"]
    assert "random" in message
    assert "set model to the one that the server runs" in message
