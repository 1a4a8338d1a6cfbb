"""A server that is stopped (SIGSTOP, a laptop that sleeps) goes on with all that waits for it."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from tests.faults.servers import SCRIPTED, Home, serving
from tests.faults.tally import Tally
from tests.support.wire import ask, did_change, replace, texts

KEYS = 200


def test_keys_that_came_while_it_was_stopped_are_answered(
    home: Home, tally: Tally, pytestconfig: pytest.Config
):
    seconds: float = pytestconfig.getoption("--stop-seconds")
    count = tally.of(f"SIGSTOP for {seconds:.0f} s, with {KEYS} keys meanwhile")
    with serving(home, SCRIPTED) as server:
        server.wire.initialize()
        server.wire.open("")
        assert ["SAW:"] == texts(server.wire.complete(0, 0))
        server.process.send_signal(signal.SIGSTOP)
        count.injected += 1
        numbers = [server.wire.new_id() for _ in range(KEYS)]

        def type_on() -> None:  # a pipe that nobody reads takes some of it; the rest waits
            for place, number in enumerate(numbers):
                server.wire.send(
                    did_change(place + 2, replace((0, place), (0, place), "k")),
                    ask(number, 0, place + 1),
                )

        count.requests += KEYS
        typing = threading.Thread(target=type_on)
        typing.start()
        time.sleep(seconds)
        server.process.send_signal(signal.SIGCONT)
        typing.join()
        answers = [server.wire.response(number)["result"] for number in numbers]
        count.answered += len(answers)
        assert [f"SAW:{'k' * KEYS}"] == texts(answers[-1])
        for number, answer in enumerate(answers, 1):
            assert answer is None or [f"SAW:{'k' * number}"] == texts(answer)
        server.wire.shut_down()
        assert 0 == server.process.wait(20)
        count.survived += 1
