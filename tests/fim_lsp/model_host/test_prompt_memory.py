"""The setting for what the model has read: more than there is, nothing, and what fits."""

import pytest

from fim_lsp.model_host.loader import load_model
from fim_lsp.settings import Settings
from model_runtime.engines.protocol import SamplingParams

THREE = SamplingParams(3, frozenset())
PROMPTS = [[number, *range(100, 300)] for number in (10, 11, 12)]


@pytest.fixture(params=["onnx", "ctranslate2"])
def load(request):
    """A function that opens the embedded model with so many megabytes."""
    opened = []

    def run(megabytes):
        settings = Settings(engine=request.param, threads=1, prompt_memory_mb=megabytes)
        opened.append(load_model(settings))
        return opened[-1]

    yield run
    for model in opened:
        model.engine.close()


def read(model):
    """Reads three prompts and answers each; what is kept then."""
    for prompt in PROMPTS:
        assert 3 == len(list(model.engine.generate(prompt, THREE)))
    return model.kept_texts


def test_more_than_there_is_becomes_less_in_one_sentence_and_works(load, caplog):
    model = load(1_000_000)
    kept = read(model)

    (message,) = [it for it in caplog.messages if "memory is short" in it]
    assert "instead of 1000000 MB" in message
    assert 0 < kept.used_bytes < kept.max_bytes < 10**12
    assert len(PROMPTS) == kept.number


def test_without_memory_one_text_is_kept_at_the_most(load, caplog):
    kept = read(load(0))

    assert 0 == kept.max_bytes
    assert kept.number <= 1
    assert not [it for it in caplog.messages if "memory is short" in it]


def test_what_fits_is_taken(load):
    kept = read(load(30))

    assert 30_000_000 == kept.max_bytes
    assert kept.used_bytes <= kept.max_bytes
    assert len(PROMPTS) == kept.number
