"""ALiBi (arXiv:2108.12409): attention loses a little for every token that lies between.

Distances count ids of the prompt, also where the suffix stands first.  Distances that begin again
in each part of a prompt were tried and gained nothing (docs/notes/ablation.md).
"""

from __future__ import annotations

import torch
from torch import Tensor

from model_runtime.models.positions import alibi_slopes


def alibi_bias(heads: int, length: int, device: torch.device) -> Tensor:
    """Returns the causal bias [H, T, T] of rows of T tokens: minus slope x distance."""
    slope_H = torch.tensor(alibi_slopes(heads), device=device)
    place_T = torch.arange(length, device=device)
    distance_TT = place_T[:, None] - place_T[None, :]
    bias = -slope_H[:, None, None] * distance_TT.float()
    return bias.masked_fill(distance_TT < 0, float("-inf"))
