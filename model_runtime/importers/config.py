"""config.json of a Hugging Face folder: which family it is of, and its decoder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_runtime import model_files
from model_runtime.errors import ConversionError, shown
from model_runtime.model_files import source_file
from model_runtime.models.decoder import DecoderSpec
from model_runtime.models.families import registry
from model_runtime.models.families.family import Family
from model_runtime.models.families.settings import Settings
from model_runtime.models.families.unsupported import why_unsupported
from model_runtime.models.limits import MAX_CONTEXT

CONFIG = "config.json"


@dataclass(frozen=True, slots=True)
class Config:
    """The network that a config.json describes."""

    family: Family
    decoder: DecoderSpec
    max_positions: int
    """Tokens of the longest context that the model was made for."""


def read_config(folder: Path) -> Config:
    """Reads `config.json` of a Hugging Face folder.

    Raises:
        ConversionError: missing or unreadable, of a family that is not known, or with settings that
            no engine here implements.
    """
    if problem := no_plain_model(folder):
        raise ConversionError(f"{folder} {problem}")
    settings = Settings(read_json(folder, CONFIG), folder / CONFIG)
    path, model_type = settings.path, settings.get("model_type")
    if quantized := settings.get("quantization_config"):
        raise ConversionError(f"{folder} {quantized_by(quantized)}")
    family = registry.by_model_type(model_type) if isinstance(model_type, str) else None
    if family is None:
        raise ConversionError(f"{path}: {why_unsupported(settings)}")
    try:
        decoder = family.spec(settings)
        max_positions = settings.integer("max_position_embeddings", family.max_positions)
    except KeyError as error:
        raise ConversionError(f"{path}: the setting {error} is missing") from error
    except (TypeError, ValueError, OverflowError) as error:
        raise ConversionError(
            f"{path}: a setting has an impossible value ({error}); correct it"
        ) from error
    if problems := decoder.problems():
        raise ConversionError(f"{path}: {'; '.join(problems)}")
    if not 1 <= max_positions <= MAX_CONTEXT:
        raise ConversionError(
            f"{path}: max_position_embeddings must be at least 1 and at most {MAX_CONTEXT}, not "
            f"{shown(max_positions)}"
        )
    return Config(family, decoder, max_positions)


def no_plain_model(folder: Path) -> str:
    """Returns what a folder holds by its files, as the end of a sentence; "" for a model."""
    if source_file(folder, "adapter_config.json") and not source_file(folder, CONFIG):
        return (
            "holds a LoRA adapter, which changes another model and is none itself; merge it into "
            "its model (peft: merge_and_unload, save_pretrained) and add the result"
        )
    for name, method in (("quantize_config.json", "gptq"), ("quant_config.json", "awq")):
        if source_file(folder, name):
            return quantized_by({"quant_method": method})
    return ""


def quantized_by(stated: object) -> str:
    """Returns the end of a sentence on weights that other programs have quantized.

    >>> quantized_by({"quant_method": "awq"}).partition(";")[0]
    "has weights that were quantized by 'awq', which are not read"
    """
    method = stated.get("quant_method") if isinstance(stated, dict) else None
    return (
        f"has weights that were quantized by {shown(method or 'a program of its own')}, which are "
        "not read; add the repository that they were made from, or a GGUF file of it"
    )


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """Returns a JSON object from a file of a folder that a model is added from.

    Raises:
        ConversionError: the file is missing, is a link, or holds something else.
    """
    path = model_files.source_file(folder, name, model_files.MAX_JSON_BYTES)
    if path is None:
        raise ConversionError(f"{folder / name} is missing; is this a Hugging Face folder?")
    try:
        return model_files.read_json(path)
    except (OSError, model_files.UnusableFile) as error:
        raise ConversionError(f"{path} cannot be used: {error}; fetch the model again") from error
