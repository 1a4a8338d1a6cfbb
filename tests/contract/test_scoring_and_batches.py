"""Evaluation asks every engine how likely a text is, and to continue many prompts at once."""

import numpy as np
import pytest

from model_runtime.engines.protocol import SamplingParams
from model_runtime.engines.scripted import ScriptedEngine
from model_runtime.errors import EngineError, PromptTooLong
from tests.contract.conftest import ENGINES, REFUSED, open_with, random_ids

FREE = SamplingParams(max_tokens=12, stop_ids=frozenset())
LENGTHS = (1, 5, 40, 41, 44, 130, 200)
SCRIPT = [*range(6, 400)]


@pytest.fixture(params=[*ENGINES, "scripted"])
def any_engine(request, engine_of):
    if request.param == "scripted":
        return ScriptedEngine(lambda prompt: [*prompt[-3:], *SCRIPT], context_length=512)
    return engine_of(request.param, "rotary quarter")


@pytest.mark.parametrize("length", [2, 64, 300, 512])
def test_a_text_is_as_likely_as_a_plain_forward_pass_says(
    engine_of, oracle_of, engine_name, variant, length
):
    """Also over more than one chunk, and over the whole context."""
    ids = random_ids(length, seed=length)

    found = engine_of(engine_name, variant).logprobs(ids)

    expected = oracle_of(variant).logprobs(ids[:-1])
    assert [token.logprob for token in found] == pytest.approx(
        expected[np.arange(length - 1), ids[1:]].tolist(), abs=1e-3
    )
    assert [token.best_id for token in found] == expected.argmax(-1).tolist()


def test_the_engines_score_alike(engine_of, variant):
    ids = random_ids(260, seed=8)
    one, *others = (
        [token.logprob for token in engine_of(name, variant).logprobs(ids)]
        for name in ENGINES
        if variant not in REFUSED[name]
    )

    for other in others:
        assert one == pytest.approx(other, abs=1e-3)


def test_what_was_decoded_scores_as_it_was_decoded(any_engine, prompt):
    tokens = list(any_engine.generate(prompt, FREE))
    scored = any_engine.logprobs([*prompt, *(token.id for token in tokens)])[len(prompt) - 1 :]

    assert [token.logprob for token in tokens] == pytest.approx(
        [token.logprob for token in scored], abs=1e-3
    )
    if any_engine.name != "scripted":  # a script agrees with whatever it is shown
        assert [token.id for token in tokens] == [token.best_id for token in scored]


def test_a_single_id_has_nothing_before_it(any_engine):
    assert [] == any_engine.logprobs([7])


def test_scoring_leaves_decoding_as_it_was(any_engine, prompt):
    before = [token.id for token in any_engine.generate(prompt, FREE)]
    any_engine.logprobs(random_ids(100, seed=5))
    any_engine.generate_batch([random_ids(50, seed=6)], FREE)

    assert before == [token.id for token in any_engine.generate(prompt, FREE)]


@pytest.mark.parametrize("length", [0, 513])
def test_a_text_that_does_not_fit_is_refused(any_engine, length):
    with pytest.raises(PromptTooLong):
        any_engine.logprobs([7] * length)


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("unknown", [512, -1])
def test_an_unknown_id_is_refused(engine_of, name, unknown):
    with pytest.raises(EngineError):
        engine_of(name, "rotary quarter").logprobs([7, unknown, 8])


def test_a_batch_decodes_the_tokens_of_one_at_a_time(engine_of, engine_name, variant):
    """Whatever the lengths beside a prompt, and although others of the batch end earlier."""
    engine = engine_of(engine_name, variant)
    prompts = [random_ids(length, seed=length) for length in LENGTHS]
    stops = frozenset(token.id for token in [*engine.generate(prompts[2], FREE)][3:4])
    sampling = SamplingParams(12, stops)

    batch = engine.generate_batch(prompts, sampling)

    for prompt, found in zip(prompts, batch, strict=True):
        alone = list(engine.generate(prompt, sampling))
        assert [token.id for token in alone] == [token.id for token in found]
        assert [token.logprob for token in alone] == pytest.approx(
            [token.logprob for token in found], abs=1e-3
        )


def test_a_batch_keeps_the_order_of_its_prompts(any_engine):
    prompts = [random_ids(length, seed=length) for length in (90, 10, 50)]

    assert [[token.id for token in any_engine.generate(prompt, FREE)] for prompt in prompts] == [
        [token.id for token in found] for found in any_engine.generate_batch(prompts, FREE)
    ]


def test_no_prompts_have_no_answers(any_engine, prompt):
    assert [] == any_engine.generate_batch([], FREE)
    assert [[]] == any_engine.generate_batch([prompt], SamplingParams(0, frozenset()))


def test_one_prompt_too_long_refuses_the_batch(any_engine):
    with pytest.raises(PromptTooLong, match="lower contextTokens"):
        any_engine.generate_batch([[7], [7] * 505], FREE)


def test_samples_of_one_prompt_differ(engine_of, engine_name, prompt):
    hot = SamplingParams(12, frozenset(), temperature=2.0)
    batch = engine_of(engine_name, "tied").generate_batch([prompt] * 6, hot)

    assert 1 < len({tuple(token.id for token in found) for found in batch})


@pytest.mark.parametrize("name", [*ENGINES, "scripted"])
def test_a_closed_engine_neither_scores_nor_decodes(name, bundle_of, prompt):
    engine = (
        ScriptedEngine([7]) if name == "scripted" else open_with(name, bundle_of("rotary quarter"))
    )
    engine.close()

    with pytest.raises(EngineError, match="closed"):
        engine.logprobs(prompt)
    with pytest.raises(EngineError, match="closed"):
        engine.generate_batch([prompt], FREE)
