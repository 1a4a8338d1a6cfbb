"""Every engine computes the network that the bundle describes."""

import numpy as np
import pytest

from model_runtime.engines.protocol import SamplingParams
from model_runtime.errors import EngineUnavailable
from tests.contract.conftest import ENGINES, MODELS, REFUSED, SUPPORTS, open_with, random_ids
from tests.support.processor import has_exact_int8

FREE = SamplingParams(max_tokens=12, stop_ids=frozenset())


@pytest.mark.parametrize("length", [1, 7, 64, 200])
def test_tokens_and_logprobs_are_those_of_a_plain_forward_pass(
    engine_of, oracle_of, engine_name, variant, length
):
    """Greedy ids, and log-probabilities to 1e-3, for short and long prompts of every variant."""
    prompt = random_ids(length, seed=length)

    tokens = list(engine_of(engine_name, variant).generate(prompt, FREE))

    ids = [token.id for token in tokens]
    logprobs = oracle_of(variant).logprobs([*prompt, *ids])[length - 1 : -1]
    assert logprobs.argmax(-1).tolist() == ids
    assert [token.logprob for token in tokens] == pytest.approx(
        logprobs[np.arange(len(ids)), ids].tolist(), abs=1e-3
    )


def test_the_engines_decode_the_same_ids(engine_of, bundle_of, variant, prompt):
    spec = bundle_of(variant).manifest.decoder
    answers = {
        tuple(token.id for token in engine_of(name, variant).generate(prompt, FREE))
        for name in ENGINES
        if not SUPPORTS[name](spec)
    }

    assert 1 == len(answers)


@pytest.mark.parametrize(
    "variant",
    [
        "rotary quarter",
        "tied",
        "alibi",
        "grouped heads, rms norm, gated",
        "wide heads, scaled embedding",
        "scaled residual stream and logits",
    ],
)
def test_an_int8_bundle_runs_nearly_as_its_floats_would(engine_of, oracle_of, engine_name, variant):
    """CTranslate2 and ONNX Runtime compute in int8, PyTorch with the dequantised weights; each close to both."""
    if engine_name == "ctranslate2" and not has_exact_int8():
        pytest.skip("CTranslate2's sums of 8-bit products are cut off here (number-types.md)")
    prompt = random_ids(150, seed=3)
    engine = engine_of(engine_name, variant, "int8")

    tokens = list(engine.generate(prompt, SamplingParams(24, frozenset())))

    ids = [token.id for token in tokens]
    chosen = np.arange(len(ids)), ids
    for quantization in ("int8", "float32"):
        expected = oracle_of(variant, quantization).logprobs([*prompt, *ids])[149:-1]
        differences = np.abs([token.logprob for token in tokens] - expected[chosen])
        assert differences.mean() < 0.15


@pytest.mark.parametrize("variant", ["windows", "alibi, grouped", "post norms, soft-caps"])
def test_a_prompt_of_several_passes_and_the_next_key_give_what_a_plain_pass_gives(
    engine_of, oracle_of, engine_name, variant
):
    """A window reaches over the end of a pass, and into what is cached."""
    engine, ids = engine_of(engine_name, variant), random_ids(402, seed=5)
    for length in (400, 401, 402):
        tokens = list(engine.generate(ids[:length], FREE))
        answer = [token.id for token in tokens]

        assert answer == oracle_of(variant).next_ids(ids[:length], answer)


@pytest.mark.parametrize("temperature", [0.7, 1.5])
def test_sampled_tokens_report_their_logprob_at_temperature_one(
    engine, oracle_of, prompt, temperature
):
    sampling = SamplingParams(8, frozenset(), temperature=temperature, top_p=0.9, seed=4)

    tokens = list(engine.generate(prompt, sampling))

    ids = [token.id for token in tokens]
    expected = oracle_of("rotary quarter").logprobs([*prompt, *ids])[len(prompt) - 1 : -1]
    assert [token.logprob for token in tokens] == pytest.approx(
        expected[np.arange(len(ids)), ids].tolist(), abs=1e-3
    )


def test_sampling_from_a_tiny_share_is_greedy(engine, prompt):
    greedy = [token.id for token in engine.generate(prompt, FREE)]
    sampling = SamplingParams(12, frozenset(), temperature=1.0, top_p=1e-6)

    assert greedy == [token.id for token in engine.generate(prompt, sampling)]


def test_a_hot_model_does_not_repeat_itself(engine, prompt):
    """Three samples at a high temperature are not all the same."""
    sampling = SamplingParams(12, frozenset(), temperature=2.0)

    samples = {tuple(token.id for token in engine.generate(prompt, sampling)) for _ in range(3)}

    assert len(samples) > 1


def test_the_variants_differ(oracle_of, prompt):
    """Otherwise the tests above would prove little."""
    answers = {tuple(oracle_of(name).logprobs(prompt)[-1].round(4).tolist()) for name in MODELS}

    assert len(answers) == len(MODELS)


@pytest.mark.parametrize("name", ENGINES)
def test_each_engine_refuses_just_what_is_listed(bundle_of, name):
    refused = {it for it in MODELS if SUPPORTS[name](bundle_of(it).manifest.decoder)}

    assert refused == REFUSED[name]


@pytest.mark.parametrize(
    ("name", "refused"), [(name, it) for name, them in REFUSED.items() for it in sorted(them)]
)
def test_what_an_engine_does_not_compute_is_refused_in_one_sentence(bundle_of, name, refused):
    with pytest.raises(EngineUnavailable, match="which random needs; choose another engine"):
        open_with(name, bundle_of(refused))


@pytest.mark.parametrize("name", ["onnx", "torch"])  # CTranslate2 ignores seeds
def test_a_seed_makes_samples_reproducible(engine_of, name, prompt):
    engine = engine_of(name, "rotary quarter")

    def sample(seed):
        sampling = SamplingParams(20, frozenset(), temperature=1.0, top_p=0.95, seed=seed)
        return [token.id for token in engine.generate(prompt, sampling)]

    assert sample(1) == sample(1)
    assert sample(1) != sample(2)


@pytest.mark.parametrize("name", ["onnx", "torch"])  # CTranslate2 ignores seeds
def test_a_seed_draws_the_same_sample_in_a_batch_and_alone(engine_of, name, prompt):
    engine = engine_of(name, "rotary quarter")
    sampling = SamplingParams(12, frozenset(), temperature=1.0, top_p=0.95)
    short = prompt[:60]

    def alone(given, seed):
        own = SamplingParams(12, frozenset(), temperature=1.0, top_p=0.95, seed=seed)
        return [token.id for token in engine.generate(given, own)]

    batch = engine.generate_batch([prompt, short, prompt], sampling, [1, 2, 3])

    assert [alone(prompt, 1), alone(short, 2), alone(prompt, 3)] == [
        [token.id for token in found] for found in batch
    ]
