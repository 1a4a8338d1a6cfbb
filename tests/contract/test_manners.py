"""Promises of every engine to its caller, the scripted one included."""

import gc
import threading
import time
import weakref

import pytest

from model_runtime.engines.protocol import SamplingParams
from model_runtime.engines.scripted import ScriptedEngine
from model_runtime.errors import EngineError, PromptTooLong
from tests.contract.conftest import ENGINES, open_with, random_ids
from tests.support.model_server import REMOTE, behind_http

FREE = SamplingParams(max_tokens=12, stop_ids=frozenset())


@pytest.fixture(params=[*ENGINES, "scripted", *REMOTE])
def engine(request, engine_of, bundle_of):
    name = request.param
    if name == "scripted":
        yield ScriptedEngine(lambda prompt: [*prompt[-3:], *range(6, 400)], context_length=512)
    elif name in REMOTE:
        with behind_http(name, bundle_of("rotary quarter")) as (engine, _):
            yield engine
    else:
        yield engine_of(name, "rotary quarter")


def ids_of(engine, prompt, sampling=FREE):
    with engine.generate(prompt, sampling) as stream:
        return [token.id for token in stream]


def test_a_stream_has_as_many_tokens_as_asked_for(engine, prompt):
    assert [12, 1, 0] == [
        len(ids_of(engine, prompt, SamplingParams(count, frozenset()))) for count in (12, 1, 0)
    ]


def test_the_stop_id_that_came_is_the_last_token(engine, prompt):
    plain = list(engine.generate(prompt, FREE))
    stop = plain[4].id
    first = [token.id for token in plain].index(stop)
    sampling = SamplingParams(12, frozenset({stop, 5}))

    tokens = list(engine.generate(prompt, sampling))

    assert [token.id for token in plain[: first + 1]] == [token.id for token in tokens]
    assert plain[first].logprob == pytest.approx(tokens[-1].logprob, abs=1e-3)


def test_setting_the_cancel_flag_ends_the_stream_within_one_token(engine, prompt):
    cancel = threading.Event()
    before = ids_of(engine, prompt)
    with engine.generate(prompt, SamplingParams(300, frozenset()), cancel) as stream:
        next(stream)
        next(stream)
        cancel.set()
        late = list(stream)

    assert len(late) <= 1
    assert before == ids_of(engine, prompt)


def test_a_request_cancelled_before_it_begins_decodes_nothing(engine, prompt):
    cancel = threading.Event()
    cancel.set()

    assert [] == list(engine.generate(prompt, FREE, cancel))


def test_closing_a_stream_leaves_the_engine_free_and_unchanged(engine, prompt):
    before = ids_of(engine, prompt)
    for count in (0, 1, 5):
        with engine.generate(prompt, SamplingParams(300, frozenset())) as stream:
            for _ in range(count):
                next(stream)

        assert before == ids_of(engine, prompt)
        assert [] == list(stream)


def test_a_stream_that_is_dropped_is_gone_at_once(engine, prompt):
    """Its answer would go on until Python looks for circles."""
    stream = engine.generate(prompt, SamplingParams(300, frozenset()))
    next(stream)
    gone = weakref.ref(stream)
    gc.disable()
    try:
        del stream
        assert gone() is None
    finally:
        gc.enable()


def test_a_stream_that_is_dropped_stops(engine, prompt):
    before = ids_of(engine, prompt)
    for _ in range(3):
        next(engine.generate(prompt, SamplingParams(300, frozenset())))

    assert before == ids_of(engine, prompt)


def test_a_prompt_that_leaves_no_room_is_refused_at_once(engine):
    room = engine.context_length
    with pytest.raises(PromptTooLong, match="lower contextTokens"):
        engine.generate([7] * (room - 11), FREE)
    with pytest.raises(PromptTooLong, match="empty"):
        engine.generate([], FREE)


def test_prompt_and_answer_may_fill_the_context(engine):
    assert 12 == len(ids_of(engine, [7] * (engine.context_length - 12)))


def test_a_grown_prompt_is_partly_cached(engine):
    prompt = random_ids(230, seed=11)
    ids_of(engine, prompt)

    with engine.generate([*prompt, 9], FREE) as stream:
        list(stream)  # a server says it with its first token, or with its last
        assert 0 < stream.cached_tokens < 231


def test_another_prompt_is_not_cached(engine, prompt):
    ids_of(engine, prompt)

    with engine.generate(random_ids(200, seed=12), FREE) as stream:
        assert 0 == stream.cached_tokens


@pytest.mark.parametrize("name", [*ENGINES, "scripted"])
def test_a_closed_engine_says_so(name, bundle_of, prompt):
    engine = (
        ScriptedEngine([7]) if name == "scripted" else open_with(name, bundle_of("rotary quarter"))
    )
    ids_of(engine, prompt)
    engine.close()
    engine.close()

    with pytest.raises(EngineError, match="closed"):
        list(engine.generate(prompt, FREE))


def test_cancelling_from_another_thread_ends_a_long_generation_early(engine, prompt):
    """The flag is polled while the caller waits for tokens."""
    cancel = threading.Event()
    sampling = SamplingParams(300, frozenset())
    seen = 0
    with engine.generate(prompt, sampling, cancel) as stream:
        for seen, _ in enumerate(stream, 1):
            if seen == 3:
                threading.Thread(target=cancel.set).start()
                cancel.wait()

    assert seen <= 4


def test_an_engine_streams(engine, prompt):
    """The first token comes before the last one is decoded."""
    started = time.perf_counter()
    times = [
        time.perf_counter() - started
        for _ in engine.generate(prompt, SamplingParams(200, frozenset()))
    ]

    assert times[0] < times[-1]


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("unknown", [512, 10**6, -1])
def test_an_id_outside_of_the_vocabulary_is_refused(engine_of, name, unknown, prompt):
    engine = engine_of(name, "rotary quarter")
    before = ids_of(engine, prompt)
    with pytest.raises(EngineError):
        ids_of(engine, [*prompt[:40], unknown])

    assert before == ids_of(engine, prompt)
