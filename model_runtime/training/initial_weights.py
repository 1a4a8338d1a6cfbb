"""Reads the weights that a run begins with, from another run or from a model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from model_runtime.errors import BundleError
from model_runtime.models.bundle import MANIFEST, WEIGHTS, ModelBundle
from model_runtime.models.families.neox import NEOX
from model_runtime.training import checkpoint as checkpoints
from model_runtime.training.checkpoint_reader import CheckpointError
from model_runtime.training.snapshot import TOKENIZER


def read_initial(path: Path, tokenizer: str) -> Mapping[str, Tensor]:
    """Returns the weights that a run begins with, under the names that they have in training.

    Args:
        path: a run's folder, one of its checkpoints, a snapshot, or a bundle: its folder, or the
            file of its weights.
        tokenizer: fingerprint of the new run's tokenizer.

    Raises:
        CheckpointError: it cannot be read, or its ids are those of another tokenizer.
    """
    if (bundle := _bundle_at(path)) is not None:
        return _of_bundle(bundle)
    if path.suffix == ".safetensors":
        try:
            with safe_open(path, "pt") as file:
                known = (file.metadata() or {}).get(TOKENIZER, tokenizer)
            weights: Mapping[str, Tensor] = load_file(path)
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


def _bundle_at(path: Path) -> Path | None:
    """Returns the folder of the bundle that a path means; None where it means none."""
    folder = path.parent if path.name == WEIGHTS else path
    return folder if (folder / MANIFEST).is_file() and (folder / WEIGHTS).is_file() else None


def _of_bundle(folder: Path) -> Mapping[str, Tensor]:
    """Returns a bundle's weights as float32: int8 matrices times their scales."""
    try:
        bundle = ModelBundle.open(folder)
        weights = bundle.weights()
    except BundleError as error:
        raise CheckpointError(str(error)) from error
    found = {}
    for ours, recipe in NEOX.tensors(bundle.manifest.decoder).items():
        if ours not in weights:
            continue  # a head that is the embedding, or biases that a model may lack
        weight = weights[ours]
        if recipe.rows is not None and len(recipe.rows) == len(weight):  # else of another family
            theirs = np.empty_like(weight)
            theirs[np.asarray(recipe.rows)] = weight
            weight = theirs
        found[recipe.sources[0]] = torch.from_numpy(np.array(weight))
    return found


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
