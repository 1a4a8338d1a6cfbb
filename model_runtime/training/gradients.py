"""Computes the gradients of one step, a micro-batch at a time, on one process or many."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor, nn

from model_runtime.training.forward import Batch, hidden_states
from model_runtime.training.loss import mean_cross_entropy
from model_runtime.training.network import TrainingNetwork
from model_runtime.training.packing import PackedRows
from model_runtime.training.parallel import Processes
from model_runtime.training.recipe import TrainRecipe


class Objective(nn.Module):
    """Computes the mean loss of a batch: network and loss in one call, for DDP to see both."""

    def __init__(self, network: TrainingNetwork, recipe: TrainRecipe) -> None:
        super().__init__()
        self.network, self.chunk = network, recipe.loss_chunk
        self.dtype: torch.dtype = getattr(torch, recipe.dtype)

    def forward(self, batch: Batch) -> Tensor:
        """Returns the mean loss over the batch's targets, in nats per token."""
        hidden_Nd = hidden_states(self.network, batch, self.dtype)
        # After the network's own forward pass FSDP2 leaves the head gathered.
        return mean_cross_entropy(hidden_Nd, self.network.head, batch.targets_N, self.chunk)


class Gradients:
    """Computes the mean loss of a step, and leaves its gradients in `.grad`."""

    def __init__(
        self,
        network: TrainingNetwork,
        recipe: TrainRecipe,
        per_row: bool,
        device: torch.device,
        processes: Processes,
    ) -> None:
        self.recipe, self.per_row, self.device = recipe, per_row, device
        self.processes = processes
        objective = Objective(network, recipe)
        self.objective = processes.wrap(network, objective, objective.dtype)

    def compute(self, rows: PackedRows) -> Tensor:
        """Returns this process's share of the loss; the shares of all sum to the mean loss of the
        step.

        Every token of the step weighs the same, however its rows are sharded and cut into parts.
        """
        counted = num_targets(rows)
        total = torch.zeros((), device=self.device)
        parts = micro_batches(
            rows, self.processes.rank, self.processes.size, self.recipe.rows_at_once
        )
        for number, (part, weight) in enumerate(parts, start=1):
            share = weight * num_targets(part) / counted
            last = number == len(parts)
            with nullcontext() if last else self.processes.local_only(self.objective):
                batch = Batch.of(part, self.per_row, self.device)
                loss = self.objective(batch) * share
                (loss * self.processes.loss_weight()).backward()
            total += loss.detach()
        return total


def micro_batches(
    rows: PackedRows, rank: int, size: int, at_once: int
) -> list[tuple[PackedRows, float]]:
    """Returns a process's rows of a step in parts, each with its weight.

    All processes get the same number of parts, as their collective calls must match.  One whose
    rows are used up repeats a row with the weight 0.
    """
    mine = rows.shard(rank, size)
    most = -(-len(rows) // size)
    parts = [(mine.take(start, start + at_once), 1.0) for start in range(0, most, at_once)]
    return [(part, weight) if len(part) else (rows.take(0, 1), 0.0) for part, weight in parts]


def num_targets(rows: PackedRows) -> int:
    """Returns the number of places that count: all but padding and the last of each example."""
    return sum(sum(lengths) - len(lengths) for lengths in rows.lengths)
