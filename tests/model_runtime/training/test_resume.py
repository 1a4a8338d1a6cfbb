"""A run that was killed, stopped or starved of space ends as if nothing had happened."""

import json
import lzma
import os
import pickle
import resource
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from attrs import evolve

from model_runtime.training.checkpoint import (
    PROGRESS,
    CheckpointError,
    Checkpoints,
    find,
    read_progress,
    read_weights,
)
from model_runtime.training.export import export
from model_runtime.training.initial_weights import read_initial
from model_runtime.training.train import Trainer
from tests.model_runtime.training.runs import TrainingRun
from tests.model_runtime.training.test_train import RECIPE, assert_same_weights, newest_in


@pytest.mark.slow
def test_a_run_killed_in_the_middle_ends_with_the_same_weights_to_the_last_bit(
    corpus: Path, tokenizer_path: Path, tmp_path: Path
):
    whole = TrainingRun(tmp_path / "whole", corpus, tokenizer_path, steps=24)
    whole.finish()
    run = TrainingRun(tmp_path / "killed", corpus, tokenizer_path, steps=24, save_steps=5)
    with run.start() as process:
        run.wait_for_step(11, process)
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert 0 < read_progress(newest_in(run.train))[0].step < 24
    run.finish()

    assert_same_weights(whole.train, run.train)
    assert whole.curve() == run.curve()


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_a_run_politely(
    corpus: Path, tokenizer_path: Path, tmp_path: Path, number: signal.Signals, code: int
):
    run = TrainingRun(tmp_path, corpus, tokenizer_path, steps=100_000)
    with run.start() as process:
        run.wait_for_step(3, process)
        process.send_signal(number)
        output, _ = process.communicate()

    saved = newest_in(run.train)
    assert code == process.returncode, output
    assert number.name in output and f"saved to {saved}" in output
    assert read_progress(saved)[0].step >= 3


@pytest.fixture
def trainer(corpus: Path, tokenizer_path: Path, tmp_path: Path) -> Trainer:
    """A run after two steps, with one checkpoint."""
    trainer = Trainer(RECIPE, corpus, tokenizer_path, tmp_path / "state")
    trainer.run(max_steps=2)
    return trainer


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder that takes 300 kB; less than half of a checkpoint."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode == 0:
        yield folder
        subprocess.run(["umount", folder], check=True)
    else:  # only root may mount; a limit on the size of a file fails alike
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
        yield folder
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_the_old_checkpoint_and_no_half_of_a_new_one(
    trainer: Trainer, small_disk: Path
):
    checkpoints = Checkpoints(small_disk / "checkpoints")
    old = checkpoints.folder / "step-00000001"
    old.mkdir(parents=True)
    (old / PROGRESS).write_text("{}")

    with pytest.raises(CheckpointError, match=r"No space left|File too large") as caught:
        checkpoints.save(trainer.tensors, trainer.progress, trainer.identity)
    assert f"the last whole one is {old}; free some space and rerun" in str(caught.value)
    assert [old] == list(checkpoints.folder.iterdir())


def test_only_the_newest_checkpoints_are_kept(trainer: Trainer):
    for step in (3, 4, 5):
        trainer.progress.step = step
        trainer.save()
    trainer.save("before-decay")
    names = [path.name for path in trainer.checkpoints.folder.iterdir()]

    assert ["before-decay", "step-00000004", "step-00000005"] == sorted(names)


def test_what_a_kill_left_unfinished_is_not_taken_for_a_checkpoint_and_goes_away(trainer: Trainer):
    folder = trainer.checkpoints.folder
    for name in (".step-00000009.unfinished", "step-00000009"):
        (folder / name).mkdir()  # the second: a folder without its progress
    assert "step-00000002" == newest_in(trainer.state).name
    trainer.save()

    assert not (folder / ".step-00000009.unfinished").exists()


