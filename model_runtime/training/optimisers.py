"""Muon for the matrices of the layers, AdamW for the rest; or AdamW for all."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn

from model_runtime.training.muon import Muon
from model_runtime.training.recipe import OptimiserRecipe


def build_optimisers(network: nn.Module, recipe: OptimiserRecipe) -> list[torch.optim.Optimizer]:
    """One optimiser, or two with Muon; one learning rate serves both.

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
    optimisers: list[torch.optim.Optimizer]
    if recipe.name == "muon":
        muon = Muon(matrices, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
        optimisers = [muon, adamw(others, weight_decay=0.0)]
    else:
        groups = [
            {"params": matrices, "weight_decay": recipe.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        optimisers = [adamw(groups)]
    for optimiser in optimisers:
        _allocate(optimiser)
    return optimisers


def _allocate(optimiser: torch.optim.Optimizer) -> None:
    for group in optimiser.param_groups:
        for weight in group["params"]:
            state = optimiser.state[weight]
            if isinstance(optimiser, Muon):
                state["momentum"] = torch.zeros_like(weight)
            else:
                state["step"] = torch.zeros((), device=weight.device)
                state["exp_avg"] = torch.zeros_like(weight)
                state["exp_avg_sq"] = torch.zeros_like(weight)


def set_learning_rate(optimisers: list[torch.optim.Optimizer], rate: float) -> None:
    """The same rate for every group."""
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = rate


def current_rate(optimisers: list[torch.optim.Optimizer]) -> float:
    """What `set_learning_rate` set last."""
    return float(optimisers[0].param_groups[0]["lr"])
