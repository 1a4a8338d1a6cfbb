"""Muon for the matrices of the layers, AdamW for the rest; or AdamW for all."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn

from model_runtime.training.recipe import OptimiserRecipe


def build_optimisers(network: nn.Module, recipe: OptimiserRecipe) -> list[torch.optim.Optimizer]:
    """One optimiser, or two with Muon.

    Muon's step is scaled to the root mean square of AdamW's (arXiv:2502.16982), so that one
    learning rate serves both.
    """
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, weight in network.named_parameters():
        (matrices if weight.ndim == 2 and ".layers." in name else others).append(weight)
    adamw = partial(
        torch.optim.AdamW,
        lr=recipe.learning_rate,
        betas=(recipe.beta1, recipe.beta2),
        eps=1e-8,
        fused=True,
    )
    if recipe.name == "muon":
        muon = torch.optim.Muon(
            matrices,
            lr=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
            momentum=0.95,
            nesterov=True,
            adjust_lr_fn="match_rms_adamw",
        )
        return [muon, adamw(others, weight_decay=0.0)]
    groups = [
        {"params": matrices, "weight_decay": recipe.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return [adamw(groups)]


def set_learning_rate(optimisers: list[torch.optim.Optimizer], rate: float) -> None:
    """The same rate for every group."""
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = rate
