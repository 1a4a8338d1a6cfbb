"""Writes the weights of a run as one small file, from which another run can begin.

A checkpoint of `checkpoint.py` has the optimizer's state, too, and is six times as large.  What a
snapshot leaves out must be learned again by a warmup; what it keeps outlives the machine.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

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
