"""Models that no engine here runs are refused by name, with what to do."""

import json

import pytest

from model_runtime.errors import ConversionError
from model_runtime.importers.config import read_config

SIZES = {
    "vocab_size": 512,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 256,
}
OTHER_CLASSES = {
    "Qwen3-Coder-30B-A3B": (
        "Qwen3MoeForCausalLM",
        {"model_type": "qwen3_moe", "num_experts": 128, "moe_intermediate_size": 768},
        "experts",
    ),
    "Qwen3-Coder-Next": (
        "Qwen3NextForCausalLM",
        {"model_type": "qwen3_next", "num_experts": 512, "linear_conv_kernel_dim": 4},
        "layers with a recurrent state and experts",
    ),
    "DeepSeek-Coder-V2-Lite": (
        "DeepseekV2ForCausalLM",
        {
            "model_type": "deepseek_v2",
            "n_routed_experts": 64,
            "kv_lora_rank": 512,
            "auto_map": {"AutoConfig": "configuration_deepseek.DeepseekV2Config"},
        },
        "experts and latent attention and code of its own, which is never run",
    ),
    "Mixtral-8x7B": (
        "MixtralForCausalLM",
        {"model_type": "mixtral", "num_local_experts": 8},
        "experts",
    ),
    "Mamba-Codestral-7B": (
        "Mamba2ForCausalLM",
        {"model_type": "mamba2", "state_size": 128, "conv_kernel": 4},
        "layers with a recurrent state",
    ),
    "Falcon-H1-Tiny-Coder-90M": (
        "FalconH1ForCausalLM",
        {"model_type": "falcon_h1", "mamba_d_state": 64},
        "layers with a recurrent state",
    ),
    "GLM-4.5": (
        "Glm4MoeForCausalLM",
        {"model_type": "glm4_moe", "n_routed_experts": 128},
        "experts",
    ),
    "StarCoderBase-1B": (
        "GPTBigCodeForCausalLM",
        {"model_type": "gpt_bigcode", "n_positions": 8192, "multi_query": True},
        "learned positions",
    ),
    "GPT-2": ("GPT2LMHeadModel", {"model_type": "gpt2", "n_positions": 1024}, "learned positions"),
    "CodeT5-base": (
        "T5ForConditionalGeneration",
        {"model_type": "t5", "is_encoder_decoder": True},
        "an encoder beside the decoder",
    ),
    "Gemma-3-4B": (
        "Gemma3ForConditionalGeneration",
        {"model_type": "gemma3", "vision_config": {"hidden_size": 1152}},
        "a part that reads images or sound",
    ),
    "Refact-1.6B": (
        "GPTRefactForCausalLM",
        {"model_type": "gpt_refact", "n_positions": 4096, "auto_map": {"AutoConfig": "x.Y"}},
        "learned positions and code of its own",
    ),
}
"""Name -> class, the head of its config.json, and what it has."""
PLAIN = {
    "Phi-3-mini": ("Phi3ForCausalLM", "phi3"),
    "Command R": ("CohereForCausalLM", "cohere"),
    "Falcon-7B": ("FalconForCausalLM", "falcon"),
}
"""Models of which nothing is missing but a family: name -> class and type."""
OTHER_SETTINGS = {
    "StableLM 2 12B": ("stablelm", {"qk_layernorm": True}, "qk_layernorm"),
    "Granite 4.0 H-350M": ("granitemoehybrid", {"num_local_experts": 0, "layer_types": ["mamba", "attention"]}, "layers of the type 'mamba'"),
    "Granite 4.0 H-Tiny": ("granitemoehybrid", {"num_local_experts": 64, "layer_types": ["attention"] * 2}, "experts are not supported"),
    "a Granite that says nothing of its layers": ("granitemoehybrid", {}, "layers of the type 'mamba'"),
    "a Llama whose frequencies depend on the length": ("llama", {"rope_scaling": {"type": "dynamic", "factor": 2.0}}, "rotary scaling 'dynamic' is not supported"),
    "a Llama of long contexts": ("llama", {"rope_scaling": {"type": "longrope", "short_factor": [1.0]}}, "rotary scaling 'longrope' is not supported"),
    "a YaRN with scales of its own": ("qwen2", {"rope_scaling": {"type": "yarn", "factor": 2.0, "mscale": 0.7}}, "this form of rotary scaling yarn"),
    "a Granite without logits": ("granite", {"logits_scaling": 0}, "logits_scaling is 0"),
}  # fmt: skip
"""Models of known types with settings that no engine computes."""


def refusal(folder, **settings):
    (folder / "config.json").write_text(json.dumps(SIZES | settings))
    with pytest.raises(ConversionError) as caught:
        read_config(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", OTHER_CLASSES)
def test_another_class_is_refused_by_name_with_what_it_has_and_what_to_do(tmp_path, name):
    kind, settings, part = OTHER_CLASSES[name]

    told = refusal(tmp_path, architectures=[kind], **settings)

    assert f"'{settings['model_type']}' ('{kind}'), which has {part}" in told
    assert "serve this model by llama-server or vLLM" in told


@pytest.mark.parametrize("name", PLAIN)
def test_a_class_that_could_be_added_is_refused_without_a_reason(tmp_path, name):
    kind, model_type = PLAIN[name]

    told = refusal(tmp_path, architectures=[kind], model_type=model_type)

    assert f"'{model_type}' ('{kind}'); serve this model by llama-server or vLLM" in told


@pytest.mark.parametrize("name", OTHER_SETTINGS)
def test_settings_that_no_engine_computes_are_refused(tmp_path, name):
    model_type, settings, part = OTHER_SETTINGS[name]

    told = refusal(tmp_path, model_type=model_type, **settings)

    assert part in told
    assert told.endswith(("by llama-server or vLLM", "; correct it"))


def test_a_config_that_names_nothing_is_refused(tmp_path):
    assert "model_type is None ('no class'); serve" in refusal(tmp_path)