@pytest.mark.parametrize("name", ["before-decay", "step-00000002"])
def test_a_checkpoint_that_lost_its_place_is_found_and_put_back(trainer: Trainer, name: str):
    """A save that was killed had moved it away for another one, which never came."""
    folder = trainer.checkpoints.folder
    trainer.save("before-decay")
    (folder / name).rename(folder / f".{name}.replaced")

    assert 2 == read_progress(find(folder / name))[0].step
    assert 2 == read_progress(newest_in(trainer.state))[0].step
    read_initial(folder / name, trainer.identity.tokenizer)
    trainer.progress.step = 3
    trainer.save()
    assert ["before-decay", "step-00000002", "step-00000003"] == sorted(
        path.name for path in folder.iterdir()
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"data": evolve(RECIPE.data, fim_rate=0.5)}, "another recipe: data.fim_rate is 0.9"),
        ({"network": evolve(RECIPE.network, layers=3)}, "network.layers is 2 there and 3 here"),
        ({"optimizer": evolve(RECIPE.optimizer, name="adamw")}, "optimizer.name is 'muon'"),
    ],
)
def test_a_checkpoint_of_another_recipe_is_refused(
    trainer: Trainer,
    corpus: Path,
    tokenizer_path: Path,
    change: dict[str, object],
    words: str,
):
    with pytest.raises(CheckpointError, match=words):
        Trainer(evolve(RECIPE, **change), corpus, tokenizer_path, trainer.state)


def test_a_checkpoint_of_a_version_that_knew_fewer_settings_is_taken(
    trainer: Trainer, corpus: Path, tokenizer_path: Path
):
    """A new setting has a default that keeps what was there, so no run ends by it."""
    path = newest_in(trainer.state) / PROGRESS
    content = json.loads(path.read_text())
    assert "muon" == content["identity"]["recipe"]["optimiser"]["name"]
    assert content["guard"].keys() == trainer.step_filter.state().keys()
    del content["identity"]["recipe"]["data"]["hole_start"]
    path.write_text(json.dumps(content))
    resumed = Trainer(RECIPE, corpus, tokenizer_path, trainer.state)

    assert 2 == resumed.progress.step


def test_a_corpus_that_changed_under_a_run_is_noticed(
    trainer: Trainer, corpus: Path, tokenizer_path: Path, tmp_path: Path
):
    changed = tmp_path / "changed"
    shutil.copytree(corpus, changed)
    (index,) = changed.glob("valid-*.tsv.xz")
    index.write_bytes(lzma.compress(lzma.decompress(index.read_bytes())[:-2] + b"9\n"))

    with pytest.raises(CheckpointError, match=r"the corpus is not the one that .*step-00000002"):
        Trainer(RECIPE, changed, tokenizer_path, trainer.state)


def test_a_tokenizer_that_changed_under_a_run_is_noticed(
    trainer: Trainer, corpus: Path, tokenizer_path: Path, tmp_path: Path
):
    other = tmp_path / "tokenizer.json"
    other.write_text(tokenizer_path.read_text().replace('"added_tokens"', ' "added_tokens"'))

    with pytest.raises(CheckpointError, match="the tokenizer is not the one"):
        Trainer(RECIPE, corpus, other, trainer.state)


def test_another_run_begins_with_the_weights_of_one(
    trainer: Trainer, corpus: Path, tokenizer_path: Path, tmp_path: Path
):
    """Weights come from the run's folder, and from the file of an exported model."""
    export(RECIPE, trainer.state, tokenizer_path, corpus, tmp_path / "export")
    for number, weights in enumerate((trainer.state, tmp_path / "export" / "model.safetensors")):
        other = Trainer(RECIPE, corpus, tokenizer_path, tmp_path / str(number))
        other.begin_with(weights)
        for one, another in zip(trainer.weights, other.weights, strict=True):
            assert torch.equal(one, another)


def test_weights_that_are_nowhere_are_said_to_be_missing(trainer: Trainer, tmp_path: Path):
    with pytest.raises(CheckpointError, match="no checkpoint in"):
        trainer.progress.step = 0
        trainer.begin_with(tmp_path / "nothing")


def test_a_description_that_would_run_code_is_refused(trainer: Trainer):
    """A checkpoint's .metadata is a pickle; only its own classes may come out of it."""
    folder = newest_in(trainer.state)
    for call in (os.system, pickle.loads, torch.load):
        (folder / ".metadata").write_bytes(pickle.dumps(Caller(call)))
        with pytest.raises(CheckpointError, match="does not belong there"):
            read_weights(folder)


class Caller:
    def __init__(self, function: Callable[..., object]) -> None:
        self.function = function

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return self.function, ("true",)
