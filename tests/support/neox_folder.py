"""A bundle of the GPT-NeoX family as the Hugging Face folder that it could have come from.

What runs a model from such a folder alone (vLLM) is compared with our engines this way: the weights
are the bundle's own, dequantized to float32, so that both decode the same ids.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from model_runtime.models.bundle import TOKENIZER, ModelBundle
from model_runtime.models.decoder import DecoderSpec
from model_runtime.models.families.neox import NEOX
from model_runtime.models.positions import Rope
from model_runtime.models.weights import Array, TensorLayout, write_weights


def write_neox_folder(bundle: ModelBundle, target: Path) -> Path:
    """Writes config.json, the weights and the tokenizer; returns the folder."""
    spec = bundle.manifest.decoder
    target.mkdir(parents=True, exist_ok=True)
    config = json.dumps(_config(bundle), indent=1)
    (target / "config.json").write_text(config, encoding="utf-8")
    shutil.copyfile(bundle.path / TOKENIZER, target / "tokenizer.json")
    end = bundle.tokenizer.token_of(bundle.manifest.prompt.end)
    described = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": end}
    (target / "tokenizer_config.json").write_text(json.dumps(described), encoding="utf-8")
    recipes = NEOX.tensors(spec)
    layout = {
        recipes[name].sources[0]: TensorLayout("F32", shape)
        for name, shape in spec.tensor_shapes().items()
    }
    write_weights(target / "model.safetensors", layout, _tensors(bundle, spec))
    return target


def _tensors(bundle: ModelBundle, spec: DecoderSpec) -> Iterator[tuple[str, Array]]:
    weights, recipes = bundle.weights(), NEOX.tensors(spec)
    for name in spec.tensor_shapes():
        recipe, values = recipes[name], np.asarray(weights[name], np.float32)
        if recipe.rows is not None:
            values = values[np.argsort(recipe.rows)]
        yield recipe.sources[0], values


def _config(bundle: ModelBundle) -> dict[str, object]:
    spec, end = bundle.manifest.decoder, bundle.manifest.prompt.end
    assert isinstance(spec.positions, Rope), "transformers has no GPT-NeoX but with rotation"
    share = spec.positions.dim / spec.head_dim
    return {
        "architectures": ["GPTNeoXForCausalLM"],
        "model_type": "gpt_neox",
        "vocab_size": spec.vocab,
        "hidden_size": spec.hidden,
        "num_hidden_layers": spec.layers,
        "num_attention_heads": spec.heads,
        "intermediate_size": spec.intermediate,
        "hidden_act": {"gelu": "gelu", "gelu_tanh": "gelu_new"}[spec.activation],
        "max_position_embeddings": bundle.manifest.context_length,
        "layer_norm_eps": spec.norm_epsilon,
        "bos_token_id": end,
        "eos_token_id": end,
        "use_parallel_residual": spec.residual == "parallel",
        "tie_word_embeddings": spec.tied,
        "attention_bias": True,
        # Both spellings: transformers of version 4 and of version 5.
        "rotary_pct": share,
        "rotary_emb_base": int(spec.positions.base),
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": spec.positions.base,
            "partial_rotary_factor": share,
        },
        "dtype": "float32",
        "torch_dtype": "float32",
    }
