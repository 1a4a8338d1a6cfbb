"""The stages of a model, each from folder to folder.

OUT/corpus      parts of text, licence verdicts, manifest
OUT/tokenizer   tokenizer.json
OUT/train       state, log
OUT/export      a Hugging Face GPT-NeoX folder
"""

from __future__ import annotations

from pathlib import Path

from model_runtime.training.recipe import Recipe


def train_stage(recipe: Recipe, out: Path, device: str) -> None:
    """Train to the end of the budget, going on where an earlier start stopped."""
    from model_runtime.training.train import Trainer  # torch, only when it is needed

    tokenizer = out / "tokenizer" / "tokenizer.json"
    Trainer(recipe, out / "corpus", tokenizer, out / "train", device).run()
