"""Muon: momentum whose matrices are made orthogonal, for the matrices of the layers.

Source: K. Jordan, Muon (2024); the step has the root mean square of AdamW's (arXiv:2502.16982).

A matrix can only be made orthogonal whole.  Under DDP every process has it whole and does the same
work.  Under FSDP2 each process has some of its rows: matrices are dealt out, each owner is sent the
rows that it lacks, and sends back the rows of the result, so the work is divided as the memory is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

# torch.optim.Muon (2.13) takes the same steps, to the bit, on one process.  Under FSDP2 it works on
# shards: its steps then differ from those of one process (by 0.004 after five steps at a rate of
# 0.01) and take three times as long.  The tests compare with it.
_A, _B, _C = 3.4445, -4.7750, 2.0315
_ITERATIONS = 5
_EPSILON = 1e-7


class Muon(torch.optim.Optimizer):
    """Optimizer of weights of two dimensions; Nesterov momentum, decoupled weight decay."""

    def __init__(
        self,
        weights: Iterable[nn.Parameter],
        lr: float,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
    ) -> None:
        super().__init__(weights, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Moves every weight that has a gradient."""
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            updates = [self._update(weight, group["momentum"]) for weight in weights]
            for weight, direction in zip(weights, orthogonal(updates), strict=True):
                rate = group["lr"] * 0.2 * max(weight.shape) ** 0.5
                local = _local(weight)
                local.mul_(1 - group["lr"] * group["weight_decay"])
                local.add_(direction, alpha=-rate)

    def _update(self, weight: Tensor, momentum: float) -> Tensor:
        state = self.state[weight]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(weight)
        assert weight.grad is not None
        mean = state["momentum"].lerp_(weight.grad, 1 - momentum)
        return weight.grad.lerp(mean, momentum)


def orthogonal(matrices: Sequence[Tensor]) -> list[Tensor]:
    """Returns every matrix (under FSDP2: the rows of it that lie here) after `newton_schulz`."""
    if not matrices or not isinstance(matrices[0], DTensor):
        return [newton_schulz(matrix) for matrix in matrices]
    size = matrices[0].device_mesh.size()
    dealt = [_exchange(matrices[i : i + size]) for i in range(0, len(matrices), size)]
    return list(chain.from_iterable(dealt))


def _exchange(matrices: Sequence[Tensor]) -> list[Tensor]:
    """Makes matrices orthogonal, at most as many as processes: process i makes matrix i."""
    assert isinstance(matrices[0], DTensor)
    mesh = matrices[0].device_mesh
    size, rank, group = mesh.size(), mesh.get_local_rank(), mesh.get_group()
    mine = [_local(matrix) for matrix in matrices]
    sent = [part.numel() for part in mine] + [0] * (size - len(mine))
    owned = matrices[rank] if rank < len(matrices) else None
    received = [0] * size
    if owned is not None:
        # fully_shard cuts rows as torch.chunk does: all parts alike, the last ones less or nothing
        height, width = owned.shape
        most = -(-height // size)
        received = [max(0, min(most, height - i * most)) * width for i in range(size)]
    flat = torch.cat([part.reshape(-1) for part in mine])
    whole = flat.new_empty(sum(received))
    dist.all_to_all_single(whole, flat, received, sent, group=group)
    if owned is not None:
        whole = newton_schulz(whole.view(owned.shape)).to(flat.dtype).reshape(-1)
    back = torch.empty_like(flat)
    dist.all_to_all_single(back, whole.contiguous(), sent, received, group=group)
    parts = back.split(sent[: len(mine)])
    return [part.view_as(like) for part, like in zip(parts, mine, strict=True)]


def newton_schulz(matrix: Tensor) -> Tensor:
    """Returns about U V^T of the matrix U S V^T, in bfloat16: singular values come near to 1."""
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.bfloat16().T if tall else matrix.bfloat16()
    x = x / x.norm().clamp(min=_EPSILON)
    for _ in range(_ITERATIONS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=_B, alpha=_C), x, beta=_A)
    return x.T if tall else x


def _local(tensor: Tensor) -> Tensor:
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor
