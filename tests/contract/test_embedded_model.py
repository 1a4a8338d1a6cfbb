"""The model in the package keeps the contract, too."""

import pytest

from model_runtime.engines.ctranslate2.engine import CTranslate2Engine
from model_runtime.engines.onnx.engine import OnnxEngine
from model_runtime.engines.protocol import SamplingParams
from model_runtime.models.bundle import ModelBundle
from model_runtime.prompt.encoder import Hole, PromptBudget, PromptRequest
from model_runtime.store import installed
from tests.support.requirements import required_module

HOLES = [
    Hole("def add(a: int, b: int) -> int:\n    return ", "\n"),
    Hole("import os\n\nfor name in os.listdir('.'):\n    ", "\n\nprint('done')\n"),
    Hole(
        "class Stack:\n    def __init__(self):\n        self.items = []\n\n    def push(self, ", ""
    ),
]


@pytest.fixture(scope="module")
def bundle():
    return ModelBundle.open(installed.default_folder())


def test_its_files_are_whole_and_fit_the_wheel(bundle):
    bundle.verify_weights()

    assert sum(path.stat().st_size for path in bundle.path.rglob("*") if path.is_file()) <= 50e6


def test_the_engines_decode_the_same_ids_in_float32(bundle):
    required_module("torch")
    from model_runtime.engines.torch.engine import TorchEngine

    engines = [
        CTranslate2Engine.open(bundle, threads=1, kind="float32"),
        OnnxEngine.open(bundle, threads=1, kind="float32"),
        TorchEngine.open(bundle, device="cpu", threads=1),
    ]
    sampling = SamplingParams(24, bundle.stop_ids)
    budget = PromptBudget(bundle.manifest.context_length - 24)
    for hole in HOLES:
        prompt = bundle.encoder.prompt(PromptRequest(hole), budget).ids
        one, *others = (list(engine.generate(prompt, sampling)) for engine in engines)
        for other in others:
            assert [token.id for token in one] == [token.id for token in other]
            assert [token.logprob for token in one] == pytest.approx(
                [token.logprob for token in other], abs=1e-3
            )
    for engine in engines:
        engine.close()
