"""Whoever is no longer waited for costs the server nothing."""

from __future__ import annotations

import itertools
import time

import pytest

from model_runtime.engines.protocol import SamplingParams
from tests.remote.conftest import through_both, through_each
from tests.remote.editor import FUNCTIONS, LONG, suggestion
from tests.support.server_process import wait_until_asked, wait_until_idle
from tests.support.wire import TIMEOUT_SECONDS, URI, cancel, did_change

pytestmark = pytest.mark.remote

MANY = 600
PROMPT = list(range(300, 600))
TEXT = f"{FUNCTIONS}def total(numbers):\n    result = 0\n    "
LINE, CHARACTER = TEXT.count("\n"), 4


@through_each
def test_closing_a_stream_ends_the_servers_work(served, engine):
    before = served.server.written()
    with engine.generate(PROMPT, SamplingParams(MANY, frozenset())) as stream:
        for _ in range(3):
            next(stream)
    wait_until_idle(served.server)
    assert served.server.written() - before < MANY


@through_both
def test_a_server_is_known_to_stop_where_it_tells(served, engine):
    deadline = time.monotonic() + TIMEOUT_SECONDS
    is_told = served.engine == "llama-server"
    while engine.stops_abandoned is not (True if is_told else None):
        assert time.monotonic() < deadline
        with engine.generate(PROMPT, SamplingParams(MANY, frozenset())) as stream:
            next(stream)
    wait_until_idle(served.server)


@through_both
def test_the_next_request_does_not_wait_for_one_that_was_given_up(served, engine):
    """Nobody looks meanwhile whether the server has noticed."""
    for _ in range(8):
        with engine.generate(PROMPT, SamplingParams(MANY, frozenset())) as stream:
            next(stream)
    before = served.server.written()
    with engine.generate(PROMPT[:100], SamplingParams(4, frozenset())) as stream:
        assert 4 == len(list(stream))
    assert served.server.written() - before < MANY
    wait_until_idle(served.server)


def test_a_server_with_one_slot_is_free_for_the_next_request(start_llama, model, edit):
    server = start_llama(slots=1)
    server.wait_until_loaded()
    wire = edit(engine="llama-server", endpoint=server.url, **LONG)
    wire.notification("fimLsp/status", state="ready")
    for attempt in itertools.count():  # until the answer is longer than the way of the message
        uri = f"file:///project/{attempt}.py"
        wire.open(f"{attempt}\n{TEXT}", uri)
        before = server.written()
        pending = wire.start_completion(LINE + 1, CHARACTER, uri, kind=1)
        wait_until_asked(server, before)
        wire.send(cancel(pending))
        answer = wire.response(pending)
        wait_until_idle(server)
        if "error" in answer:
            break
    assert -32800 == answer["error"]["code"]
    assert suggestion(wire, "for number in numbers:\n    ^\n", "file:///project/y.py")


@through_both
def test_a_request_that_is_taken_back_leaves_the_server_idle(served, edit):
    wire = edit(**served.settings, **LONG)
    wire.notification("fimLsp/status", state="ready")
    wire.open(TEXT)
    before = served.server.written()
    pending = wire.start_completion(LINE, CHARACTER, kind=1)
    wait_until_asked(served.server, before)
    wire.send(cancel(pending))
    wire.response(pending)
    wait_until_idle(served.server)


@through_both
def test_an_editor_that_crashes_leaves_the_server_idle(served, start_editor):
    process, wire = start_editor(**served.settings, **LONG)
    wire.notification("fimLsp/status", state="ready")
    wire.open(TEXT)
    before = served.server.written()
    wire.start_completion(LINE, CHARACTER, kind=1)
    wait_until_asked(served.server, before)
    process.kill()
    wait_until_idle(served.server)


@through_both
def test_typing_something_else_leaves_the_server_one_request_at_most(served, edit):
    wire = edit(**served.settings, **LONG)
    wire.notification("fimLsp/status", state="ready")
    wire.open(TEXT)
    last = 0
    for version, text in enumerate(("x", "xy", "xyz", "import q"), 2):
        wire.send(did_change(version, {"text": TEXT + text}, uri=URI))
        last = wire.start_completion(LINE, CHARACTER + len(text), kind=1)
        assert served.server.running() <= 2  # the newest, and the one that ends
    assert "result" in wire.response(last)
    wait_until_idle(served.server)
