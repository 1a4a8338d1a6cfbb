"""Bad steps do not move the weights, are counted, and end a run that has only bad ones."""

import json
import math
from pathlib import Path

import pytest
import torch
from attrs import evolve

from model_runtime.training.step_filter import StepFilter, TrainingDiverged
from model_runtime.training.train import Trainer
from tests.model_runtime.training.test_train import RECIPE

TWENTY = evolve(RECIPE, train=evolve(RECIPE.train, budget_tokens=0, budget_steps=20))


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
    trainer.run(max_steps=2)
    before = [weight.clone() for weight in trainer.weights]
    trainer.run(max_steps=1)

    assert all(torch.equal(a, b) for a, b in zip(before, trainer.weights, strict=True))
    trainer.run(max_steps=1)
    assert not all(torch.equal(a, b) for a, b in zip(before, trainer.weights, strict=True))
    assert 1 == trainer.step_filter.skipped
    (event,) = events(tmp_path)
    assert "the gradient's norm is" in str(event["reason"])


def test_a_run_of_bad_steps_ends_with_a_sentence_and_good_checkpoints(
    corpus: Path, tokenizer_path: Path, tmp_path: Path
):
    train = evolve(TWENTY.train, max_skipped_steps=3, save_steps=1)
    trainer = Trainer(evolve(TWENTY, train=train), corpus, tokenizer_path, tmp_path)
    inject(trainer, math.nan, set(range(2, 20)))

    with pytest.raises(TrainingDiverged, match=r"3 steps in a row were skipped, .*norm is nan"):
        trainer.run()
    saved = Trainer(evolve(TWENTY, train=train), corpus, tokenizer_path, tmp_path)
    assert all(bool(weight.isfinite().all()) for weight in saved.weights)


def test_a_leap_of_the_gradient_is_skipped_and_the_next_start_remembers_the_curve(
    corpus: Path, tokenizer_path: Path, tmp_path: Path
):
    fifty = evolve(TWENTY.train, budget_steps=50, spike_sigmas=8.0, valid_examples=4)
    recipe = evolve(TWENTY, train=fifty, network=evolve(TWENTY.network, layers=1))
    Trainer(recipe, corpus, tokenizer_path, tmp_path).run(max_steps=36)
    trainer = Trainer(recipe, corpus, tokenizer_path, tmp_path)
    assert 36 == len(trainer.step_filter.losses)
    inject(trainer, 1e6, {38})
    trainer.run(max_steps=4)

    (event,) = events(tmp_path)
    assert 38 == event["step"] - 1 and "above" in str(event["reason"])


def test_a_leap_of_the_loss_is_a_reason_only_when_the_curve_is_known_and_it_is_wanted():
    step_filter, careless = StepFilter(6.0, 20), StepFilter(0.0, 20)
    assert step_filter.reason_to_skip(99.0, 1.0) is None  # the first step may be anything
    step_filter = StepFilter(6.0, 20)
    for step in range(64):
        assert step_filter.reason_to_skip(2.0 + 0.01 * (step % 5), 1.0 + 0.1 * (step % 3)) is None
        careless.reason_to_skip(2.0, 1.0)

    assert step_filter.reason_to_skip(2.06, 1.1) is None
    assert "the loss is 3, above" in str(step_filter.reason_to_skip(3.0, 1.0))
    assert careless.reason_to_skip(30.0, 1.0) is None


def test_a_good_step_ends_a_row_of_bad_ones():
    step_filter = StepFilter(0.0, 3)
    for loss in (math.nan, math.inf, 2.0, math.nan, -math.inf, 2.0):
        step_filter.reason_to_skip(loss, 1.0)

    assert (4, 0) == (step_filter.skipped, step_filter.in_a_row)
