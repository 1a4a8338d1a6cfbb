"""A tiny network learns, can be killed, and becomes a model that transformers reads."""

import json
from pathlib import Path

import pytest
import torch
from attrs import evolve

from model_runtime.prompt.orders import FimTokens
from model_runtime.training.checkpoint import newest, read_progress, read_weights
from model_runtime.training.export import ExportError, export
from model_runtime.training.forward import Batch, hidden_states
from model_runtime.training.packing import PackedRows
from model_runtime.training.recipe import (
    DataRecipe,
    NetworkRecipe,
    OptimizerRecipe,
    Recipe,
    TrainRecipe,
)
from model_runtime.training.train import Trainer
from tests.support.requirements import required_module

RECIPE = Recipe(
    name="test",
    network=NetworkRecipe(layers=2, width=32, heads=2, context=128),
    data=DataRecipe(window_tokens=(20, 90), windows_per_document=3, attention_within="example"),
    optimizer=OptimizerRecipe(learning_rate=1e-2),
    train=TrainRecipe(
        budget_tokens=8000,
        rows_per_step=4,
        rows_at_once=2,
        loss_chunk=64,
        dtype="float32",
        threads=1,
        workers=0,
        block_mb=0.02,
        valid_examples=8,
        log_seconds=0.0,
    ),
)


def log_of(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "training_log.jsonl").read_text().splitlines()]


def newest_in(run: Path) -> Path:
    found = newest(run / "checkpoints")
    assert found is not None
    return found


def assert_same_weights(one: Path, other: Path) -> None:
    """Asserts that weights are equal to the last bit."""
    expected, found = read_weights(newest_in(one)), read_weights(newest_in(other))
    assert expected.keys() == found.keys()
    for name, weight in expected.items():
        assert torch.equal(weight, found[name]), name


@pytest.fixture(scope="module")
def trained(corpus: Path, tokenizer_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """State of a whole run in one go."""
    state = tmp_path_factory.mktemp("state")
    Trainer(RECIPE, corpus, tokenizer_path, state).run()
    return state


def test_loss_falls(trained: Path):
    losses = [entry["loss"] for entry in log_of(trained) if "loss" in entry]

    assert losses[-1] < 0.75 * losses[0]


def test_validation_is_logged(trained: Path):
    (valid,) = [entry for entry in log_of(trained) if entry.get("event") == "valid"]

    assert {"ltr_bpb", "mid_bpb", "line_bpb", "eod", "exact_line"} <= valid.keys()
    assert 0 < valid["mid_bpb"] < 9


def test_a_run_that_was_stopped_ends_with_the_same_weights(
    trained: Path, corpus: Path, tokenizer_path: Path, tmp_path: Path
):
    for max_steps in (3, 4, None):
        Trainer(RECIPE, corpus, tokenizer_path, tmp_path).run(max_steps)
    (one, _), (other, _) = (read_progress(newest_in(run)) for run in (trained, tmp_path))

    assert (one.step, one.tokens, one.row) == (other.step, other.tokens, other.row)
    assert_same_weights(trained, tmp_path)


@pytest.mark.parametrize("rows_at_once", [1, 4])
def test_micro_batches_do_not_change_the_gradient(
    corpus: Path, tokenizer_path: Path, tmp_path: Path, rows_at_once: int
):
    rows = None
    found = []
    for size in (2, rows_at_once):
        recipe = evolve(RECIPE, train=evolve(RECIPE.train, rows_at_once=size))
        trainer = Trainer(recipe, corpus, tokenizer_path, tmp_path / str(size))
        rows = rows or trainer.source.open().make(0).rows.take(0, 4)
        trainer.gradients.compute(rows)
        found.append(trainer.network.head.grad)

    torch.testing.assert_close(*found)


def test_a_trained_model_is_one_that_transformers_reads(
    trained: Path, corpus: Path, tokenizer_path: Path, tokens: FimTokens, tmp_path: Path
):
    """Logits of the exported model equal those of the network in training."""
    transformers = required_module("transformers")
    out = export(RECIPE, trained, tokenizer_path, corpus, tmp_path / "model")
    model = transformers.AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32)
    network = Trainer(RECIPE, corpus, tokenizer_path, trained).network
    ids = torch.randint(8, 400, (1, 50), generator=torch.manual_seed(0))
    batch = Batch.of(PackedRows(ids.int().numpy(), [[50]]), False, torch.device("cpu"))
    with torch.no_grad():
        expected = hidden_states(network, batch, torch.float32) @ network.head.T
        found = model(ids).logits[0]

    torch.testing.assert_close(expected, found, rtol=1e-4, atol=1e-5)


def test_an_export_says_how_the_model_must_be_prompted(
    trained: Path, corpus: Path, tokenizer_path: Path, tokens: FimTokens, tmp_path: Path
):
    out = export(RECIPE, trained, tokenizer_path, corpus, tmp_path)
    fim = json.loads((out / "fim_config.json").read_text())
    config = json.loads((out / "config.json").read_text())

    assert fim["order"] == "spm1"
    assert 128 == fim["context"] == config["max_position_embeddings"]
    assert fim["ids"] == {"end": 0, "suffix": 1, "prefix": 2, "middle": 3, "pad": 4, "file": 5}
    assert fim["tokens"]["suffix"] == "<|SUF|>"
    assert fim["training"]["share_of_budget"] == 1.0
    assert fim["parameters"] == 2 * (12 * 32**2 + 13 * 32) + 2 * 32 + 400 * 32
    assert 1.0 == config["rotary_pct"] == config["rope_parameters"]["partial_rotary_factor"]
    assert (out / "corpus_manifest.json").exists()


def test_an_export_without_a_checkpoint_says_so(corpus: Path, tokenizer_path: Path, tmp_path: Path):
    with pytest.raises(ExportError, match="train first"):
        export(RECIPE, tmp_path, tokenizer_path, corpus, tmp_path / "out")
