"""Settings in config.json that decide what a model computes, and those that are refused."""

import pytest

from model_runtime.errors import ConversionError
from model_runtime.importers.huggingface import convert_folder
from model_runtime.models.bundle import ModelBundle
from tests.support.requirements import required_module

required_module("torch")
required_module("transformers")

from tests.support.transformers_models import (  # noqa: E402 (it needs both)
    Case,
    edit_config,
    write_checkpoint,
)


def test_a_window_as_long_as_the_context_is_left_out(tmp_path):
    """So that engines without windows can run the model."""
    write_checkpoint(tmp_path / "source", Case("Mistral", {"sliding_window": 256}))
    convert_folder(tmp_path / "source", tmp_path / "whole", name="m")
    edit_config(tmp_path / "source", sliding_window=255)
    convert_folder(tmp_path / "source", tmp_path / "part", name="m")
    convert_folder(tmp_path / "source", tmp_path / "short", name="m", context_length=200)

    assert () == ModelBundle.open(tmp_path / "whole").manifest.decoder.windows
    assert (255,) * 3 == ModelBundle.open(tmp_path / "part").manifest.decoder.windows
    assert () == ModelBundle.open(tmp_path / "short").manifest.decoder.windows


def test_a_mistral_that_does_not_say_its_window_has_that_of_transformers(tmp_path):
    write_checkpoint(
        tmp_path / "source",
        Case("Mistral", {"sliding_window": None, "max_position_embeddings": 8192}),
    )
    for change, windows in ((..., (4096,) * 3), (None, ())):
        edit_config(tmp_path / "source", sliding_window=change)
        target = tmp_path / f"bundle {len(windows)}"
        convert_folder(tmp_path / "source", target, name="m", context_length=8192)

        assert windows == ModelBundle.open(target).manifest.decoder.windows


@pytest.mark.parametrize(
    ("name", "changes", "told"),
    [
        ("Llama", {"hidden_act": "mish"}, "activation 'mish' is not supported"),
        ("Llama", {"num_key_value_heads": 3}, "heads 4 is no multiple of kv_heads 3"),
        ("Llama", {"head_dim": 24}, "has the shape"),
        ("Llama", {"attention_bias": True}, "lacks tensors"),
        ("Llama", {"rope_parameters": {"rope_type": "dynamic"}}, "only default, linear, llama3, yarn"),
        ("Qwen2", {"layer_types": ["linear_attention"] * 3, "use_sliding_window": True, "sliding_window": 9}, "'linear_attention' is not supported"),
        ("Starcoder2", {"use_bias": False}, "has tensors that no starcoder2 model"),
        ("Gemma2", {"layer_types": ["sliding_attention"]}, "windows has 1 entries for 3 layers"),
        ("Gemma2", {"attn_logit_softcapping": "x"}, "impossible value"),
        ("Llama", {"num_hidden_layers": 10**9}, "layers must be at least 1"),
        ("Llama", {"hidden_size": 10**400}, "hidden must be at least 1"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_run_are_refused(tmp_path, name, changes, told):
    write_checkpoint(tmp_path / "source", Case(name))
    edit_config(tmp_path / "source", **changes)

    with pytest.raises(ConversionError, match=told):
        convert_folder(tmp_path / "source", tmp_path / "bundle", name="m")
