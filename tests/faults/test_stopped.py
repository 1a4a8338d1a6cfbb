"""A server that is stopped (SIGSTOP, a laptop that sleeps) goes on with all that waits for it."""

from __future__ import annotations

import signal
import time

import pytest

from tests.faults.servers import SCRIPTED, Home, serving
from tests.faults.tally import Tally
from tests.support.wire import ask, did_change, replace, texts

KEYS = 200
SECONDS = 5.0
"""Seconds, as good as a minute: nothing in the server counts time while it is stopped but its own clocks."""


@pytest.mark.parametrize("seconds", [SECONDS])
def test_keys_that_came_while_it_was_stopped_are_answered(home: Home, tally: Tally, seconds: float):
    count = tally.of(f"SIGSTOP for {seconds:.0f} s, with {KEYS} keys meanwhile")
    with serving(home, SCRIPTED) as server:
        server.wire.initialize()
        server.wire.open("")
        assert ["SAW:"] == texts(server.wire.complete(0, 0))
        server.process.send_signal(signal.SIGSTOP)
        count.injected += 1
        numbers = []
        for place in range(KEYS):
            numbers.append(server.wire.new_id())
            server.wire.send(
                did_change(place + 2, replace((0, place), (0, place), "k")),
                ask(numbers[-1], 0, place + 1),
            )
            count.requests += 1
        time.sleep(seconds)
        server.process.send_signal(signal.SIGCONT)
        answers = [server.wire.response(number)["result"] for number in numbers]
        count.answered += len(answers)
        assert [f"SAW:{'k' * KEYS}"] == texts(answers[-1])
        for number, answer in enumerate(answers, 1):
            assert answer is None or [f"SAW:{'k' * number}"] == texts(answer)
        server.wire.shut_down()
        assert 0 == server.process.wait(20)
        count.survived += 1
