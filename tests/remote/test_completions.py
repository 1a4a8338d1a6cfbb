"""A model behind a server completes in the editor as it does in the editor's own process."""

from __future__ import annotations

import random

import pytest

from model_runtime.engines.onnx.engine import OnnxEngine
from model_runtime.engines.protocol import SamplingParams
from model_runtime.prompt.encoder import Hole, PromptBudget, PromptRequest
from tests.remote.conftest import through_both, through_each
from tests.remote.editor import FUNCTIONS, ROOT, suggestion, through

pytestmark = pytest.mark.remote

TEXTS = sorted((ROOT / "benchmarks" / "replay_set" / "others").glob("*.*"))
PLACES = {
    "the body of a loop": "total = 0\nfor number in numbers:\n    ^\nprint(total)\n",
    "an argument": "import os\n\n\ndef size(path):\n    return os.path.getsize(^)\n",
    "an attribute": "class Point:\n    def __init__(self, x, y):\n        self.x = x\n        ^\n",
    "the rest of a word": (
        "def total(values):\n    result = 0\n    for value in values:\n        result += value\n"
        "    return resu^\n"
    ),
    "a line with what stands behind it": "names = sorted(^)\nprint(names)\n",
    "letters of two bytes": 'grüße = ["ä", "ö"]\nfor gruß in ^:\n    print(gruß)\n',
    "a long file": FUNCTIONS + "def total(numbers):\n    result = 0\n    for number in n^\n",
}


@pytest.fixture(scope="module")
def expected(local_editor):
    return {name: suggestion(local_editor, text) for name, text in PLACES.items()}


@through_each
def test_the_editor_is_given_what_the_model_would_write_in_its_own_process(served, edit, expected):
    wire = edit(**served.settings)
    wire.notification("fimLsp/status", state="ready", engine=served.engine)
    assert expected == {name: suggestion(wire, text) for name, text in PLACES.items()}
    assert sum(map(bool, expected.values())) > 4


@through_each
def test_the_status_says_where_the_model_runs(served, edit):
    wire = edit(**served.settings)
    status = wire.notification("fimLsp/status", state="ready")
    host = served.server.url.removeprefix("http://")
    assert {
        "place": f"{host} on this machine",
        "hasProbabilities": True,
        "stopsAbandoned": None,
    } == status["server"]
    assert host in status["message"]


@pytest.fixture(scope="module")
def local_engine(model):
    engine = OnnxEngine.open(model.bundle, threads=1, kind="float32")
    yield engine
    engine.close()


@through_both
def test_an_engine_decodes_the_ids_that_the_local_one_decodes(engine, model, local_engine):
    """Their log-probabilities agree to a hundredth."""
    chance = random.Random(0)
    sampling = SamplingParams(24, stop_ids=model.bundle.stop_ids)
    for path in TEXTS:
        text = path.read_text("utf-8")
        cut = chance.randrange(len(text))
        request = PromptRequest(Hole(text[:cut], text[cut:]))
        prompt = model.bundle.encoder.prompt(request, PromptBudget(300)).ids
        with local_engine.generate(prompt, sampling) as stream:
            local = list(stream)
        with engine.generate(prompt, sampling) as stream:
            remote = list(stream)
        assert [token.id for token in local] == [token.id for token in remote]
        assert [token.logprob for token in local] == pytest.approx(
            [token.logprob for token in remote], abs=0.01
        )


LINE_OF_CODE = "result = sum(numbers)"


def type_line(wire):
    """Types one line of a long document, and asks at each key; yields behind each answer."""
    wire.notification("fimLsp/status", state="ready")
    typed = FUNCTIONS + "def total(numbers):\n    "
    for length in range(1, len(LINE_OF_CODE) + 1):
        suggestion(wire, f"{typed}{LINE_OF_CODE[:length]}^\n")
        yield


def test_what_a_llama_server_has_read_is_not_read_again(llama, edit):
    wire = edit(**through("llama-server", llama))
    cached = []
    for _ in type_line(wire):
        traces = [trace for trace in wire.traces(limit=1) if "cachedTokens" in trace]
        cached += [(trace["cachedTokens"], trace["promptTokens"]) for trace in traces]
    assert len(cached) > 10
    for known, of_tokens in cached[1:]:
        assert known > 0.9 * of_tokens


def test_what_vllm_has_read_is_not_read_again(vllm, edit):
    """Its own counters tell, since it tells a client only at the end of an answer."""
    wire = edit(**through("vllm", vllm))
    cached, asked = vllm.cached()
    for _ in type_line(wire):
        pass
    cached_now, asked_now = vllm.cached()
    assert cached_now - cached > 0.7 * (asked_now - asked)
