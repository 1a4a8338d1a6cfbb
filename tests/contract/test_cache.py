"""Keeping state between requests makes them faster and changes nothing else."""

import random

import pytest

from model_runtime.engines.ctranslate2.engine import CTranslate2Engine
from model_runtime.engines.protocol import SamplingParams
from tests.contract.conftest import random_ids

FOUR = SamplingParams(max_tokens=4, stop_ids=frozenset())


TEXT, OTHER = random_ids(300, seed=21), random_ids(300, seed=22)
ANY = random.Random(23)

HISTORIES = {
    "typing": [[*TEXT[:length], 3] for length in range(120, 150, 2)],
    "deleting": [[*TEXT[:length], 3] for length in range(200, 180, -2)],
    "jumping": [TEXT[:200], OTHER[:150], TEXT[:100], [*TEXT[:100], *OTHER[:90]], TEXT[:200]],
    "changing the start": [[place, *TEXT[1:180]] for place in range(6, 10)],
    "anything": [ANY.choice((TEXT, OTHER))[: ANY.randrange(1, 290)] for _ in range(12)],
}
"""Prompts in the order in which an editor sends them: each differs a little from the last."""


@pytest.mark.parametrize("variant", ["rotary quarter", "alibi"])
@pytest.mark.parametrize("history", list(HISTORIES))
def test_a_cached_request_gives_the_tokens_of_a_cold_one(
    engine_of, oracle_of, engine_name, variant, history
):
    engine, oracle = engine_of(engine_name, variant), oracle_of(variant)
    for prompt in HISTORIES[history]:
        with engine.generate(prompt, FOUR) as stream:
            found = [token.id for token in stream]
        assert oracle.next_ids(prompt, found) == found


def test_an_int8_model_decodes_the_same_cached_and_cold(bundle_of, engine_of):
    """Also where rounding could tell a prefill in two parts from one in a single part."""
    warm = engine_of("ctranslate2", "rotary quarter", "int8")
    cold = CTranslate2Engine.open(bundle_of("rotary quarter", "int8"), threads=1, kept_bytes=0)

    for prompt in HISTORIES["typing"]:
        with cold.generate(prompt, FOUR) as expected, warm.generate(prompt, FOUR) as found:
            assert expected.cached_tokens == 0
            tokens, others = list(expected), list(found)
            assert [token.id for token in tokens] == [token.id for token in others]
            # Sums of floats depend on the shapes of a pass, on some processors.
            assert [token.logprob for token in tokens] == pytest.approx(
                [token.logprob for token in others], abs=1e-4
            )
    cold.close()


def test_cached_prompts_stay_within_their_memory(bundle_of, oracle_of):
    """CTranslate2 itself would keep them all; the oldest go when the budget is spent."""
    bundle = bundle_of("rotary quarter")
    budget = 400 * bundle.manifest.decoder.kv_bytes_per_token()
    engine = CTranslate2Engine.open(bundle, threads=1, kept_bytes=budget)
    for seed in (31, 32, 33, 31, 34):
        prompt = random_ids(200, seed)
        with engine.generate(prompt, FOUR) as stream:
            found = [token.id for token in stream]
        assert oracle_of("rotary quarter").next_ids(prompt, found) == found
        assert engine.kept_texts.used_bytes <= budget
    engine.close()


def test_keys_that_heads_share_are_counted_for_each_of_them(bundle_of):
    """CTranslate2 keeps them so; counted once, a cache would outgrow its memory severalfold."""
    bundle = bundle_of("grouped heads, rms norm, gated")
    spec = bundle.manifest.decoder
    assert spec.kv_heads < spec.heads
    engine = CTranslate2Engine.open(bundle, threads=1)
    prompt = random_ids(200, 35)
    for _ in range(2):
        with engine.generate(prompt, FOUR) as stream:
            list(stream)

    assert stream.cached_tokens > 0
    of_each = spec.kv_bytes_per_token() // spec.kv_heads * spec.heads
    assert stream.cached_tokens * of_each == engine.kept_texts.used_bytes
    engine.close()


def test_a_cache_of_no_bytes_is_none(bundle_of, prompt):
    engine = CTranslate2Engine.open(bundle_of("rotary quarter"), threads=1, kept_bytes=0)
    for _ in range(2):
        with engine.generate(prompt, FOUR) as stream:
            assert 0 == stream.cached_tokens
            assert 4 == len(list(stream))
    engine.close()
