"""Two servers that start at once make one form of the model, and both answer from it."""

from __future__ import annotations

import shutil

from model_runtime.models.bundle import ModelBundle
from tests.faults import forked
from tests.faults.servers import CHARACTER, LINE, TEXT, Home, is_settled
from tests.faults.tally import Tally
from tests.faults.test_killed import hashes

ROUNDS, SERVERS = 5, 2


def test_two_servers_that_make_the_same_form_both_answer(
    home: Home, tiny: ModelBundle, tally: Tally
):
    count = tally.of("two servers make the same form")
    answers, forms = [], []
    settings = {"model": str(tiny.path), "engine": "onnx", "threads": 1}
    for _ in range(ROUNDS):
        started = [forked.start_server(home) for _ in range(SERVERS)]
        for _, wire in started:
            wire.initialize(initializationOptions=settings)
        for _, wire in started:
            assert "ready" == wire.receive(is_settled)["params"]["state"]
            wire.open(TEXT)
            items = wire.complete(LINE, CHARACTER, kind=1)["items"]
            answers.append([item["insertText"] for item in items])
            count.requests, count.answered = count.requests + 1, count.answered + 1
        for process, wire in started:
            wire.shut_down()
            process.join()
            assert 0 == process.exitcode
            wire.close()
        (form,) = home.derived.iterdir()
        forms.append(hashes(form))
        count.injected += 1
        count.survived += 1
        shutil.rmtree(form)
    assert all(answer == answers[0] for answer in answers)
    assert all(form == forms[0] for form in forms)
