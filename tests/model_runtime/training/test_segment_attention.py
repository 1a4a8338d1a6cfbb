"""BlockBuilder of queries give what attention over whole segments gives, and the same gradients."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from model_runtime.training.segment_attention import BLOCK, rotary_attention

HEADS, WIDTH = 3, 16


def plain_attention(
    qkv_NH3k: Tensor, cos_Nr: Tensor, sin_Nr: Tensor, segments: list[int]
) -> Tensor:
    """Rotation by its formula, and torch's attention of each segment alone."""
    half = cos_Nr.shape[1]

    def rotated(x_NHk: Tensor) -> Tensor:
        first, second, kept = x_NHk.split([half, half, WIDTH - 2 * half], dim=-1)
        cos, sin = cos_Nr[:, None], sin_Nr[:, None]
        return torch.cat((first * cos - second * sin, second * cos + first * sin, kept), dim=-1)

    query, key, value = qkv_NH3k.split(WIDTH, dim=-1)
    pieces = zip(
        *(x.transpose(0, 1).split(segments, dim=1) for x in (rotated(query), rotated(key), value)),
        strict=True,
    )
    mixed = [F.scaled_dot_product_attention(q, k, v, is_causal=True) for q, k, v in pieces]
    return torch.cat(mixed, dim=1).transpose(0, 1)


@pytest.mark.parametrize("rotated", [16, 8])
@pytest.mark.parametrize(
    "segments",
    [[1], [BLOCK], [BLOCK + 1], [5, 1, 2 * BLOCK + 7, BLOCK - 1]],
    ids=["one token", "one block", "a block and a token", "several"],
)
def test_attention_by_blocks_is_that_of_whole_segments(segments: list[int], rotated: int):
    torch.manual_seed(0)
    count = sum(segments)
    angle_Nr = torch.rand(count, rotated // 2) * 6
    qkv, outer = torch.randn(count, HEADS, 3 * WIDTH), torch.randn(count, HEADS, WIDTH)
    found = []
    for attention in (plain_attention, rotary_attention):
        given = qkv.clone().requires_grad_()
        mixed = attention(given, angle_Nr.cos(), angle_Nr.sin(), segments)
        mixed.backward(outer)
        assert given.grad is not None
        found.append((mixed.detach(), given.grad))
    for expected, value in zip(*found, strict=True):
        torch.testing.assert_close(value, expected, rtol=1e-4, atol=1e-5)


def test_in_bfloat16_it_is_as_near_to_the_truth_as_attention_of_whole_segments():
    torch.manual_seed(0)
    segments = [300, 40]
    angle_Nr = torch.rand(340, WIDTH // 2) * 6
    qkv = torch.randn(340, HEADS, 3 * WIDTH)
    truth = plain_attention(qkv, angle_Nr.cos(), angle_Nr.sin(), segments)
    errors = []
    for attention in (plain_attention, rotary_attention):
        rounded = (x.bfloat16() for x in (qkv, angle_Nr.cos(), angle_Nr.sin()))
        mixed = attention(*rounded, segments)
        errors.append(float((mixed.float() - truth).norm() / truth.norm()))

    assert errors[1] < 1.25 * errors[0] < 0.02
