"""The network is transformers' GPT-NeoX, and its loss is the ordinary one."""

import random

import pytest
import torch
from torch.nn import functional as F

from model_runtime.training.forward import Batch, hidden_states
from model_runtime.training.loss import IGNORED, mean_cross_entropy
from model_runtime.training.network import Shape, TrainingNetwork
from model_runtime.training.packing import pack

SHAPE = Shape(layers=2, width=32, heads=2, vocabulary=50, context=32)
CPU = torch.device("cpu")


def batch_of(sequences: list[list[int]], per_row: bool) -> Batch:
    return Batch.of(pack(sequences, 32, 4, random.Random(0)), per_row, CPU)


def test_an_example_does_not_see_its_neighbours():
    torch.manual_seed(0)
    network = TrainingNetwork(SHAPE)
    example = [9, 8, 7, 6, 5]
    alone = Batch.of(pack([example], 5, 4, random.Random(0)), False, CPU)
    rows = pack([example, [11] * 20, [12] * 7], 32, 4, random.Random(1))
    beside = Batch.of(rows, False, CPU)
    at = rows.ids_RT[0].tolist().index(9)
    with torch.no_grad():
        expected = hidden_states(network, alone, torch.float32)
        found = hidden_states(network, beside, torch.float32)[at : at + 5]

    torch.testing.assert_close(expected, found)


def test_the_last_token_of_an_example_and_padding_have_no_target():
    batch = batch_of([[9, 8, 7], [6, 5]], per_row=True)
    flat = dict(zip(batch.ids_N.tolist(), batch.targets_N.tolist(), strict=True))

    assert flat == {9: 8, 8: 7, 7: IGNORED, 6: 5, 5: IGNORED, 4: IGNORED}
    assert batch.num_tokens == 5


@pytest.mark.parametrize("chunk", [1, 7, 100])
def test_the_chunked_loss_and_its_gradients_are_those_of_torch(chunk: int):
    torch.manual_seed(0)
    hidden, head = torch.randn(20, 8, requires_grad=True), torch.randn(50, 8, requires_grad=True)
    targets = torch.randint(0, 50, (20,))
    targets[3] = IGNORED
    expected = F.cross_entropy(hidden @ head.T, targets, ignore_index=IGNORED)
    expected_gradients = torch.autograd.grad(expected, (hidden, head))
    found = mean_cross_entropy(hidden, head, targets, chunk)

    torch.testing.assert_close(expected, found)
    for one, other in zip(
        expected_gradients, torch.autograd.grad(found, (hidden, head)), strict=True
    ):
        torch.testing.assert_close(one, other)


def test_a_batch_without_targets_has_no_loss():
    targets = torch.full((4,), IGNORED)

    assert float(mean_cross_entropy(torch.randn(4, 8), torch.randn(50, 8), targets, 4)) == 0.0


def test_alibi_looks_back_less_the_further():
    network = TrainingNetwork(
        Shape(layers=1, width=32, heads=2, vocabulary=50, context=32, positions="alibi")
    )
    hidden = hidden_states(network, batch_of([[9] * 32], per_row=True), torch.float32)

    assert torch.isfinite(hidden).all()
