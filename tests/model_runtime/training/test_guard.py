"""Bad steps do not move the weights, are counted, and end a run that has only bad ones."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model_runtime.training.guard import Guard, TrainingDiverged
from model_runtime.training.train import Trainer
from tests.model_runtime.training.test_train import RECIPE

TWENTY = replace(RECIPE, train=replace(RECIPE.train, budget_tokens=0, budget_steps=20))


def inject(trainer: Trainer, factor: float, steps: set[int]) -> None:
    """Multiply a real gradient inside the network at these steps."""

    def spoil(gradient: torch.Tensor) -> torch.Tensor:
        return gradient * factor if trainer.progress.step in steps else gradient

    trainer.network.gpt_neox.final_layer_norm.weight.register_hook(spoil)


def events(state: Path) -> list[dict[str, object]]:
    lines = map(json.loads, (state / "training_log.jsonl").read_text().splitlines())
    return [line for line in lines if line.get("event") == "skipped a step"]


@pytest.mark.parametrize("factor", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite_moves_nothing_and_is_told(
    corpus: Path, tokenizer_path: Path, tmp_path: Path, factor: float
):
    trainer = Trainer(TWENTY, corpus, tokenizer_path, tmp_path)
    inject(trainer, factor, {2})
    trainer.run(most_steps=2)
    before = [weight.clone() for weight in trainer.weights]
    trainer.run(most_steps=1)

    assert all(torch.equal(a, b) for a, b in zip(before, trainer.weights, strict=True))
    trainer.run(most_steps=1)
    assert not all(torch.equal(a, b) for a, b in zip(before, trainer.weights, strict=True))
    assert 1 == trainer.guard.skipped
    (event,) = events(tmp_path)
    assert "the gradient's norm is" in str(event["reason"])


def test_a_run_of_bad_steps_ends_with_a_sentence_and_good_checkpoints(
    corpus: Path, tokenizer_path: Path, tmp_path: Path
):
    train = replace(TWENTY.train, most_bad_steps=3, save_steps=1)
    trainer = Trainer(replace(TWENTY, train=train), corpus, tokenizer_path, tmp_path)
    inject(trainer, math.nan, set(range(2, 20)))

    with pytest.raises(TrainingDiverged, match=r"3 steps in a row were skipped, .*norm is nan"):
        trainer.run()
    saved = Trainer(replace(TWENTY, train=train), corpus, tokenizer_path, tmp_path)
    assert all(bool(weight.isfinite().all()) for weight in saved.weights)


def test_a_leap_of_the_gradient_is_skipped_and_the_next_start_remembers_the_curve(
    corpus: Path, tokenizer_path: Path, tmp_path: Path
):
    fifty = replace(TWENTY.train, budget_steps=50, spike_sigmas=8.0, valid_examples=4)
    recipe = replace(TWENTY, train=fifty, network=replace(TWENTY.network, layers=1))
    Trainer(recipe, corpus, tokenizer_path, tmp_path).run(most_steps=36)
    trainer = Trainer(recipe, corpus, tokenizer_path, tmp_path)
    assert 36 == len(trainer.guard.losses)
    inject(trainer, 1e6, {38})
    trainer.run(most_steps=4)

    (event,) = events(tmp_path)
    assert 38 == event["step"] - 1 and "above" in str(event["reason"])


def test_a_leap_of_the_loss_is_a_reason_only_when_the_curve_is_known_and_it_is_wanted():
    guard, careless = Guard(6.0, 20), Guard(0.0, 20)
    assert guard.verdict(99.0, 1.0) is None  # the first step may be anything
    guard = Guard(6.0, 20)
    for step in range(64):
        assert guard.verdict(2.0 + 0.01 * (step % 5), 1.0 + 0.1 * (step % 3)) is None
        careless.verdict(2.0, 1.0)

    assert guard.verdict(2.06, 1.1) is None
    assert "the loss is 3, above" in str(guard.verdict(3.0, 1.0))
    assert careless.verdict(30.0, 1.0) is None


def test_a_good_step_ends_a_row_of_bad_ones():
    guard = Guard(0.0, 3)
    for loss in (math.nan, math.inf, 2.0, math.nan, -math.inf, 2.0):
        guard.verdict(loss, 1.0)

    assert (4, 0) == (guard.skipped, guard.in_a_row)
