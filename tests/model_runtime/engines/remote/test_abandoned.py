"""A server that goes on with answers that nobody waits for is noticed, and named."""

import threading
import time

import pytest

from model_runtime.engines.protocol import SamplingParams
from model_runtime.engines.remote.abandoned import PIECE_TOKENS
from tests.support.model_server import OF_TEXT, REMOTE

FEW, FORTY, MANY = (SamplingParams(tokens, stop_ids=frozenset()) for tokens in (6, 40, 200))
PROMPT = list(range(400, 440))


@pytest.fixture(autouse=True)
def long_answers_wait(server):
    """No answer of many tokens ends before it is given up."""
    server.ends_answers = False
    server.num_free_tokens = FORTY.max_tokens
    server.may_decode.clear()


def give_up(engine):
    """Begins a long answer and leaves it after its first token."""
    with engine.generate(PROMPT, MANY) as stream:
        next(stream)


def abandoned_beside(engine):
    """Returns how many answers the server went on with beside one that is carried through."""
    with engine.generate(PROMPT, FEW) as stream:
        list(stream)
    return stream.counts.abandoned


def wait_until(is_so):
    deadline, pause = time.monotonic() + 30, threading.Event()
    while not is_so():
        assert time.monotonic() < deadline
        pause.wait(0.01)


def test_a_server_that_goes_on_is_named_until_it_has_ended(open_engine, server):
    engine = open_engine()
    assert engine.stops_abandoned is None
    server.may_stop.clear()
    give_up(engine)
    wait_until(lambda: engine.stops_abandoned is False)

    assert 1 == abandoned_beside(engine)
    server.may_stop.set()
    wait_until(lambda: 0 == abandoned_beside(engine))
    assert engine.stops_abandoned is False


def test_a_server_that_stops_is_known_to(open_engine, server):
    engine = open_engine()
    give_up(engine)
    wait_until(lambda: engine.stops_abandoned)

    assert 0 == abandoned_beside(engine)


def test_answers_of_others_are_not_taken_for_ones_own(open_engine, server):
    other, engine = open_engine(), open_engine()
    with other.generate(PROMPT, MANY) as stream:
        next(stream)
        give_up(engine)
        wait_until(lambda: engine.stops_abandoned)


def test_a_server_that_goes_on_is_asked_for_little_at_once(open_engine, server):
    """The next request waits shortly then, and the answer is the same."""
    engine = open_engine()
    whole = [token.id for token in engine.generate(PROMPT, FORTY)]
    server.may_stop.clear()
    give_up(engine)
    wait_until(lambda: engine.stops_abandoned is False)
    server.may_stop.set()
    before = len(server.state.prompts)

    assert whole == [token.id for token in engine.generate(PROMPT, FORTY)]
    asked = [one.body["n_predict"] for one in server.state.prompts[before:]]
    assert [PIECE_TOKENS, PIECE_TOKENS, 40 - 2 * PIECE_TOKENS] == asked


WITHOUT = {
    "no such path": lambda handler: handler.send_json({"error": {}}, 501),
    "no list": lambda handler: handler.send_json({}),
    "no seeds": lambda handler: handler.send_json([{"id": 0, "is_processing": True}]),
}


@pytest.mark.parametrize("slots", WITHOUT.values(), ids=WITHOUT.keys())
def test_a_server_that_does_not_tell_is_not_asked_again(slots, open_engine, server):
    engine, asked = open_engine(), []

    def answer(handler):
        asked.append(handler.path)
        slots(handler)
        server.may_stop.set()

    server.misbehave["/slots"] = answer
    server.may_stop.clear()
    give_up(engine)
    wait_until(lambda: asked and not server.state.num_running)
    give_up(engine)
    server.state.wait_for(lambda: server.state.num_lost == 2)

    assert (None, 1, 0) == (engine.stops_abandoned, len(asked), abandoned_beside(engine))


@pytest.mark.parametrize("name", [*REMOTE[1:], *OF_TEXT])
def test_of_other_servers_it_is_not_known(name, open_engine, server):
    engine = open_engine(name)
    before = len(server.state.asked)
    give_up(engine)
    server.state.wait_for(lambda: server.state.num_lost == 1)

    assert (engine.stops_abandoned, abandoned_beside(engine)) == (None, 0)
    assert {engine_path.path for engine_path in server.state.asked[before:]} <= {
        "/completion",
        "/v1/completions",
        "/api/generate",
        "/v1/models",
    }
