"""An exported model in stock llama.cpp answers as it does here; `make test-llama-cpp` installs it.

llama.cpp's GELU is the tanh approximation, from a table in float16, so logits agree to about a
hundredth.  Where two ids lie closer than that, either is right.
"""

import random
from pathlib import Path

import pytest

from model_runtime.engines.onnx.engine import OnnxEngine
from model_runtime.engines.protocol import SamplingParams
from model_runtime.exporters.gguf_names import TYPES
from model_runtime.prompt.encoder import Hole, PromptBudget, PromptRequest
from model_runtime.store import installed
from tests.support.llama_cpp import LlamaCpp
from tests.support.oracle import Oracle
from tests.support.random_models import VARIANTS, make_bundle

pytestmark = pytest.mark.llama_cpp

TEXTS = Path(__file__).parents[2] / "benchmarks" / "replay_set" / "others"
TIE = 0.03
"""Difference of two logarithms of probabilities that the approximations may turn around."""
ROTARY = {name: variant for name, variant in VARIANTS.items() if not variant.alibi}


@pytest.fixture(scope="module")
def embedded():
    return installed.find("default")


@pytest.fixture(scope="module")
def llama(embedded):
    with LlamaCpp.start(embedded, "f32", threads=1, float32_cache=True) as started:
        yield started


def code():
    return [path.read_text("utf-8") for path in sorted(TEXTS.glob("*.*"))]


def test_the_embedded_model_gives_the_same_greedy_answers(embedded, llama):
    engine = OnnxEngine.open(embedded, threads=1, kind="float32")
    sampling = SamplingParams(24, stop_ids=frozenset({embedded.manifest.prompt.end}))
    chance = random.Random(0)
    ended = 0
    for text in code():
        cut = chance.randrange(len(text))
        request = PromptRequest(Hole(text[:cut], text[cut:]))
        prompt = embedded.encoder.prompt(request, PromptBudget(300)).ids
        with engine.generate(prompt, sampling) as stream:
            ours = [token.id for token in stream]
        ended += ours[-1] in sampling.stop_ids
        assert [id_ for id_ in ours if id_ not in sampling.stop_ids] == llama.complete(prompt, 24)
    engine.close()
    assert ended > 3  # an answer's end is understood


@pytest.mark.parametrize("name", ROTARY)
def test_each_kind_of_network_gives_the_same_greedy_answers(name, tmp_path):
    bundle = make_bundle(tmp_path, ROTARY[name])
    oracle = Oracle(bundle)
    chance = random.Random(0)
    with LlamaCpp.start(bundle, "f32", threads=1, float32_cache=True) as llama:
        for length in (1, 17, 60):
            prompt = chance.choices(range(8, bundle.manifest.decoder.vocab), k=length)
            answer = llama.complete(prompt, 24, ignore_end=True)
            logprobs = oracle.logprobs([*prompt, *answer])[length - 1 : -1]
            assert 24 == len(answer)
            for id_, of_ids in zip(answer, logprobs, strict=True):
                assert of_ids[id_] > of_ids.max() - TIE


@pytest.mark.parametrize("type_", TYPES)
def test_each_type_loads_and_answers(embedded, type_):
    prompt = list(embedded.manifest.canary.ids)
    with LlamaCpp.start(embedded, type_, threads=1) as llama:
        assert len(llama.complete(prompt, 8, ignore_end=True)) == 8
        llama.complete([*prompt, 300], 1)
    assert llama.last.cached >= len(prompt) - 1


def ids_in_llama_cpp(llama, text, special=False):
    return llama.post("/tokenize", {"content": text, "parse_special": special})["tokens"]


def test_text_gets_nearly_the_ids_of_the_embedded_models_tokenizer(embedded, llama):
    """Returns a tokenizer that splits text in a way that llama.cpp lacks."""
    same = every = 0
    for line in "".join(code()).splitlines(keepends=True):
        ids = embedded.tokenizer.encode(line)
        same += len(ids) * (ids == ids_in_llama_cpp(llama, line))
        every += len(ids)
    assert same > 0.9 * every


def test_text_gets_the_ids_of_a_tokenizer_that_splits_as_gpt_2(tmp_path):
    bundle = make_bundle(tmp_path, VARIANTS["tied"])
    with LlamaCpp.start(bundle, "f32", threads=1) as llama:
        for text in code():
            assert bundle.tokenizer.encode(text) == ids_in_llama_cpp(llama, text)


def test_the_sentinels_are_special_tokens_and_no_text(embedded, llama):
    text = "<|SUF|><|PRE|><|MID|>"
    assert list(embedded.manifest.prompt.sentinels) == ids_in_llama_cpp(llama, text, True)
    assert len(ids_in_llama_cpp(llama, text)) > 3


def test_infill_knows_the_sentinels(llama):
    told = llama.post("/infill", {"input_prefix": "x = ", "input_suffix": "\n", "n_predict": 1})
    assert "<|PRE|>x = <|SUF|>\n<|MID|>" == told["prompt"]  # psm; --spm-infill for spm1
