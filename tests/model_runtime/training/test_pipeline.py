"""Stages run in order, once."""

import json
from pathlib import Path

import pytest

from model_runtime.training import pipeline
from model_runtime.training.__main__ import main

from .conftest import python_text, write_wheel

RECIPE = """
[corpus]
block_mb = 0.05
[tokenizer]
vocabulary = 400
[network]
layers = 1
width = 32
heads = 2
context = 128
[data]
window_tokens = [20, 90]
windows_per_document = 2
attention_within = "example"
[train]
budget_tokens = 1500
rows_per_step = 4
rows_at_once = 4
loss_chunk = 64
workers = 0
block_mb = 0.02
valid_examples = 4
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model from nothing but a folder of wheels."""
    folder = tmp_path_factory.mktemp("pipeline")
    for number in range(2):
        texts = {f"{i}.py": python_text(10 * number + i, 100 if number else 10) for i in range(5)}
        write_wheel(folder / "wheels", f"package{number}", texts)
    (folder / "recipe.toml").write_text(RECIPE)
    pipeline.run(
        folder / "recipe.toml",
        folder / "out",
        roots=[folder / "wheels"],
        processes=0,
        table_bits=20,
    )
    return folder


def test_wheels_become_a_model_folder(made: Path):
    export = made / "out" / "export"
    expected = {
        "README.md",
        "config.json",
        "corpus_manifest.json",
        "fim_config.json",
        "generation_config.json",
        "licences.tsv",
        "model.safetensors",
        "stage.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "training_log.jsonl",
    }

    assert expected == {path.name for path in export.iterdir()}
    assert json.loads((export / "fim_config.json").read_text())["name"] == "recipe"


def test_stages_that_are_up_to_date_are_skipped(made: Path):
    again = {"export", "bundle"}  # a checkpoint may have gone on since
    before = {
        p: p.stat().st_mtime_ns for p in (made / "out").rglob("*") if not again & set(p.parts)
    }
    pipeline.run(made / "recipe.toml", made / "out")

    assert before == {p: p.stat().st_mtime_ns for p in before}


def test_a_changed_recipe_repeats_the_stages_that_depend_on_it(made: Path, tmp_path: Path):
    recipe = pipeline.read_recipe(made / "recipe.toml")
    (tmp_path / "recipe.toml").write_text(RECIPE.replace("vocabulary = 400", "vocabulary = 500"))
    changed = pipeline.read_recipe(tmp_path / "recipe.toml")
    same = [pipeline.stage_key(recipe, n) == pipeline.stage_key(changed, n) for n in range(4)]

    assert same == [True, False, False, False]


def test_a_stage_without_its_forerunner_says_which_is_missing(made: Path, tmp_path: Path):
    with pytest.raises(pipeline.PipelineError, match="run the stage corpus first"):
        pipeline.run(made / "recipe.toml", tmp_path, "tokenizer")


def test_the_command_line_reports_mistakes_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main([str(tmp_path / "none.toml"), "--out", str(tmp_path)]) == 1
    assert "none.toml" in capsys.readouterr().err
