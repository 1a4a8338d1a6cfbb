"""Writes the weights of a run as one small file, from which another run can begin.

A checkpoint of `checkpoint.py` has the optimizer's state, too, and is six times as large.  What a
snapshot leaves out must be learned again by a warmup; what it keeps outlives the machine.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from model_runtime.models.weights import SCALE_SUFFIX
from model_runtime.training import checkpoint as checkpoints
from model_runtime.training.checkpoint_reader import CheckpointError

TOKENIZER = "tokenizer"
"""Key of the metadata: fingerprint of the tokenizer, as in `Identity`."""


def write_snapshot(run: Path, target: Path) -> Path:
    """Writes the weights of a run's newest checkpoint in bfloat16; a run in progress goes on.

    Args:
        run: folder of a run, of its train stage, or a checkpoint.
        target: a `.safetensors` file, which is replaced when the new one is whole.

    Raises:
        CheckpointError: there is no checkpoint, or the file cannot be written.
    """
    if target.suffix != ".safetensors":
        raise CheckpointError(f"{target}: the name of a snapshot ends with .safetensors")
    folder = checkpoints.find(run)
    progress, found = checkpoints.read_progress(folder)
    weights = {
        name: weight.to(torch.bfloat16).contiguous()
        for name, weight in checkpoints.read_weights(folder).items()
    }
    about = {
        "format": "pt",
        "step": str(progress.step),
        "tokens": str(progress.tokens),
        TOKENIZER: found[TOKENIZER],
    }
    unfinished = target.with_name(target.name + ".tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        save_file(weights, unfinished, metadata=about)
        os.replace(unfinished, target)
    except (OSError, SafetensorError) as error:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise CheckpointError(f"{target} cannot be written ({error})") from error
    return target


def read_initial(path: Path, tokenizer: str) -> Mapping[str, Tensor]:
    """Returns the weights that a run begins with.

    Args:
        path: a run's folder, one of its checkpoints, or a `.safetensors` file: a snapshot, or the
            weights of a bundle.
        tokenizer: fingerprint of the new run's tokenizer.

    Raises:
        CheckpointError: it cannot be read, or its ids are those of another tokenizer.
    """
    if path.suffix == ".safetensors":
        try:
            with safe_open(path, "pt") as file:
                known = (file.metadata() or {}).get(TOKENIZER, tokenizer)
            weights: Mapping[str, Tensor] = widened(load_file(path))
        except (OSError, SafetensorError) as error:
            raise CheckpointError(f"{path} is no readable snapshot ({error})") from error
    else:
        folder = checkpoints.find(path)
        known = checkpoints.read_progress(folder)[1][TOKENIZER]
        weights = checkpoints.read_weights(folder)
    if known != tokenizer:
        raise CheckpointError(
            f"{path} was trained with another tokenizer, so its ids mean other text; put the "
            "tokenizer.json that belongs to it into OUT/tokenizer"
        )
    return weights


def widened(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns weights as they are trained: matrices that a bundle keeps as int8 times their scales.

    >>> scale = torch.tensor([0.5, 2.0])
    >>> widened({"m": torch.ones(2, 1, dtype=torch.int8), "m.scale": scale})["m"].flatten()
    tensor([0.5000, 2.0000])
    """
    return {
        name: weight.float() * stored[name + SCALE_SUFFIX][:, None]
        if weight.dtype is torch.int8
        else weight
        for name, weight in stored.items()
        if not name.endswith(SCALE_SUFFIX)
    }


def check_shapes(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], where: Path) -> None:
    """Refuses weights that another network has.

    Raises:
        CheckpointError: names the first weight that differs.
    """
    for name in sorted(found.keys() | wanted.keys()):
        shapes = [tuple(side[name].shape) if name in side else None for side in (found, wanted)]
        if shapes[0] != shapes[1]:
            raise CheckpointError(
                f"{where} holds another network: {name} is {shapes[0] or 'missing'} there and "
                f"{shapes[1] or 'missing'} in the recipe"
            )
