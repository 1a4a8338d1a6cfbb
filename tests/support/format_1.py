"""Writes a model of GPT-NeoX as it lay on disks before format 2."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from model_runtime.files import sha256_of
from model_runtime.models.bundle import MANIFEST, WEIGHTS
from model_runtime.models.manifest import signed

_NAMES = (
    (r"^embedding\.", "gpt_neox.embed_in."),
    (r"^final_norm\.", "gpt_neox.final_layer_norm."),
    (r"^layers\.", "gpt_neox.layers."),
    (r"\.attention_norm\.", ".input_layernorm."),
    (r"\.mlp_norm\.", ".post_attention_layernorm."),
    (r"\.attention\.qkv\.", ".attention.query_key_value."),
    (r"\.attention\.out\.", ".attention.dense."),
    (r"\.mlp\.up\.", ".mlp.dense_h_to_4h."),
    (r"\.mlp\.down\.", ".mlp.dense_4h_to_h."),
)
_OF_FORMAT_2 = ("prompt", "decoder", "calibration")


def format_1_manifest(raw: dict[str, Any]) -> dict[str, Any]:
    """Returns the entries of a format 2 manifest of an spm1 model as format 1 had them, unsigned."""
    decoder, prompt = raw["decoder"], raw["prompt"]
    suffix, prefix, middle = (part for part in prompt["template"] if isinstance(part, int))
    kept = {name: value for name, value in raw.items() if name not in _OF_FORMAT_2}
    del kept["content_sha256"]
    weights = {name: kept["weights"][name] for name in ("sha256", "size", "dtype")}
    canary = {name: value for name, value in kept["canary"].items() if name != "repository"}
    positions = decoder["positions"]
    return kept | {
        "format_version": 1,
        "order": "spm1",
        "tokens": {
            "end": prompt["end"],
            "suffix": suffix,
            "prefix": prefix,
            "middle": middle,
            "pad": prompt["pad"],
            "file": prompt["context"]["file"][0],
        },
        "hole_start": prompt["hole_start"],
        "position_embedding": "rotary",
        "architecture": {
            **{name: decoder[name] for name in ("layers", "hidden", "heads", "vocab")},
            **{name: decoder[name] for name in ("intermediate", "activation", "norm_epsilon")},
            "parallel_residual": decoder["residual"] == "parallel",
            "rotary_dim": positions["dim"],
            "rotary_base": positions["base"],
            "tied": decoder["tied"],
        },
        "weights": weights,
        "canary": canary,
    }


def make_format_1(folder: Path) -> None:
    """Rewrites the bundle of an spm1 model in a folder as one of format 1."""
    raw = format_1_manifest(json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
    heads = raw["architecture"]["heads"]
    tensors = {}
    for name, tensor in load_file(folder / WEIGHTS).items():
        if ".attention.qkv." in name:
            by_part = tensor.reshape(3, heads, -1, *tensor.shape[1:])
            tensor = np.ascontiguousarray(by_part.swapaxes(0, 1)).reshape(tensor.shape)
        for canonical, of_checkpoints in _NAMES:
            name = re.sub(canonical, of_checkpoints, name)
        tensors[name] = tensor
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    raw["weights"] |= {
        "sha256": sha256_of(folder / WEIGHTS),
        "size": (folder / WEIGHTS).stat().st_size,
    }
    (folder / MANIFEST).write_text(signed(raw), encoding="utf-8")
