"""A snapshot carries the weights of a run to another one, on another machine."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from attrs import evolve
from safetensors import safe_open

from model_runtime.training.__main__ import main
from model_runtime.training.checkpoint import CheckpointError
from model_runtime.training.train import Trainer
from tests.support.random_models import DECODERS, make_bundle

from .runs import TrainingRun
from .test_train import RECIPE


@pytest.fixture
def run(corpus: Path, tokenizer_path: Path, tmp_path: Path) -> TrainingRun:
    """A run of two steps."""
    made = TrainingRun(tmp_path / "first", corpus, tokenizer_path, steps=2)
    assert main([str(made.recipe), "--out", str(made.out), "--stage", "train"]) == 0
    return made


def test_a_run_goes_on_from_the_snapshot_of_another(
    run: TrainingRun, corpus: Path, tokenizer_path: Path, tmp_path: Path
):
    snapshot = tmp_path / "kept" / "weights.safetensors"
    assert main([str(run.recipe), "--out", str(run.out), "--snapshot", str(snapshot)]) == 0
    second = TrainingRun(tmp_path / "second", corpus, tokenizer_path, steps=2)
    code = main(
        [
            *(str(second.recipe), "--out", str(second.out), "--stage", "train"),
            *("--initial", str(snapshot)),
        ]
    )
    first_losses, second_losses = (made.curve() for made in (run, second))

    assert code == 0
    assert second_losses[0] < first_losses[0]
    with safe_open(snapshot, "pt") as file:
        assert "2" == file.metadata()["step"]
        assert {torch.bfloat16} == {file.get_tensor(name).dtype for name in file.keys()}  # noqa: SIM118
    assert [snapshot] == list(snapshot.parent.iterdir())


def test_the_weights_of_a_snapshot_are_those_of_the_run_in_bfloat16(
    run: TrainingRun, corpus: Path, tokenizer_path: Path, tmp_path: Path
):
    snapshot = tmp_path / "weights.safetensors"
    main([str(run.recipe), "--out", str(run.out), "--snapshot", str(snapshot)])
    trainers = [Trainer(RECIPE, corpus, tokenizer_path, tmp_path / name) for name in ("a", "b")]
    for trainer, weights in zip(trainers, (run.out, snapshot), strict=True):
        trainer.begin_with(weights)
    for exact, rounded in zip(*(trainer.weights for trainer in trainers), strict=True):
        assert torch.equal(exact.bfloat16().float(), rounded)
        assert rounded.dtype == torch.float32


@pytest.mark.parametrize("name", ["bundle", "bundle/model.safetensors"])
def test_a_run_begins_with_the_rounded_weights_of_a_bundle(
    run: TrainingRun, corpus: Path, tokenizer_path: Path, tmp_path: Path, name: str
):
    """A bundle has int8 matrices with a scale for each row, under names of its own."""
    for stage in ("export", "bundle"):
        assert main([str(run.recipe), "--out", str(run.out), "--stage", stage]) == 0
    exact, begun = (Trainer(RECIPE, corpus, tokenizer_path, tmp_path / it) for it in ("a", "b"))
    exact.begin_with(run.out)
    begun.begin_with(run.out / name)

    for weight, rounded in zip(exact.weights, begun.weights, strict=True):
        step = weight.detach().abs().max() / 127
        assert torch.allclose(weight, rounded, rtol=0, atol=float(step) / 2 + 1e-6)
    assert not all(map(torch.equal, exact.weights, begun.weights))


@pytest.mark.parametrize("spec", ["grouped heads, rms norm, gated", "layer norm without biases"])
def test_a_model_of_another_family_is_no_beginning(
    corpus: Path, tokenizer_path: Path, tmp_path: Path, spec: str
):
    bundle = make_bundle(tmp_path, DECODERS[spec])
    begun = Trainer(RECIPE, corpus, tokenizer_path, tmp_path / "begun")

    with pytest.raises(CheckpointError, match="holds another network"):
        begun.begin_with(bundle.path)


def test_a_damaged_bundle_to_begin_with_is_one_sentence(
    run: TrainingRun, corpus: Path, tokenizer_path: Path, tmp_path: Path
):
    for stage in ("export", "bundle"):
        main([str(run.recipe), "--out", str(run.out), "--stage", stage])
    weights = run.out / "bundle" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])
    begun = Trainer(RECIPE, corpus, tokenizer_path, tmp_path / "begun")

    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        begun.begin_with(run.out / "bundle")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.write_bytes(b"no weights"), "is no readable snapshot"),
        (lambda path: path.unlink(), "is no readable snapshot"),
    ],
    ids=["damaged", "not there"],
)
def test_a_snapshot_that_cannot_be_read_is_one_sentence(
    run: TrainingRun,
    corpus: Path,
    tokenizer_path: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    spoil: Callable[[Path], object],
    words: str,
):
    snapshot = tmp_path / "weights.safetensors"
    main([str(run.recipe), "--out", str(run.out), "--snapshot", str(snapshot)])
    spoil(snapshot)
    other = TrainingRun(tmp_path / "other", corpus, tokenizer_path, steps=2)
    arguments = ["--stage", "train", "--initial", str(snapshot)]
    code = main([str(other.recipe), "--out", str(other.out), *arguments])

    assert code == 1
    assert words in capfd.readouterr().err.splitlines()[-1]


def test_weights_of_another_network_or_tokenizer_are_refused(
    run: TrainingRun, corpus: Path, tokenizer_path: Path, tmp_path: Path
):
    snapshot = tmp_path / "weights.safetensors"
    main([str(run.recipe), "--out", str(run.out), "--snapshot", str(snapshot)])
    deeper = evolve(RECIPE, network=evolve(RECIPE.network, layers=3))
    other_tokenizer = tmp_path / "tokenizer.json"
    content = json.loads(tokenizer_path.read_text())
    other_tokenizer.write_text(json.dumps(content, indent=3))
    for weights in (snapshot, run.out):
        with pytest.raises(CheckpointError, match=r"another network: gpt_neox\.layers\.2"):
            Trainer(deeper, corpus, tokenizer_path, tmp_path / "deeper").begin_with(weights)
        with pytest.raises(CheckpointError, match="another tokenizer"):
            Trainer(RECIPE, corpus, other_tokenizer, tmp_path / "ids").begin_with(weights)


@pytest.mark.parametrize(
    ("out", "name", "words"),
    [
        ("nothing", "weights.safetensors", "no checkpoint in"),
        ("first/out", "weights.bin", "ends with .safetensors"),
        ("first/out", "recipe.toml/weights.safetensors", "cannot be written"),
    ],
    ids=["no run", "odd name", "no folder"],
)
def test_a_snapshot_that_cannot_be_made_is_one_sentence(
    run: TrainingRun,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    out: str,
    name: str,
    words: str,
):
    folder = run.recipe.parent
    code = main([str(run.recipe), "--out", str(tmp_path / out), "--snapshot", str(folder / name)])

    assert code == 1
    assert words in capfd.readouterr().err
