"""Mean cross-entropy over a large vocabulary, a chunk of tokens at a time.

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


def mean_cross_entropy(hidden_Nd: Tensor, head_Vd: Tensor, targets_N: Tensor, chunk: int) -> Tensor:
    """Mean over all targets but `IGNORED`, in nats per token, float32; 0 if there is none.

    Args:
        hidden_Nd: in the type of the products; float32 inside the softmax.
        head_Vd: weight of the output head, float32.
        targets_N: int64, the next token of each place.
        chunk: most tokens whose logits exist at the same time.
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
            part, gradient_CV = _chunk(hidden_Nd[piece] @ head.T, targets_N[piece], share)
            total += part
            by_hidden[piece] = gradient_CV @ head
            by_head += gradient_CV.T @ hidden_Nd[piece]
        ctx.save_for_backward(by_hidden, by_head)
        return total * share

    @staticmethod
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor, Tensor, None, None]:
        by_hidden, by_head = ctx.saved_tensors
        return by_hidden * outer, by_head * outer, None, None


def _chunk(logits_CV: Tensor, targets_C: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """Summed loss of a chunk; its logits become the gradient of the mean loss, in place."""
    # A processor keeps 64 rows of float32 in its cache: four times as fast as 1024.
    rows = 64 if logits_CV.device.type == "cpu" else len(logits_CV)
    loss = torch.zeros((), device=logits_CV.device)
    for logits, targets in zip(
        torch.split(logits_CV, rows), torch.split(targets_C, rows), strict=True
    ):
        counted = targets != IGNORED
        target_1 = targets.clamp(min=0)[:, None]
        wide = logits.float()
        total = wide.logsumexp(-1, keepdim=True)
        loss += ((total - wide.gather(1, target_1))[:, 0] * counted).sum()
        probability = wide.sub_(total).exp_() if wide is not logits else (logits - total).exp_()
        minus_one = torch.full_like(target_1, -1, dtype=probability.dtype)
        probability.scatter_add_(1, target_1, minus_one)
        logits.copy_(probability.mul_((counted * share)[:, None]))
    return loss, logits_CV
