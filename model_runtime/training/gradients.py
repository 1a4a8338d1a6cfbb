"""Gradients of one step, a micro-batch at a time."""

from __future__ import annotations

import torch
from torch import Tensor

from model_runtime.training.forward import Batch, hidden_states
from model_runtime.training.loss import mean_cross_entropy
from model_runtime.training.network import Network
from model_runtime.training.packing import Rows
from model_runtime.training.recipe import TrainRecipe


class Gradients:
    """Mean loss of a step, and its gradients in `.grad`."""

    def __init__(
        self, network: Network, recipe: TrainRecipe, per_row: bool, device: torch.device
    ) -> None:
        self.network, self.recipe, self.per_row, self.device = network, recipe, per_row, device
        self.dtype: torch.dtype = getattr(torch, recipe.dtype)

    def compute(self, rows: Rows) -> float:
        """Loss in nats per token.

        Every token of the step weighs the same, however the rows are cut into parts.
        """
        size, counted, total = self.recipe.rows_at_once, num_targets(rows), 0.0
        for start in range(0, len(rows), size):
            part = rows.take(start, start + size)
            loss = self._mean(part) * (num_targets(part) / counted)
            loss.backward()
            total += float(loss.detach())
        return total

    def _mean(self, rows: Rows) -> Tensor:
        batch = Batch.of(rows, self.per_row, self.device)
        hidden_Nd = hidden_states(self.network, batch, self.dtype)
        head, chunk = self.network.head, self.recipe.loss_chunk
        return mean_cross_entropy(hidden_Nd, head, batch.targets_N, chunk)


def num_targets(rows: Rows) -> int:
    """Places that count: all but padding and the last of each example."""
    return sum(sum(lengths) - len(lengths) for lengths in rows.lengths)
