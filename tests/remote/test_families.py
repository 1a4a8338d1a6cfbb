"""vLLM decodes models of other families as the engine in this process does."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace

import pytest

from model_runtime.engines.onnx.engine import OnnxEngine
from model_runtime.engines.protocol import SamplingParams
from model_runtime.importers.huggingface import convert_folder
from model_runtime.models.bundle import ModelBundle
from tests.remote.conftest import Served
from tests.support.transformers_models import CASES, CONTEXT, write_checkpoint
from tests.support.vllm_server import VllmServer

pytestmark = pytest.mark.remote

WIDE = {"hidden_size": 128, "num_attention_heads": 4, "num_key_value_heads": 2}
"""Heads of 32 values: vLLM knows no narrower ones on the processor."""


@pytest.mark.parametrize("family", ["llama", "qwen2, tied"])
def test_a_model_of_another_family_is_decoded_as_in_this_process(family, tmp_path):
    case = CASES[family]
    write_checkpoint(tmp_path / "hf", replace(case, settings={**case.settings, **WIDE}))
    described = {"tokenizer_class": "PreTrainedTokenizerFast"}
    (tmp_path / "hf" / "tokenizer_config.json").write_text(json.dumps(described))
    convert_folder(tmp_path / "hf", tmp_path / "bundle", name="small", quantization="float32")
    bundle = ModelBundle.open(tmp_path / "bundle")
    server = VllmServer(tmp_path / "hf", context=CONTEXT)
    prompts = [list(range(start, start + 100)) for start in (40, 200, 370)]
    sampling = SamplingParams(12, stop_ids=frozenset())
    server.start()
    try:
        server.wait_until_loaded()
        with (
            closing(OnnxEngine.open(bundle, threads=1, kind="float32")) as local,
            closing(Served("vllm", server).open(bundle)) as remote,
        ):
            for prompt in prompts:
                ours, theirs = (list(one.generate(prompt, sampling)) for one in (local, remote))
                assert [token.id for token in ours] == [token.id for token in theirs]
                assert [token.logprob for token in ours] == pytest.approx(
                    [token.logprob for token in theirs], abs=0.01
                )
    finally:
        server.stop()
