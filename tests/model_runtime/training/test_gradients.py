"""A step is the same however it is cut, dealt, kept or compiled."""

import random
from pathlib import Path

import pytest
import torch
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.training.gradients import micro_batches
from model_runtime.training.packing import PackedRows, pack
from model_runtime.training.recipe import Recipe
from model_runtime.training.train import Trainer
from tests.model_runtime.training.test_train import RECIPE


def rows_of(count: int) -> PackedRows:
    return pack([[9] * 4] * count, 4, 0, random.Random(0))


@given(count=st.integers(1, 40), size=st.integers(1, 9), at_once=st.integers(1, 12))
def test_every_row_counts_once_and_all_processes_make_as_many_calls(
    count: int, size: int, at_once: int
):
    parts = [micro_batches(rows_of(count), rank, size, at_once) for rank in range(size)]

    assert count == sum(len(part) * weight for mine in parts for part, weight in mine)
    assert 1 == len({len(mine) for mine in parts})
    assert all(0 < len(part) <= at_once for mine in parts for part, _ in mine)


PER_ROW = evolve(
    RECIPE,
    network=evolve(RECIPE.network, layers=1),
    data=evolve(RECIPE.data, attention_within="row"),
)
VARIANTS = {
    "recompute": evolve(RECIPE, train=evolve(RECIPE.train, recompute=True)),
    "one row at once": evolve(RECIPE, train=evolve(RECIPE.train, rows_at_once=1)),
    "loss in chunks of 7": evolve(RECIPE, train=evolve(RECIPE.train, loss_chunk=7)),
}


def gradients_of(recipe: Recipe, corpus: Path, tokenizer: Path, state: Path) -> list[torch.Tensor]:
    trainer = Trainer(recipe, corpus, tokenizer, state)
    trainer.gradients.compute(trainer.source.open().make(0).rows.take(0, 4))
    return [weight.grad for weight in trainer.weights if weight.grad is not None]


@pytest.mark.parametrize("name", VARIANTS)
def test_what_saves_memory_does_not_change_a_gradient(
    corpus: Path, tokenizer_path: Path, tmp_path: Path, name: str
):
    expected = gradients_of(RECIPE, corpus, tokenizer_path, tmp_path / "plain")
    found = gradients_of(VARIANTS[name], corpus, tokenizer_path, tmp_path / "variant")

    torch.testing.assert_close(expected, found)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # both inside torch.compile
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
def test_compiled_layers_that_recompute_have_the_same_gradient(
    corpus: Path, tokenizer_path: Path, tmp_path: Path
):
    compiled = evolve(RECIPE.train, compile_layers=True, recompute=True)
    expected = gradients_of(PER_ROW, corpus, tokenizer_path, tmp_path / "plain")
    found = gradients_of(
        evolve(PER_ROW, train=compiled), corpus, tokenizer_path, tmp_path / "compiled"
    )

    torch.testing.assert_close(expected, found, rtol=1e-4, atol=1e-6)
