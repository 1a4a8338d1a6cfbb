"""Muon is torch's, whole or in pieces."""

import pytest
import torch

from model_runtime.training.muon import Muon, newton_schulz


def test_steps_are_those_of_torch():
    torch.manual_seed(0)
    weights = [torch.randn(8, 24), torch.randn(24, 8), torch.randn(16, 16)]
    ours = [torch.nn.Parameter(weight.clone()) for weight in weights]
    theirs = [torch.nn.Parameter(weight.clone()) for weight in weights]
    optimizers = (
        Muon(ours, lr=0.02, weight_decay=0.1),
        torch.optim.Muon(theirs, lr=0.02, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"),
    )
    for _ in range(4):
        for one, other in zip(ours, theirs, strict=True):
            one.grad = torch.randn_like(one)
            other.grad = one.grad.clone()
        for optimizer in optimizers:
            optimizer.step()

    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("size", [(8, 32), (32, 8), (16, 16)])
def test_singular_values_come_near_to_one(size: tuple[int, int]):
    matrix = torch.randn(size, generator=torch.manual_seed(1))
    values = torch.linalg.svdvals(newton_schulz(matrix).float())

    assert values.min() > 0.5 and values.max() < 1.35


def test_a_weight_without_a_gradient_stays():
    weight = torch.nn.Parameter(torch.ones(4, 4))
    Muon([weight], lr=1.0).step()

    assert torch.equal(weight, torch.ones(4, 4))
