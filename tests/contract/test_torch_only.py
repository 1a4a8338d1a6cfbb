"""What only the PyTorch engine promises."""

import threading

import pytest

from model_runtime.engine import SamplingParams
from tests.contract.conftest import open_with, random_ids

torch = pytest.importorskip("torch")


def test_cancelling_interrupts_a_prefill(bundle_of, monkeypatch):
    """A long prompt runs in chunks; those after the cancel are not run, those before are kept."""
    engine = open_with("torch", bundle_of("rotary quarter"))
    cancel = threading.Event()
    run = engine._forward
    passes = []

    def forward(ids):
        passes.append(len(ids))
        cancel.set()
        return run(ids)

    monkeypatch.setattr(engine, "_forward", forward)
    prompt = random_ids(500, seed=41)

    assert [] == list(engine.generate(prompt, SamplingParams(4, frozenset()), cancel))
    assert [256] == passes
    with engine.generate(prompt, SamplingParams(4, frozenset())) as stream:
        assert 256 == stream.cached_tokens


def test_a_failing_backend_is_reported_and_leaves_no_half_filled_cache(bundle_of, monkeypatch):
    from model_runtime.errors import EngineError

    engine = open_with("torch", bundle_of("rotary quarter"))
    prompt = random_ids(100, seed=42)
    sampling = SamplingParams(4, frozenset())
    expected = list(engine.generate(prompt, sampling))
    with pytest.raises(EngineError, match="PyTorch failed"):
        list(engine.generate([*prompt[:50], 10**6], sampling))

    assert expected == list(engine.generate(prompt, sampling))


def test_torch_without_a_gpu_says_so(bundle_of):
    from model_runtime.engines import open_engine
    from model_runtime.errors import EngineUnavailable

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(EngineUnavailable, match="no CUDA device"):
        open_engine(bundle_of("rotary quarter"), engine="auto", device="cuda")


@pytest.mark.gpu
def test_a_gpu_decodes_nearly_what_the_cpu_does(bundle_of, oracle_of, prompt):
    """In bfloat16, so to a few hundredths."""
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
