"""Builds the optimizers of a run: Muon for the matrices of the layers and AdamW for the rest, or
AdamW for all.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import nn

from model_runtime.training.muon import Muon
from model_runtime.training.recipe import OptimizerRecipe


def build_optimizers(network: nn.Module, recipe: OptimizerRecipe) -> list[torch.optim.Optimizer]:
    """Returns one optimizer, or two with Muon; one learning rate serves both.

    Their state exists from the start, so that a checkpoint always finds a place to be read into.
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
    optimizers: list[torch.optim.Optimizer]
    if recipe.name == "muon":
        muon = Muon(matrices, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
        optimizers = [muon, adamw(others, weight_decay=0.0)]
    else:
        groups = [
            {"params": matrices, "weight_decay": recipe.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        optimizers = [adamw(groups)]
    for optimizer in optimizers:
        _allocate(optimizer)
    return optimizers


def _allocate(optimizer: torch.optim.Optimizer) -> None:
    for group in optimizer.param_groups:
        for weight in group["params"]:
            state = optimizer.state[weight]
            if isinstance(optimizer, Muon):
                state["momentum"] = torch.zeros_like(weight)
            else:
                state["step"] = torch.zeros((), device=weight.device)
                state["exp_avg"] = torch.zeros_like(weight)
                state["exp_avg_sq"] = torch.zeros_like(weight)


def set_learning_rate(optimizers: list[torch.optim.Optimizer], rate: float) -> None:
    """Gives every group the same rate."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate


def current_rate(optimizers: list[torch.optim.Optimizer]) -> float:
    """Returns the rate that `set_learning_rate` set last."""
    return float(optimizers[0].param_groups[0]["lr"])
