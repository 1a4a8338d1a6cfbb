import threading

import pytest

from model_runtime.engines.protocol import SamplingParams
from model_runtime.engines.scripted import ScriptedEngine

STOPPING = SamplingParams(max_tokens=9, stop_ids=frozenset({0}))


def ids(stream):
    return [token.id for token in stream]


def test_it_says_what_it_is_told_to_and_remembers_what_it_was_asked():
    engine = ScriptedEngine(lambda prompt: [prompt[-1] + 1, 0, 5])

    assert [3, 0] == ids(engine.generate([1, 2], STOPPING))
    assert [9, 0] == ids(engine.generate([8], STOPPING))
    assert [[1, 2], [8]] == engine.prompts
    assert 4 == engine.tokens_decoded


def test_a_text_can_be_said():
    engine = ScriptedEngine.saying("ab", encode=lambda text: [ord(c) for c in text], end=0)

    assert [97, 98, 0] == ids(engine.generate([1], STOPPING))


def test_cached_tokens_are_those_shared_with_the_last_prompt():
    engine = ScriptedEngine([7])
    shared = [
        engine.generate(prompt, STOPPING).cached_tokens
        for prompt in ([1, 2, 3], [1, 2, 4], [1, 2, 4], [2])
    ]

    assert [0, 2, 2, 0] == shared


def test_a_pause_ends_at_once_when_it_is_cancelled():
    engine = ScriptedEngine([7, 8], prefill_seconds=3600)
    cancel = threading.Event()
    threading.Timer(0.05, cancel.set).start()

    assert [] == ids(engine.generate([1], STOPPING, cancel))


def test_it_fails_when_told_to():
    engine = ScriptedEngine([7], fail=MemoryError("no"))

    with pytest.raises(MemoryError, match="no"):
        ids(engine.generate([1], STOPPING))


def test_it_fails_in_the_middle_when_told_to():
    engine = ScriptedEngine([7, 8, 9], fail=MemoryError("no"), fail_after=2)
    stream = engine.generate([1], STOPPING)

    assert [7, 8] == [next(stream).id, next(stream).id]
    with pytest.raises(MemoryError, match="no"):
        next(stream)
