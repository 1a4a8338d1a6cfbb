"""Decides whether a folder of training state belongs to a recipe, a corpus and a tokenizer."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

from attrs import asdict

from model_runtime.training.checkpoint import Identity
from model_runtime.training.documents import unpack
from model_runtime.training.parallel import Processes
from model_runtime.training.recipe import Recipe


def identity_of(recipe: Recipe, corpus: Path, tokenizer: Path) -> Identity:
    """Returns the facts that must stay the same within a run; budgets and speeds may change."""
    fixed = {
        "network": asdict(recipe.network),
        "data": asdict(recipe.data),
        "selection": asdict(recipe.selection),
        "optimizer": {"name": recipe.optimizer.name},
        "train": {"seed": recipe.train.seed, "block_mb": recipe.train.block_mb},
    }
    # The index of a corpus holds the hash of every document.
    return Identity(fixed, _digest(sorted(corpus.glob("*.tsv*"))), _digest([tokenizer]))


def unpack_for(identity: Identity, corpus: Path, folder: Path, processes: Processes) -> None:
    """Unpacks the corpus of a run into a folder; texts of an earlier corpus are removed.

    The main process does it while the others wait.
    """
    if processes.is_main:
        mark = folder / "digest"
        known = mark.read_text("utf-8") if mark.exists() else None
        if known != identity.corpus:
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        mark.write_text(identity.corpus, encoding="utf-8")
        unpack(corpus, folder)
    processes.wait()


def _digest(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]
