"""Promises of the PyTorch engine alone."""

import pytest

from model_runtime.engines.protocol import SamplingParams
from tests.contract.conftest import open_with, random_ids
from tests.support.requirements import required_module

torch = required_module("torch")


def test_a_failing_backend_is_reported_and_leaves_no_half_filled_cache(bundle_of, monkeypatch):
    from model_runtime.engines.torch.passes import TorchText
    from model_runtime.errors import EngineError

    engine = open_with("torch", bundle_of("rotary quarter"))
    prompt = random_ids(100, seed=42)
    sampling = SamplingParams(4, frozenset())
    expected = list(engine.generate(prompt, sampling))
    with monkeypatch.context() as patch:
        patch.setattr(TorchText, "run", lambda *_: torch.zeros(2) @ torch.zeros(3))
        with pytest.raises(EngineError, match="PyTorch failed"):
            list(engine.generate([*prompt[:50], 9], sampling))

    found = list(engine.generate(prompt, sampling))
    assert [token.id for token in expected] == [token.id for token in found]
    assert [token.logprob for token in expected] == pytest.approx(
        [token.logprob for token in found], abs=1e-3
    )


@pytest.mark.parametrize("kind", ["bfloat16", "int8"])
@pytest.mark.parametrize("variant", ["rotary quarter", "tied", "alibi"])
def test_every_number_type_runs_near_the_floats(bundle_of, oracle_of, kind, variant):
    """The same code as on a GPU; 8 bits of a bundle are taken as they are."""
    from model_runtime.engines.torch.engine import TorchEngine

    engine = TorchEngine.open(bundle_of(variant, "int8"), device="cpu", threads=1, kind=kind)
    ids = random_ids(300, seed=43)
    expected = oracle_of(variant, "int8").logprobs(ids[:-1])[range(299), ids[1:]]
    found = [token.logprob for token in engine.logprobs(ids)]
    tokens = list(engine.generate(ids[:100], SamplingParams(8, frozenset())))
    engine.close()

    assert abs(found - expected).mean() < (0.1 if kind == "bfloat16" else 1e-3)
    assert 8 == len(tokens)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 9, 16, 17, 40])
def test_a_tail_of_any_length_gives_what_a_whole_pass_gives(bundle_of, oracle_of, count):
    """Short passes are filled up to a few lengths; what fills them up is never read."""
    engine = open_with("torch", bundle_of("rotary quarter"))
    sampling = SamplingParams(6, frozenset())
    prompt = random_ids(250 + count, seed=44)
    list(engine.generate(prompt[:250], sampling))
    with engine.generate(prompt, sampling) as stream:
        ids = [token.id for token in stream]
        assert 250 == stream.cached_tokens

    assert ids == oracle_of("rotary quarter").next_ids(prompt, ids)


def test_torch_without_a_gpu_says_so(bundle_of):
    from model_runtime.engines import open_engine
    from model_runtime.errors import EngineUnavailable

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(EngineUnavailable, match="no CUDA device"):
        open_engine(bundle_of("rotary quarter"), engine="auto", device="cuda")


@pytest.mark.gpu
def test_a_gpu_decodes_nearly_what_the_cpu_does(bundle_of, oracle_of, prompt):
    """The network runs in bfloat16, so the figures agree to a few hundredths."""
    if not torch.cuda.is_available():
        pytest.skip("there is no GPU")
    from model_runtime.engines import open_engine

    engine = open_engine(bundle_of("rotary quarter"), device="cuda")
    tokens = list(engine.generate(prompt, SamplingParams(12, frozenset())))
    engine.close()

    ids = [token.id for token in tokens]
    expected = oracle_of("rotary quarter").logprobs([*prompt, *ids])[len(prompt) - 1 : -1]
    for place, token in enumerate(tokens):
        assert token.logprob == pytest.approx(expected[place, token.id], abs=0.1)


@pytest.mark.gpu
@pytest.mark.parametrize("variant", ["rotary quarter", "alibi"])
def test_recorded_passes_on_a_gpu_decode_what_a_plain_network_does(bundle_of, oracle_of, variant):
    """Several texts and tails of several lengths are run in float32, each a CUDA graph of its own."""
    if not torch.cuda.is_available():
        pytest.skip("there is no GPU")
    from model_runtime.engines.torch.engine import TorchEngine

    engine = TorchEngine.open(bundle_of(variant), device="cuda", kind="float32")
    texts = [random_ids(300, seed=45), random_ids(300, seed=46)]
    for length in (230, 231, 233, 240, 250, 262):  # over the border at 256 rows, too
        for text in texts:
            with engine.generate(text[:length], SamplingParams(12, frozenset())) as stream:
                ids = [token.id for token in stream]
            assert ids == oracle_of(variant).next_ids(text[:length], ids)
    engine.close()
