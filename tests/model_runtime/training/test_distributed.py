"""Several processes train as one does, and go on where any other number stopped."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from model_runtime.training.checkpoint import newest, read_weights
from model_runtime.training.recipe_files import RECIPES
from tests.model_runtime.training.runs import ONE_THREAD, TrainingRun, worker

ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def alone(
    corpus: Path, tokenizer_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> TrainingRun:
    """One process, in one go."""
    run = TrainingRun(tmp_path_factory.mktemp("alone"), corpus, tokenizer_path)
    run.finish()
    return run


def weights_of(run: TrainingRun) -> dict[str, torch.Tensor]:
    folder = newest(run.train / "checkpoints")
    assert folder is not None
    return read_weights(folder)


@pytest.mark.parametrize("strategy", ["ddp", "fsdp2"])
def test_two_processes_learn_as_one_does(
    alone: TrainingRun, corpus: Path, tokenizer_path: Path, tmp_path: Path, strategy: str
):
    """Muon and AdamW; gradients, clipping, updates: any mistake would show in the curve."""
    run = TrainingRun(tmp_path, corpus, tokenizer_path, strategy=strategy)
    run.finish(processes=2)

    assert 8 == len(alone.curve())
    assert alone.curve() == pytest.approx(run.curve(), abs=1e-3)
    # Adam and Muon hide a wrong scale of the gradient; its norm does not.
    assert alone.curve("norm") == pytest.approx(run.curve("norm"), rel=1e-2)
    assert alone.curve()[0] - alone.curve()[-1] > 0.5
    for name, weight in weights_of(alone).items():
        torch.testing.assert_close(weight, weights_of(run)[name], rtol=0.02, atol=2e-3)


def test_a_checkpoint_of_two_processes_is_read_by_one_and_the_reverse(
    alone: TrainingRun, corpus: Path, tokenizer_path: Path, tmp_path: Path
):
    """FSDP2 on two, then one, then DDP on two: the curve of one run."""
    run = TrainingRun(tmp_path, corpus, tokenizer_path, strategy="fsdp2")
    for processes, steps, strategy in ((2, 3, "fsdp2"), (1, 2, "fsdp2"), (2, 3, "ddp")):
        run.set_strategy(strategy)
        run.finish(processes, ["--steps", str(steps)])

    assert alone.curve() == pytest.approx(run.curve(), abs=1e-3)
    assert alone.curve("row") == run.curve("row")
    assert alone.curve("tokens") == run.curve("tokens")


@pytest.mark.parametrize("strategy", ["ddp", "fsdp2"])
def test_a_nan_on_one_process_makes_all_skip_the_step(
    corpus: Path, tokenizer_path: Path, tmp_path: Path, strategy: str
):
    run = TrainingRun(tmp_path, corpus, tokenizer_path, strategy=strategy)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command += ["-m", "tests.model_runtime.training.spoiled", str(run.recipe), str(run.out)]
    done = subprocess.run(
        command, env={**os.environ, **ONE_THREAD}, capture_output=True, text=True, cwd=ROOT
    )

    assert done.returncode == 0, done.stderr
    # The rate of the first step is 0.
    expected = {"moved": [False, True, False, True], "skipped": 1}
    for rank in (0, 1):
        assert expected == json.loads((run.out / f"rank-{rank}.json").read_text())


def test_a_process_that_dies_ends_the_others_with_a_sentence(
    corpus: Path, tokenizer_path: Path, tmp_path: Path
):
    run = TrainingRun(tmp_path, corpus, tokenizer_path, steps=100_000, save_steps=2)
    torchrun = run.start(processes=2)
    run.wait_for_step(3, torchrun)
    os.kill(worker(torchrun.pid, 1), signal.SIGKILL)
    output, _ = torchrun.communicate()

    assert torchrun.returncode != 0
    assert "another process of this run has ended" in output
    assert "The same command goes on from" in output and "step-0000" in output


def test_torchrun_starts_a_dead_process_again_and_the_curve_is_whole(
    alone: TrainingRun, corpus: Path, tokenizer_path: Path, tmp_path: Path
):
    run = TrainingRun(tmp_path, corpus, tokenizer_path, save_steps=2)
    torchrun = run.start(processes=2, restarts=1)
    run.wait_for_step(3, torchrun)
    os.kill(worker(torchrun.pid, 0), signal.SIGKILL)
    output, _ = torchrun.communicate()

    assert torchrun.returncode == 0, output
    assert alone.curve() == pytest.approx(run.curve(), abs=1e-3)


def test_the_reference_models_network_takes_a_step_at_full_width_on_two_processes(
    corpus: Path, tokenizer_path: Path, tmp_path: Path
):
    """2 of the 24 layers, a small vocabulary, short rows; the rest is the recipe's: bfloat16,
    FSDP2, recomputed layers, AdamW."""
    small = """extends = "fim-neox-1.3b"
[tokenizer]
vocabulary = 400
[network]
layers = 2
context = 128
[data]
window_tokens = [64, 120]
[train]
budget_steps = 1
rows_per_step = 2
rows_at_once = 1
compile_layers = false
threads = 2
workers = 0
block_mb = 0.02
valid_examples = 4
tensorboard = false
"""
    run = TrainingRun(tmp_path, corpus, tokenizer_path)
    shutil.copy(RECIPES / "fim-neox-1.3b.toml", run.recipe.parent)
    run.recipe.write_text(small)
    output = run.finish(processes=2)

    # 2 x (12 x 2048^2 + 13 x 2048) + 2 x 2048 + 2 x 400 x 2048, untied
    assert "102,359,040 parameters on cpu, 2 process(es), fsdp2" in output
    assert 1 == len(run.curve()) and 5.0 < run.curve()[0] < 8.0
