"""Several editors use one server at a time, and none waits for another."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from model_runtime.engines.protocol import SamplingParams
from tests.remote.conftest import through_both
from tests.remote.editor import FUNCTIONS, LONG, suggestion
from tests.support.server_process import wait_until_asked, wait_until_idle

pytestmark = pytest.mark.remote

MANY = 800
"""Tokens of an answer that takes some seconds."""
TEXT = f"{FUNCTIONS}def total(numbers):\n    result = 0\n    "
LINE = TEXT.count("\n")
SHORT = "total = 0\nfor number in numbers:\n    ^\nprint(total)\n"


@through_both
def test_two_editors_are_served_at_once(served, edit):
    """One has asked for much, and the other is answered all the same."""
    patient, quick = edit(**served.settings, **LONG), edit(**served.settings)
    for wire in (patient, quick):
        wire.notification("fimLsp/status", state="ready")
    patient.open(TEXT)
    before = served.server.written()
    pending = patient.start_completion(LINE, 4, kind=1)
    wait_until_asked(served.server, before)
    assert suggestion(quick, SHORT)
    assert "result" in patient.response(pending)
    wait_until_idle(served.server)


@through_both
def test_one_engine_decodes_for_several_at_once(served, engine):
    """Each gets what it would get alone."""
    assert engine.max_concurrency >= 2
    prompts = [list(range(start, start + 100)) for start in (300, 310, 320, 340, 350)]

    def answer(prompt):
        with engine.generate(prompt, SamplingParams(24, frozenset())) as stream:
            return [token.id for token in stream]

    alone = [answer(prompt) for prompt in prompts]
    with ThreadPoolExecutor(2) as pool:
        assert alone == list(pool.map(answer, prompts))
    wait_until_idle(served.server)


@through_both
def test_a_server_is_asked_two_things_at_once(served, engine):
    """The second answer begins long before the first one would end."""
    sampling = SamplingParams(MANY, frozenset())
    before = served.server.written()
    with engine.generate(list(range(300, 400)), sampling) as first:
        next(first)
        with engine.generate(list(range(310, 410)), sampling) as second:
            next(second)
            assert served.server.written() - before < MANY
    wait_until_idle(served.server)
