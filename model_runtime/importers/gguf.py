"""Turns a GGUF file into a bundle: its metadata in Hugging Face's terms, its weights as floats.

    general.architecture, ARCH.*   -> config.json
    tokenizer.ggml.*               -> tokenizer.json
    fim_lsp.prompt                 -> fim_config.json, where the file has it
    tensors                        -> one at a time, by the family's map (`gguf_weights`)

The rest of the way is that of a Hugging Face folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from model_runtime.errors import GgufError, shown
from model_runtime.files import working_folder
from model_runtime.importers.config import CONFIG
from model_runtime.importers.gguf_file import GgufFile
from model_runtime.importers.gguf_tokenizer import tokenizer_from_gguf
from model_runtime.importers.gguf_weights import ARCHITECTURES, GgufWeights
from model_runtime.importers.huggingface import ConversionReport, Examine, convert_folder
from model_runtime.models.bundle import TOKENIZER
from model_runtime.progress import OnStep, ignore_step
from model_runtime.prompt.orders import Order

_SETTINGS = {
    "block_count": "num_hidden_layers",
    "embedding_length": "hidden_size",
    "feed_forward_length": "intermediate_size",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "attention.key_length": "head_dim",
    "attention.layer_norm_rms_epsilon": "rms_norm_eps",
    "attention.layer_norm_epsilon": "norm_epsilon",
    "attention.sliding_window": "sliding_window",
    "attn_logit_softcapping": "attn_logit_softcapping",
    "final_logit_softcapping": "final_logit_softcapping",
    "context_length": "max_position_embeddings",
    "rope.freq_base": "rope_theta",
}
"""Key of a GGUF file, less its architecture -> setting of config.json."""
_LICENSES = {"apache-2.0": "Apache-2.0", "mit": "MIT"}
"""Names of licenses as GGUF files write them -> as SPDX does."""


def convert_gguf(
    source: Path,
    target: Path,
    *,
    name: str,
    quantization: str = "int8",
    order: Order | str | None = None,
    prompt_format: str | None = None,
    progress: OnStep = ignore_step,
    examine: Examine | None = None,
) -> ConversionReport:
    """Writes the bundle of the model in a .gguf file to `target`, whole or not at all.

    Args:
        source: the file.
        target: the folder to make.
        name: the model's name.
        quantization: "int8", "float16" or "float32", of the bundle's matrices.
        order: of the parts of a prompt, where the file does not state it.
        prompt_format: name of a published format, in place of `order`.
        progress: called with a sentence at each step.
        examine: called with the finished bundle, as by `convert_folder`.

    Raises:
        GgufError: the file cannot be read, or holds a model of another kind.
        ConversionError: nothing says how to prompt the model, or the bundle cannot be written.
    """
    progress(f"reading {source}")
    cache = user_cache_path("fim-lsp", appauthor=False)
    with GgufFile(source) as file, working_folder(cache, "gguf") as folder:
        _write(folder / CONFIG, config_of(file))
        tokenizer_from_gguf(_tokenizer_keys(file)).save(str(folder / TOKENIZER), pretty=False)
        if stated := file.metadata("fim_lsp.prompt"):
            _write(folder / "fim_config.json", {"format_version": 1, "prompt": json.loads(stated)})
        written = str(file.metadata("general.license", "unknown"))
        return convert_folder(
            folder,
            target,
            name=name,
            quantization=quantization,
            order=order,
            prompt_format=prompt_format,
            license=_LICENSES.get(written.lower(), written),
            progress=progress,
            open_weights=lambda spec, family: GgufWeights(file, spec, family),
            examine=examine,
        )


def config_of(file: GgufFile) -> dict[str, Any]:
    """Returns the config.json that describes the model of a GGUF file.

    Raises:
        GgufError: it holds no model of an architecture that can be read.
    """
    architecture = file.metadata("general.architecture")
    if architecture not in ARCHITECTURES:
        raise GgufError(
            f"{file.path} holds the architecture {shown(architecture)}, and those that can be "
            f"read are {', '.join(ARCHITECTURES)}; serve it by llama-server instead"
        )
    scaling = file.metadata(f"{architecture}.rope.scaling.type", "none")
    if scaling != "none":
        raise GgufError(
            f"{file.path} scales its rotary positions ({shown(scaling)}), which is not read from "
            "GGUF files; add the model from its Hugging Face folder"
        )
    found = {
        setting: value
        for key, setting in _SETTINGS.items()
        if (value := file.metadata(f"{architecture}.{key}")) is not None
    }
    if architecture == "gemma2":
        found["query_pre_attn_scalar"] = _gemma2_query_scalar(found)
    vocabulary = file.shapes.get("token_embd.weight", (0,))[0]
    is_tied = "output.weight" not in file.shapes
    return {
        "model_type": architecture,
        "vocab_size": vocabulary,
        "tie_word_embeddings": is_tied,
        "use_bias": "blk.0.attn_q.bias" in file.shapes,
        **found,
    }


def _gemma2_query_scalar(settings: Mapping[str, Any]) -> float:
    """Returns the setting that scales Gemma 2's attention, which GGUF files do not hold.

    llama.cpp takes the width of a head, but for the model of 27 B, which it knows by its 46 layers,
    the hidden width for each head.
    """
    hidden, heads = settings.get("hidden_size", 0), settings.get("num_attention_heads", 0)
    if settings.get("num_hidden_layers") == 46 and heads:
        return float(hidden / heads)
    return float(settings.get("head_dim", 256))


def _tokenizer_keys(file: GgufFile) -> Mapping[str, Any]:
    return {key: file.metadata(key) for key in file.keys if key.startswith("tokenizer.ggml.")}


def _write(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")
