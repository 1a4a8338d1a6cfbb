"""Tiny GPT-NeoX models with random weights, in every variant that must work, and their bundles."""

import json
from pathlib import Path

from model_runtime.importers.huggingface import convert_folder
from model_runtime.models.bundle import ModelBundle
from tests.support.random_neox import Variant, fim_config, train_tokenizer, write_folder

VARIANTS = {
    "rotary quarter": Variant(),
    "rotary whole, old spelling": Variant(rotary=1.0, old_spelling=True),
    "other base": Variant(rotary=0.5, rotary_base=500.0),
    "tied": Variant(tied=True),
    "sequential": Variant(sequential=True, rotary=1.0),
    "tanh gelu": Variant(activation="gelu_new"),
    "alibi": Variant(alibi=True),
    "alibi, six heads, sequential": Variant(alibi=True, hidden=96, heads=6, sequential=True),
}


def make_source(folder: Path, variant: Variant, *, fim: bool = True) -> Path:
    """A Hugging Face folder; without `fim` nothing says how to prompt the model."""
    write_folder(folder, variant)
    train_tokenizer(folder / "tokenizer.json", min(variant.vocab, 400))
    if fim:
        (folder / "fim_config.json").write_text(json.dumps(fim_config(variant.positions)))
    return folder


def make_bundle(folder: Path, variant: Variant, quantization: str = "float32") -> ModelBundle:
    """A bundle of such a model."""
    source = make_source(folder / "source", variant)
    convert_folder(source, folder / "bundle", name="random", quantization=quantization)
    return ModelBundle.open(folder / "bundle")
