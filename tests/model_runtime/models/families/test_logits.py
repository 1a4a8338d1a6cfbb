"""Random small models of each family give the logits that transformers computes from them."""

import json

import numpy as np
import pytest

from model_runtime.errors import ConversionError
from model_runtime.importers.huggingface import convert_folder
from model_runtime.models.bundle import ModelBundle
from model_runtime.models.families.registry import FAMILIES
from tests.support.oracle import Oracle
from tests.support.random_neox import fim_config, train_tokenizer
from tests.support.requirements import required_module

torch = required_module("torch")
transformers = required_module("transformers")

SMALL = {
    "vocab_size": 512,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": 0,
    "attn_implementation": "eager",
}
LENGTH = 150


def scaled(kind, **others):
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 10000.0, **others}}


CASES = {
    "neox": ("GPTNeoX", {"num_key_value_heads": None}),
    "neox, sequential": ("GPTNeoX", {"use_parallel_residual": False, "attention_bias": False}),
    "llama": ("Llama", {}),
    "llama, wide heads": ("Llama", {"head_dim": 32, "tie_word_embeddings": True}),
    "llama, biases": ("Llama", {"attention_bias": True, "mlp_bias": True}),
    "llama, linear scaling": ("Llama", scaled("linear", factor=4.0)),
    "llama, llama3 scaling": (
        "Llama",
        scaled(
            "llama3",
            factor=8.0,
            low_freq_factor=1.0,
            high_freq_factor=4.0,
            original_max_position_embeddings=64,
        ),
    ),
    "llama, yarn": ("Llama", scaled("yarn", factor=4.0, original_max_position_embeddings=64)),
    "mistral": ("Mistral", {"sliding_window": 40}),
    "mistral without a window": ("Mistral", {"sliding_window": None, "head_dim": 32}),
    "qwen2": ("Qwen2", {}),
    "qwen2, tied": ("Qwen2", {"tie_word_embeddings": True, "num_key_value_heads": 1}),
    "qwen2, windows above": (
        "Qwen2",
        {"use_sliding_window": True, "sliding_window": 40, "max_window_layers": 1},
    ),
    "qwen3": ("Qwen3", {"head_dim": 32}),
    "starcoder2": ("Starcoder2", {}),
    "starcoder2, a window": ("Starcoder2", {"sliding_window": 40, "use_bias": False}),
    "gemma": ("Gemma", {"head_dim": 32}),
    "gemma2": ("Gemma2", {"head_dim": 32, "sliding_window": 40, "query_pre_attn_scalar": 48}),
    "gemma2 without soft-caps": (
        "Gemma2",
        {"head_dim": 32, "attn_logit_softcapping": None, "final_logit_softcapping": None},
    ),
}


def save(folder, name, changes):
    """A folder as transformers writes it, of a model with random weights; the model."""
    settings = {key: value for key, value in (SMALL | changes).items() if value is not None}
    config = getattr(transformers, f"{name}Config")(
        **settings | {key: None for key, value in changes.items() if value is None}
    )
    torch.manual_seed(0)
    model = getattr(transformers, f"{name}ForCausalLM")(config).float().eval()
    with torch.no_grad():
        for key, values in model.named_parameters():
            spread = 0.2 if values.ndim == 1 or "embed" in key else 1.5 / values.shape[1] ** 0.5
            values.add_(torch.randn_like(values), alpha=spread)
    model.save_pretrained(folder)
    train_tokenizer(folder / "tokenizer.json", 400)
    (folder / "fim_config.json").write_text(json.dumps(fim_config(256)))
    return model


@pytest.mark.parametrize("case", CASES)
def test_a_model_has_the_logits_that_transformers_computes(tmp_path, case):
    model = save(tmp_path / "source", *CASES[case])
    ids = np.random.default_rng(1).integers(6, 400, LENGTH)
    with torch.no_grad():
        expected = model(torch.tensor(ids)[None]).logits[0].numpy()

    convert_folder(tmp_path / "source", tmp_path / "bundle", name="m", quantization="float32")
    found = Oracle(ModelBundle.open(tmp_path / "bundle")).logits(ids)

    assert expected.std() > 0.5  # something is to be compared
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def test_every_family_is_among_the_cases(tmp_path):
    types = {getattr(transformers, f"{name}Config").model_type for name, _ in CASES.values()}

    assert {family.model_types[0] for family in FAMILIES} == types


def edited(folder, **changes):
    path = folder / "config.json"
    raw = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in raw.items() if value is not ...}))


def test_a_window_as_long_as_the_context_is_left_out(tmp_path):
    """So that engines without windows can run the model."""
    save(tmp_path / "source", "Mistral", {"sliding_window": 256})
    convert_folder(tmp_path / "source", tmp_path / "whole", name="m")
    edited(tmp_path / "source", sliding_window=255)
    convert_folder(tmp_path / "source", tmp_path / "part", name="m")
    convert_folder(tmp_path / "source", tmp_path / "short", name="m", context_length=200)

    assert () == ModelBundle.open(tmp_path / "whole").manifest.decoder.windows
    assert (255,) * 3 == ModelBundle.open(tmp_path / "part").manifest.decoder.windows
    assert () == ModelBundle.open(tmp_path / "short").manifest.decoder.windows


def test_a_mistral_that_does_not_say_its_window_has_that_of_transformers(tmp_path):
    save(tmp_path / "source", "Mistral", {"sliding_window": None, "max_position_embeddings": 8192})
    for change, windows in ((..., (4096,) * 3), (None, ())):
        edited(tmp_path / "source", sliding_window=change)
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
    save(tmp_path / "source", name, {})
    edited(tmp_path / "source", **changes)

    with pytest.raises(ConversionError, match=told):
        convert_folder(tmp_path / "source", tmp_path / "bundle", name="m")
