"""Computes rotary attention within segments of unequal length, for processors.

    N = tokens of a batch     H = heads     k = width of a head     r = rotated dimensions of it
    T = tokens of a segment   S = queries of a block

Torch's fused kernel for processors spends most of its time on other things than products where
segments are short.  Here queries are taken in blocks, each against the keys up to its end: a few
batched products a segment, half of what a whole square of scores would cost, and all of a layer's
rotations, slices and their gradients in place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

BLOCK = 128
"""Queries of a block; more waste products on places in the future, fewer are slow products."""


def rotary_attention(
    qkv_NH3k: Tensor, cos_Nr: Tensor, sin_Nr: Tensor, segments: Sequence[int]
) -> Tensor:
    """Returns causal attention [N, H, k] after rotating queries and keys.

    Args:
        qkv_NH3k: queries, keys and values of each head.
        cos_Nr: cosines of the first half of the rotated dimensions, [N, r / 2].
        sin_Nr: sines of the same.
        segments: lengths, which sum to N; no token sees another segment.
    """
    mixed = _RotaryAttention.apply(qkv_NH3k, cos_Nr, sin_Nr, tuple(segments))
    assert isinstance(mixed, Tensor)
    return mixed


class _RotaryAttention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, qkv_NH3k: Tensor, cos_Nr: Tensor, sin_Nr: Tensor, segments: tuple[int, ...]
    ) -> Tensor:
        N, H, _ = qkv_NH3k.shape
        k = qkv_NH3k.shape[2] // 3
        # [3, H, N, k]: of each head one contiguous table of tokens.
        heads = qkv_NH3k.view(N, H, 3, k).permute(2, 1, 0, 3).contiguous()
        turn(heads[:2], cos_Nr, sin_Nr)
        query, key, value = heads.unbind(0)
        query.mul_(k**-0.5)  # here rather than over all scores
        future_SS = torch.full((BLOCK, BLOCK), -torch.inf, dtype=heads.dtype, device=heads.device)
        future_SS.triu_(1)
        mixed_HNk = torch.empty_like(query)
        weights = []
        for first, start, end in blocks(segments):
            scores = torch.bmm(query[:, start:end], key[:, first:end].transpose(1, 2))
            scores[:, :, start - first :] += future_SS[: end - start, : end - start]
            weight_HST = torch.softmax(scores, -1)
            mixed_HNk[:, start:end] = torch.bmm(weight_HST, value[:, first:end])
            weights.append(weight_HST)
        ctx.save_for_backward(heads, cos_Nr, sin_Nr, *weights)
        ctx.segments = segments
        return mixed_HNk.transpose(0, 1).contiguous()

    @staticmethod
    def backward(ctx: Any, outer_NHk: Tensor) -> tuple[Tensor, None, None, None]:
        heads, cos_Nr, sin_Nr, *weights = ctx.saved_tensors
        query, key, value = heads.unbind(0)
        gradient = torch.zeros_like(heads)
        by_query, by_key, by_value = gradient.unbind(0)
        outer_HNk = outer_NHk.transpose(0, 1).contiguous()
        for (first, start, end), weight_HST in zip(blocks(ctx.segments), weights, strict=True):
            outer = outer_HNk[:, start:end]
            seen = slice(first, end)
            by_value[:, seen].baddbmm_(weight_HST.transpose(1, 2), outer)
            by_weight = torch.bmm(outer, value[:, seen].transpose(1, 2))
            by_score = torch._softmax_backward_data(by_weight, weight_HST, -1, by_weight.dtype)
            by_query[:, start:end] = torch.bmm(by_score, key[:, seen])
            by_key[:, seen].baddbmm_(by_score.transpose(1, 2), query[:, start:end])
        by_query.mul_(query.shape[-1] ** -0.5)
        turn(gradient[:2], cos_Nr, -sin_Nr)
        _, H, N, k = gradient.shape
        return gradient.permute(2, 1, 0, 3).reshape(N, H, 3 * k), None, None, None


def blocks(segments: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Yields the first token of the segment, and the first and the end of the queries, of every
    block.
    """
    first = 0
    for length in segments:
        for start in range(first, first + length, BLOCK):
            yield first, start, min(start + BLOCK, first + length)
        first += length


def turn(x_HNk: Tensor, cos_Nr: Tensor, sin_Nr: Tensor) -> None:
    """Rotates in place, in the half-split layout of GPT-NeoX."""
    half = cos_Nr.shape[-1]
    first, second = x_HNk[..., :half], x_HNk[..., half : 2 * half]
    old = first.clone()
    first.mul_(cos_Nr).addcmul_(second, sin_Nr, value=-1)
    second.mul_(cos_Nr).addcmul_(old, sin_Nr)
