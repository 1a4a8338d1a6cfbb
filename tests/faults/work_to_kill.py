"""Work that tests kill: it saves checkpoints, and replaces and removes folders."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from model_runtime.files import building, remove_folder, replace_text
from model_runtime.training.checkpoint import Checkpoints, Identity, RunProgress

SHAPE = (64, 256)
NAMES = [f"network/layer{number}" for number in range(4)]
NAMED = "before-decay"
FILES = ("one", "two")
IDENTITY = Identity({"optimizer": {}}, "corpus", "tokenizer")


def save_checkpoints(folder: Path, first: int, last: int) -> None:
    """Saves one after the other, each under its step and under a name that stays."""
    torch.set_num_threads(1)
    checkpoints = Checkpoints(folder)
    for step in range(first, last):
        tensors = {name: torch.full(SHAPE, float(step)) for name in NAMES}
        checkpoints.save(tensors, RunProgress(step=step), IDENTITY)
        checkpoints.save(tensors, RunProgress(step=step), IDENTITY, NAMED)
    os._exit(0)


def save_one(folder: Path, step: int, name: str | None = NAMED) -> None:
    """Saves the checkpoint of one step, under the name that stays."""
    torch.set_num_threads(1)
    tensors = {name: torch.full(SHAPE, float(step)) for name in NAMES}
    Checkpoints(folder).save(tensors, RunProgress(step=step), IDENTITY, name)


def save_another(folder: Path, step: int = 3) -> None:
    """Saves one under its step, as the run does next."""
    save_one(folder, step, None)


def replace_folder(target: Path, text: str) -> None:
    """Builds a folder of two files in the place of another."""
    with building(target) as folder:
        for name in FILES:
            (folder / name).write_text(text)


def replace_file(target: Path, text: str) -> None:
    replace_text(target, text)


def remove(target: Path) -> None:
    remove_folder(target)
