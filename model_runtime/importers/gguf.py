"""Turns a GGUF file into a bundle: its metadata in Hugging Face's terms, its weights as floats.

    general.architecture, ARCH.*   -> config.json
    tokenizer.ggml.*               -> tokenizer.json
    fim_lsp.prompt                 -> fim_config.json, where the file has it, else
    tokenizer.ggml.fim_*_token_id  -> the sentinels alone, without their order
    tensors                        -> one at a time, by the family's map (`gguf_weights`)

The rest of the way is that of a Hugging Face folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from model_runtime.errors import ConversionError, GgufError, shown
from model_runtime.files import cannot_write, working_folder
from model_runtime.importers.config import CONFIG
from model_runtime.importers.fim_config import END_STRING
from model_runtime.importers.gguf_file import GgufFile
from model_runtime.importers.gguf_kinds import other_kind
from model_runtime.importers.gguf_tokenizer import tokenizer_from_gguf
from model_runtime.importers.gguf_weights import ARCHITECTURES, GgufWeights
from model_runtime.importers.huggingface import ConversionReport, Examine, convert_folder
from model_runtime.model_files import UnusableFile, parse_json
from model_runtime.models.bundle import TOKENIZER
from model_runtime.progress import OnStep, announced, ignore_step, part
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
    "use_parallel_residual": "use_parallel_residual",
    "attention.scale": "attention_multiplier",
    "embedding_scale": "embedding_multiplier",
    "residual_scale": "residual_multiplier",
    "logit_scale": "logits_scaling",
}
"""Key of a GGUF file, less its architecture -> setting of config.json."""
_SENTINEL_KEYS = {
    "prefix": ("fim_pre", "prefix"),
    "suffix": ("fim_suf", "suffix"),
    "middle": ("fim_mid", "middle"),
    "end": ("eos",),
}
"""Role of a sentinel -> keys `tokenizer.ggml.KEY_token_id`, the one that counts first."""
_MODEL_TYPES = {"gptneox": "gpt_neox"}
"""Architecture -> `model_type` of config.json, where the two differ."""
_READ = 0.15
"""Share of the work after which the metadata, with the tokenizer, is read."""
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
    with ExitStack() as opened:
        with part(0, _READ), announced(progress, f"reading {source.name}"):
            file = opened.enter_context(GgufFile(source))
            folder = opened.enter_context(_described(file))
        written = str(file.metadata("general.license", "unknown"))
        opened.enter_context(part(_READ, 1))
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


@contextmanager
def _described(file: GgufFile) -> Iterator[Path]:
    """Yields a folder for the time of the block with all but the weights of a Hugging Face folder.

    Raises:
        GgufError: the file holds no model that can be read.
        ConversionError: the folder cannot be written.
    """
    files = {CONFIG: json.dumps(config_of(file))}
    try:
        files[TOKENIZER] = tokenizer_from_gguf(_tokenizer_keys(file)).to_str()
    except GgufError as error:
        raise GgufError(f"{file.path}: {error}") from error
    if stated := file.metadata("fim_lsp.prompt"):
        try:
            prompt = parse_json(stated)
        except UnusableFile as error:
            raise GgufError(f"{file.path}: fim_lsp.prompt: {error}; get another file") from error
        files["fim_config.json"] = json.dumps({"format_version": 1, "prompt": prompt})
    elif sentinels := _sentinels(file):
        files["fim_config.json"] = json.dumps({"format_version": 1, "tokens": sentinels})
    cache = user_cache_path("fim-lsp", appauthor=False)
    with ExitStack() as cleanup:
        try:
            folder = cleanup.enter_context(working_folder(cache, "gguf"))
            for name, text in files.items():
                (folder / name).write_text(text, encoding="utf-8")
        except OSError as error:
            raise ConversionError(cannot_write(cache, error)) from error
        yield folder


def config_of(file: GgufFile) -> dict[str, Any]:
    """Returns the config.json that describes the model of a GGUF file.

    Raises:
        GgufError: it holds no model of an architecture that can be read.
    """
    if problem := other_kind(file.metadata, ARCHITECTURES):
        raise GgufError(f"{file.path} {problem}")
    architecture = file.metadata("general.architecture")
    found = {
        setting: _as_written(value)
        for key, setting in _SETTINGS.items()
        if (value := file.metadata(f"{architecture}.{key}")) is not None
    }
    found |= _rotary_scaling(file, architecture)
    if architecture == "gptneox":
        found |= _neox_settings(file, found)
    if architecture == "gemma2":
        found["query_pre_attn_scalar"] = _gemma2_query_scalar(found)
    elif architecture == "granite":
        found["num_key_value_heads"] = _same_in_all_layers(file, found.get("num_key_value_heads"))
        _check_granite_positions(file)
    elif architecture == "stablelm":
        found |= _stablelm_settings(file, found)
    vocabulary = file.shapes.get("token_embd.weight", (0,))[0]
    is_tied = "output.weight" not in file.shapes
    return {
        "model_type": _MODEL_TYPES.get(architecture, architecture),
        "vocab_size": vocabulary,
        "tie_word_embeddings": is_tied,
        "use_bias": "blk.0.attn_q.bias" in file.shapes,
        "attention_bias": bool({"blk.0.attn_q.bias", "blk.0.attn_qkv.bias"} & file.shapes.keys()),
        "mlp_bias": "blk.0.ffn_up.bias" in file.shapes,
        **found,
    }


def _as_written(value: Any) -> Any:
    """Returns a value as somebody wrote it: numbers of 32 bits have seven digits.

    >>> _as_written(9.999999747378752e-06)
    1e-05
    """
    return float(f"{value:.7g}") if isinstance(value, float) else value


def _rotary_scaling(file: GgufFile, architecture: str) -> dict[str, Any]:
    """Returns the setting for scaled rotary positions; nothing where they are not scaled."""
    key = f"{architecture}.rope.scaling"
    kind = file.metadata(f"{key}.type", "none")
    factor = file.metadata(f"{key}.factor", 1.0)
    if kind == "none" or (kind == "linear" and factor == 1.0):
        return {}
    if kind == "linear":
        return {"rope_scaling": {"rope_type": "linear", "factor": factor}}
    raise GgufError(
        f"{file.path} scales its rotary positions ({shown(kind)}), which is not read from GGUF "
        "files; add the model from its Hugging Face folder"
    )


def _neox_settings(file: GgufFile, found: Mapping[str, Any]) -> dict[str, Any]:
    """Returns settings that config.json of a GPT-NeoX has under names of its own."""
    width = found.get("hidden_size", 0) // max(1, found.get("num_attention_heads", 1))
    rotated = file.metadata("gptneox.rope.dimension_count", width)
    return {
        "layer_norm_eps": found.get("norm_epsilon", 1e-5),
        "rotary_pct": rotated / max(1, width),
        "use_parallel_residual": file.metadata("gptneox.use_parallel_residual", True),
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


def _same_in_all_layers(file: GgufFile, value: Any) -> Any:
    """Returns a number that some files state for each layer."""
    if not isinstance(value, list):
        return value
    if len(set(value)) != 1:
        raise GgufError(
            f"{file.path} has layers of several kinds, which are not supported; serve it by "
            "llama-server instead"
        )
    return value[0]


def _check_granite_positions(file: GgufFile) -> None:
    if not file.metadata("granite.rope.scaling.finetuned", True):  # llama.cpp's way to say so
        raise GgufError(
            f"{file.path} has no rotary positions, which is not read from GGUF files; add the "
            "model from its Hugging Face folder"
        )


def _stablelm_settings(file: GgufFile, found: Mapping[str, Any]) -> dict[str, Any]:
    """Returns settings that config.json of a StableLM has under names of its own."""
    width = found.get("hidden_size", 0) // max(1, found.get("num_attention_heads", 1))
    rotated = file.metadata("stablelm.rope.dimension_count", width // 4)
    return {
        "layer_norm_eps": found.get("norm_epsilon", 1e-5),
        "use_qkv_bias": "blk.0.attn_q.bias" in file.shapes,
        "qk_layernorm": "blk.0.attn_q_norm.weight" in file.shapes,
        "partial_rotary_factor": rotated / max(1, width),
    }


def _tokenizer_keys(file: GgufFile) -> Mapping[str, Any]:
    return {key: file.metadata(key) for key in file.keys if key.startswith("tokenizer.ggml.")}


def _sentinels(file: GgufFile) -> dict[str, int]:
    """Returns the sentinels by role, as the file's keys state them; empty where one is missing.

    No key states the order in which a model reads them.  An instruction-tuned model's end of a text
    is that of a turn; what ends an answer is the end of a document, where the file has it.
    """
    found: dict[str, int] = {}
    texts = file.metadata("tokenizer.ggml.tokens", [])
    if isinstance(texts, list) and END_STRING in texts:
        found["end"] = texts.index(END_STRING)
    for role, names in _SENTINEL_KEYS.items():
        for name in names:
            id_ = file.metadata(f"tokenizer.ggml.{name}_token_id")
            if isinstance(id_, int):
                found.setdefault(role, id_)
    return found if {"end", "prefix", "suffix", "middle"} <= set(found) else {}
