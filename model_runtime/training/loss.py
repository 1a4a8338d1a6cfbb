"""Computes the mean cross-entropy over a large vocabulary, a chunk of tokens at a time.

    N = tokens of a batch     C = tokens of a chunk     d = width     V = vocabulary

Logits are the largest tensor of a small model.  Here only those of one chunk exist, and both
gradients are made in the forward pass, so nothing is kept and nothing is computed twice.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

IGNORED = -100
"""Target of a place that the loss leaves out: padding, and the last token of an example."""
_TINY = torch.finfo(torch.float32).tiny
"""Smallest probability: a less probable target costs no more than this one, 87 nats; its gradient
is exact.
"""


def mean_cross_entropy(hidden_Nd: Tensor, head_Vd: Tensor, targets_N: Tensor, chunk: int) -> Tensor:
    """Returns the mean over all targets but `IGNORED`, in nats per token, float32; 0 if there is
    none.

    Args:
        hidden_Nd: hidden states, in the type of the products; float32 inside the softmax.
        head_Vd: weight of the output head, float32.
        targets_N: int64, the next token of each place.
        chunk: largest number of tokens whose logits exist at the same time.
    """
    loss = _ChunkedLoss.apply(hidden_Nd, head_Vd, targets_N, chunk)
    assert isinstance(loss, Tensor)
    return loss


class _ChunkedLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden_Nd: Tensor, head_Vd: Tensor, targets_N: Tensor, chunk: int
    ) -> Tensor:
        head = head_Vd.detach().to(hidden_Nd.dtype)
        share = 1.0 / (targets_N != IGNORED).sum().clamp(min=1)
        by_hidden = torch.zeros_like(hidden_Nd)
        by_head = torch.zeros_like(head_Vd, dtype=torch.float32)
        total = torch.zeros((), device=hidden_Nd.device)
        for start in range(0, len(hidden_Nd), chunk):
            piece = slice(start, start + chunk)
            part, gradient_CV = _chunk(hidden_Nd[piece] @ head.T, targets_N[piece])
            total += part
            by_hidden[piece] = gradient_CV @ head
            by_head += gradient_CV.T @ hidden_Nd[piece]
        ctx.save_for_backward(by_hidden.mul_(share), by_head.mul_(share))
        return total * share

    @staticmethod
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor, Tensor, None, None]:
        by_hidden, by_head = ctx.saved_tensors
        return by_hidden * outer, by_head * outer, None, None


def _chunk(logits_CV: Tensor, targets_C: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the summed loss of a chunk; its logits become the gradient of that sum, in place."""
    # A processor keeps 64 rows of float32 in its cache: four times as fast as 1024.
    rows = 64 if logits_CV.device.type == "cpu" else len(logits_CV)
    ignored_C = targets_C == IGNORED
    loss = torch.zeros((), device=logits_CV.device)
    for logits, targets, ignored in zip(
        *(torch.split(x, rows) for x in (logits_CV, targets_C, ignored_C)), strict=True
    ):
        target_1 = targets.clamp(min=0)[:, None]
        # One pass over the vocabulary; the logarithm is that of the target's probability alone.
        probability = torch.softmax(logits.float(), -1)
        of_target = probability.gather(1, target_1)[:, 0].clamp(min=_TINY)
        loss -= of_target.log().masked_fill(ignored, 0.0).sum()
        minus_one = torch.full_like(target_1, -1, dtype=probability.dtype)
        logits.copy_(probability.scatter_add_(1, target_1, minus_one))
    logits_CV[ignored_C] = 0.0
    return loss, logits_CV
