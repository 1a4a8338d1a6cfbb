"""Small models of the classes in transformers, with random weights, in folders as it writes them.

Each case names a class and settings.  `PUBLISHED` has the settings of models that people use, with
fewer and narrower layers: as in their config.json, the old spelling of rotary settings included.
"""

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
}
CONTEXT = 256


@dataclass(frozen=True)
class Case:
    """A model to make."""

    name: str
    """Name of its class, without the ending."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Changes of `SMALL`; None states null."""
    refused: dict[str, str] = field(default_factory=dict)
    """Engine that does not compute it -> a part of the sentence in which it says so."""
    raw: dict[str, Any] = field(default_factory=dict)
    """Entries of config.json as its publisher writes them, over those that transformers writes;
    `...` takes one out."""


def scaled(kind: str, **others: Any) -> dict[str, Any]:
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 10000.0, **others}}


def old_rope(theta: float, scaling: dict[str, Any] | None = None, **others: Any) -> dict[str, Any]:
    """Rotary settings as version 4 of transformers wrote them."""
    return {"rope_parameters": ..., "rope_theta": theta, "rope_scaling": scaling, **others}


NO_WINDOWS = {"ctranslate2": "sliding windows"}
NO_SCALING = {"ctranslate2": "rotary scaling other than linear"}
LLAMA3 = {
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
GRANITE = {
    "embedding_multiplier": 12.0,
    "attention_multiplier": 0.0625,
    "residual_multiplier": 0.22,
    "logits_scaling": 2.0,
}
ALL_ATTENTION = {
    "num_local_experts": 0,
    "shared_intermediate_size": 80,
    "layer_types": ["full_attention"] * 3,
    "mamba_n_heads": 8,
}

CASES = {
    "neox": Case("GPTNeoX", {"num_key_value_heads": None}),
    "neox, sequential": Case("GPTNeoX", {"use_parallel_residual": False, "attention_bias": False}),
    "neox, tied, whole heads rotated": Case(
        "GPTNeoX",
        {
            "tie_word_embeddings": True,
            "hidden_act": "gelu_new",
            **scaled("default", partial_rotary_factor=1.0),
        },
    ),
    "llama": Case("Llama"),
    "llama, one head of keys": Case("Llama", {"num_key_value_heads": 1}),
    "llama, ungrouped, gelu": Case("Llama", {"num_key_value_heads": 4, "hidden_act": "gelu"}),
    "llama, wide heads, tied": Case("Llama", {"head_dim": 32, "tie_word_embeddings": True}),
    "llama, biases": Case("Llama", {"attention_bias": True, "mlp_bias": True}),
    "llama, linear scaling": Case("Llama", scaled("linear", factor=4.0)),
    "llama, llama3 scaling": Case("Llama", scaled("llama3", **LLAMA3), NO_SCALING),
    "llama, yarn": Case(
        "Llama", scaled("yarn", factor=4.0, original_max_position_embeddings=64), NO_SCALING
    ),
    "mistral": Case("Mistral", {"sliding_window": 40}, NO_WINDOWS),
    "mistral without a window": Case("Mistral", {"sliding_window": None, "head_dim": 32}),
    "qwen2": Case("Qwen2"),
    "qwen2, tied": Case("Qwen2", {"tie_word_embeddings": True, "num_key_value_heads": 1}),
    "qwen2, windows above": Case(
        "Qwen2",
        {"use_sliding_window": True, "sliding_window": 40, "max_window_layers": 1},
        NO_WINDOWS,
    ),
    "qwen3": Case("Qwen3", {"head_dim": 32}),
    "starcoder2": Case("Starcoder2"),
    "starcoder2, untied": Case("Starcoder2", {"tie_word_embeddings": False}),
    "starcoder2, a window": Case(
        "Starcoder2", {"sliding_window": 40, "use_bias": False}, NO_WINDOWS
    ),
    "stablelm": Case("StableLm"),
    "stablelm, parallel, biases of qkv": Case(
        "StableLm",
        {"use_parallel_residual": True, "use_qkv_bias": True, "tie_word_embeddings": True},
    ),
    "granite": Case("Granite", GRANITE),
    "granite, tied, biases": Case(
        "Granite",
        {**GRANITE, "tie_word_embeddings": True, "attention_bias": True, "mlp_bias": True},
    ),
    "granite 4": Case(
        "GraniteMoeHybrid", {**GRANITE, **ALL_ATTENTION, "position_embedding_type": "rope"}
    ),
    "granite 4 without positions": Case(
        "GraniteMoeHybrid",
        {**GRANITE, **ALL_ATTENTION, "tie_word_embeddings": True},
        {"ctranslate2": "decoders without positions"},
    ),
    "gemma": Case("Gemma", {"head_dim": 32}),
    "gemma, untied": Case("Gemma", {"head_dim": 32, "tie_word_embeddings": False}),
    "gemma2": Case(
        "Gemma2",
        {"head_dim": 32, "sliding_window": 40, "query_pre_attn_scalar": 48},
        {"ctranslate2": "sliding windows and a soft-cap of attention scores"},
    ),
    "gemma2 without soft-caps": Case(
        "Gemma2",
        {
            "head_dim": 32,
            "attn_logit_softcapping": None,
            "final_logit_softcapping": None,
            "layer_types": ["full_attention"] * 3,
        },
    ),
    "gemma2, a soft-cap of logits": Case(
        "Gemma2",
        {
            "head_dim": 32,
            "attn_logit_softcapping": None,
            "final_logit_softcapping": 5.0,
            "layer_types": ["full_attention"] * 3,
        },
    ),
}
"""Models that differ in one or two things that families do in their own way."""

PUBLISHED = {
    "SmolLM2-135M": Case(
        "Llama",
        {
            "num_attention_heads": 9,
            "num_key_value_heads": 3,
            "hidden_size": 72,
            "tie_word_embeddings": True,
        },
        raw={
            **old_rope(100000, rope_interleaved=False, is_llama_config=True),
            "attention_bias": False,
            "mlp_bias": False,
            "pretraining_tp": 1,
            "rms_norm_eps": 1e-05,
        },
    ),
    "Seed-Coder-8B": Case(
        "Llama",
        {"num_attention_heads": 8, "num_key_value_heads": 2},
        raw={
            **old_rope(500000.0),
            "head_dim": 8,
            "attention_bias": False,
            "mlp_bias": False,
            "tie_word_embeddings": False,
            "rms_norm_eps": 1e-06,
        },
    ),
    "Mellum-4b": Case(
        "Llama",
        {"num_key_value_heads": 4},
        raw={
            **old_rope(500000, pretraining_tp=1),
            "head_dim": 16,
            "attention_bias": False,
            "mlp_bias": False,
            "rms_norm_eps": 1e-05,
        },
    ),
    "DeepSeek-Coder-1.3B": Case(
        "Llama",
        {"num_key_value_heads": 4},
        raw={
            **old_rope(100000, {"factor": 4.0, "type": "linear"}, pretraining_tp=1),
            "rms_norm_eps": 1e-06,
        },
    ),
    "CodeLlama-7B": Case(
        "Llama",
        {"num_key_value_heads": 4, "vocab_size": 32016, "pad_token_id": None},
        raw={**old_rope(1000000, pretraining_tp=1), "rms_norm_eps": 1e-05},
    ),
    "Granite-Code-3B": Case(
        "Llama",
        {
            "num_key_value_heads": 4,
            "attention_bias": True,
            "mlp_bias": True,
            "tie_word_embeddings": True,
        },
        raw={**old_rope(10000000), "rms_norm_eps": 1e-05},
    ),
    "Granite-Code-8B": Case(
        "Llama",
        {"num_key_value_heads": 1, "attention_bias": True, "mlp_bias": True},
        raw={**old_rope(10000000), "rms_norm_eps": 1e-05},
    ),
    "Codestral-22B": Case(
        "Mistral",
        {"num_attention_heads": 6, "num_key_value_heads": 1, "head_dim": 16},
        raw={**old_rope(1000000.0), "sliding_window": None, "rms_norm_eps": 1e-05},
    ),
    "Qwen2.5-Coder-0.5B": Case(
        "Qwen2",
        {
            "num_attention_heads": 14,
            "num_key_value_heads": 2,
            "hidden_size": 112,
            "tie_word_embeddings": True,
        },
        raw={
            **old_rope(1000000.0),
            "use_sliding_window": False,
            "sliding_window": 32768,
            "max_window_layers": 24,
            "layer_types": ...,
        },
    ),
    "Qwen2.5-Coder-7B, long contexts": Case(
        "Qwen2",
        {"num_attention_heads": 7, "num_key_value_heads": 1, "hidden_size": 112},
        NO_SCALING,
        raw={
            **old_rope(
                1000000.0,
                {"factor": 4.0, "original_max_position_embeddings": 64, "type": "yarn"},
            ),
            "use_sliding_window": False,
            "sliding_window": 131072,
            "max_window_layers": 28,
            "layer_types": ...,
        },
    ),
    "CodeQwen1.5-7B": Case(
        "Qwen2",
        {"num_attention_heads": 8, "num_key_value_heads": 1, "rms_norm_eps": 1e-05},
        raw={
            **old_rope(1000000),
            "use_sliding_window": False,
            "sliding_window": 65536,
            "max_window_layers": 28,
            "layer_types": ...,
        },
    ),
    "StarCoder2-3B": Case(
        "Starcoder2",
        {"num_attention_heads": 12, "num_key_value_heads": 1, "hidden_size": 96},
        NO_WINDOWS,
        raw={
            **old_rope(999999.4420358813),
            "sliding_window": 64,
            "norm_type": "layer_norm",
            "mlp_type": "default",
            "use_bias": True,
            "attention_softmax_in_fp32": True,
            "layer_types": ...,
            "tie_word_embeddings": ...,
        },
    ),
    "CodeGemma-2B": Case(
        "Gemma",
        {"num_key_value_heads": 1, "head_dim": 32},
        raw={**old_rope(10000.0), "hidden_act": "gelu", "hidden_activation": None},
    ),
    "Stable-Code-3B": Case(
        "StableLm",
        {"num_key_value_heads": 4},
        raw={
            **old_rope(1000000, partial_rotary_factor=0.25),
            "use_qkv_bias": False,
            "qk_layernorm": False,
            "use_parallel_residual": False,
            "layer_norm_eps": 1e-05,
        },
    ),
    "Granite-3.1-2B": Case(
        "Granite",
        {
            **GRANITE,
            "attention_multiplier": 0.015625,
            "logits_scaling": 8.0,
            "num_attention_heads": 8,
            "tie_word_embeddings": True,
        },
        raw={**old_rope(5000000.0), "rms_norm_eps": 1e-05},
    ),
    "Granite-4.0-350M": Case(
        "GraniteMoeHybrid",
        {
            **GRANITE,
            **ALL_ATTENTION,
            "attention_multiplier": 0.015625,
            "residual_multiplier": 0.263,
            "logits_scaling": 4,
            "embedding_multiplier": 12,
            "num_key_value_heads": 1,
            "tie_word_embeddings": True,
            "position_embedding_type": "rope",
        },
        raw={
            **old_rope(10000000),
            "layer_types": ["attention"] * 3,
            "normalization_function": "rmsnorm",
            "rms_norm_eps": 1e-05,
        },
    ),
}
"""Models by name, with their settings but for sizes; their checkpoints state `raw` as it is here."""


def write_checkpoint(folder: Path, case: Case) -> Any:
    """Writes a folder as transformers does, with a tokenizer; returns the model.

    A published spelling is read back by transformers itself, which so says what it means.
    """
    torch.manual_seed(0)
    settings = {key: value for key, value in (SMALL | case.settings).items() if value is not None}
    absent = {key: None for key, value in case.settings.items() if value is None}
    kind = getattr(transformers, f"{case.name}ForCausalLM")
    config = getattr(transformers, f"{case.name}Config")(**settings | absent)
    config._attn_implementation = "eager"
    model = kind(config).float().eval()
    with torch.no_grad():
        for key, values in model.named_parameters():
            spread = 0.2 if values.ndim == 1 or "embed" in key else 1.5 / values.shape[1] ** 0.5
            values.add_(torch.randn_like(values), alpha=spread)
    model.save_pretrained(folder)
    (folder / "tokenizer.json").write_bytes(_tokenizer())
    (folder / "fim_config.json").write_text(json.dumps(fim_config(CONTEXT)))
    if not case.raw:
        return model
    edit_config(folder, **case.raw)
    return kind.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()


@cache
def _tokenizer() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "tokenizer.json"
        train_tokenizer(path, 400)
        return path.read_bytes()


def edit_config(folder: Path, **changes: Any) -> None:
    """Changes entries of a folder's config.json; `...` takes one out."""
    path = folder / "config.json"
    raw = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in raw.items() if value is not ...}))


def logits(model: Any, ids: Any) -> NDArray[np.float32]:
    """Returns what the model computes of a text in one pass, [ids, vocabulary]."""
    with torch.no_grad():
        found: NDArray[np.float32] = model(torch.tensor(np.asarray(ids))[None]).logits[0].numpy()
    return found
