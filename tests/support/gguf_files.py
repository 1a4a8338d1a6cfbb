"""Writes small GGUF files as llama.cpp's converter would, of models of the class in transformers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from gguf import (
    MODEL_ARCH,
    MODEL_ARCH_NAMES,
    GGMLQuantizationType,
    GGUFWriter,
    get_tensor_name_map,
    quantize,
)

from model_runtime.exporters.gguf_vocabulary import gguf_vocabulary

KEYS = {
    "num_hidden_layers": "block_count",
    "hidden_size": "embedding_length",
    "intermediate_size": "feed_forward_length",
    "num_attention_heads": "attention.head_count",
    "num_key_value_heads": "attention.head_count_kv",
    "max_position_embeddings": "context_length",
}
OPTIONAL_KEYS = {
    "rms_norm_eps": "attention.layer_norm_rms_epsilon",
    "norm_epsilon": "attention.layer_norm_epsilon",
    "layer_norm_eps": "attention.layer_norm_epsilon",
    "use_parallel_residual": "use_parallel_residual",
    "attention_multiplier": "attention.scale",
    "embedding_multiplier": "embedding_scale",
    "residual_multiplier": "residual_scale",
    "logits_scaling": "logit_scale",
    "sliding_window": "attention.sliding_window",
    "attn_logit_softcapping": "attn_logit_softcapping",
    "final_logit_softcapping": "final_logit_softcapping",
}


def write_gguf(
    path: Path,
    model: Any,
    tokenizer: Path,
    *,
    type_: str = "F32",
    types: Mapping[str, str] | None = None,
    **changes: Any,
) -> Path:
    """Writes a model and its tokenizer.

    Args:
        path: of the new file.
        model: of transformers.
        tokenizer: path of its tokenizer.json, a byte-level one.
        type_: of the matrices.
        types: of single matrices, by the checkpoint's names.
        changes: values of further keys, with a double underscore for each dot; None leaves a key
            out.
    """
    config = model.config.to_dict()
    architecture = config["model_type"]
    heads = {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]}
    number = next(key for key, name in MODEL_ARCH_NAMES.items() if name == architecture)
    names = get_tensor_name_map(MODEL_ARCH(number), config["num_hidden_layers"])
    values = {f"{architecture}.{ours}": config[theirs] for theirs, ours in KEYS.items()}
    values |= vocabulary_keys(tokenizer, config["vocab_size"])
    values |= {
        f"{architecture}.attention.key_length": model.model.layers[0].self_attn.head_dim,
        f"{architecture}.rope.freq_base": 10000.0,
    }
    if architecture == "stablelm":
        values["stablelm.rope.dimension_count"] = model.model.layers[0].self_attn.rotary_ndims
    for setting, key in OPTIONAL_KEYS.items():
        if config.get(setting) is not None:
            values[f"{architecture}.{key}"] = config[setting]
    values |= {key.replace("__", "."): value for key, value in changes.items()}
    writer = GGUFWriter(path, str(values.pop("general.architecture", architecture)))
    for key, value in values.items():
        add_value(writer, key, value)
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight" and config.get("tie_word_embeddings"):
            continue
        array = tensor.numpy()
        part = name.split(".")[-2]
        if architecture in ("llama", "granite") and part in heads:
            pairs = array.reshape(heads[part], 2, -1, *array.shape[1:])
            array = np.ascontiguousarray(pairs.swapaxes(1, 2).reshape(array.shape))
        if architecture.startswith("gemma") and name.endswith("norm.weight"):
            array = array + np.float32(1)
        usual = type_ if array.ndim > 1 else "F32"
        kind = GGMLQuantizationType[(types or {}).get(name, usual)]
        stored = names.get_name(name, try_suffixes=(".weight", ".bias"))
        writer.add_tensor(stored, quantize(array, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def vocabulary_keys(tokenizer: Path, size: int) -> Mapping[str, Any]:
    """Returns the keys `tokenizer.ggml.*` of a tokenizer.json."""
    vocabulary = gguf_vocabulary(tokenizer, size)
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": vocabulary.pre_tokenizer,
        "tokenizer.ggml.tokens": vocabulary.tokens,
        "tokenizer.ggml.token_type": [int(kind) for kind in vocabulary.types],
        "tokenizer.ggml.merges": vocabulary.merges,
    }


def add_value(writer: GGUFWriter, key: str, value: Any) -> None:
    """Adds a value of any type that metadata may have."""
    if isinstance(value, list):
        writer.add_array(key, value)
    elif isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    elif value is not None:
        writer.add_string(key, value)
