"""Stages run in order, once."""

import json
import shutil
from pathlib import Path

import pytest

from model_runtime.training import pipeline, stages
from model_runtime.training.__main__ import main
from model_runtime.training.documents import Documents, unpack
from model_runtime.training.recipe import read_recipe
from tests.model_runtime.training.conftest import python_text, write_wheel

MIT_TEXT = "Permission is hereby granted, free of charge, to any person obtaining a copy\n"
RECIPE = """
[executor]
tasks = 1
workers = 1
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
    again = {"export", "bundle", "score"}  # a checkpoint may have gone on since
    before = {
        p: p.stat().st_mtime_ns for p in (made / "out").rglob("*") if not again & set(p.parts)
    }
    pipeline.run(made / "recipe.toml", made / "out")

    assert before == {p: p.stat().st_mtime_ns for p in before}


def test_the_bundle_is_scored_on_what_the_corpus_held_out(made: Path):
    score = made / "out" / "score"
    report = json.loads((score / "held-out" / "report.json").read_text())

    assert ["floor", "raw", "server"] == [entry["label"] for entry in report["scores"]]
    assert report["scores"][0]["exact_match"]["mean"] == 0.0
    assert "Corpus, held-out lines: recipe" in (score / "report.md").read_text()


def test_a_run_goes_on_without_saying_its_roots_again(made: Path):
    """The corpus is not made anew, though the recipe names no root."""
    before = (made / "out" / "corpus" / "manifest.json").stat().st_mtime_ns
    pipeline.run(made / "recipe.toml", made / "out", "corpus")
    pipeline.run(made / "recipe.toml", made / "out", "corpus", roots=[made / "wheels"])

    assert before == (made / "out" / "corpus" / "manifest.json").stat().st_mtime_ns


def test_a_stage_that_was_ended_by_force_is_begun_anew(made: Path, tmp_path: Path):
    shutil.copytree(made / "out" / "corpus", tmp_path / "corpus")
    shutil.copytree(made / "out" / "tokenizer", tmp_path / "tokenizer")
    mark = tmp_path / "tokenizer" / "stage.json"
    mark.write_text(mark.read_text().replace("true", "false"))
    (tmp_path / "tokenizer" / "tokenizer.json").write_text("half of an older one")
    pipeline.run(made / "recipe.toml", tmp_path, "tokenizer")
    expected = (made / "out" / "tokenizer" / "tokenizer.json").read_bytes()

    assert expected == (tmp_path / "tokenizer" / "tokenizer.json").read_bytes()


def test_other_roots_make_another_corpus(made: Path, tmp_path: Path):
    write_wheel(tmp_path / "more", "other", {f"{i}.py": python_text(900 + i) for i in range(9)})
    shutil.copytree(made / "out" / "corpus", tmp_path / "corpus")
    pipeline.run(made / "recipe.toml", tmp_path, "corpus", roots=[tmp_path / "more"])

    assert "other" in (tmp_path / "corpus" / "licences.tsv").read_text()


def test_a_changed_recipe_repeats_the_stages_that_depend_on_it(made: Path, tmp_path: Path):
    recipe = read_recipe(made / "recipe.toml")
    (tmp_path / "recipe.toml").write_text(RECIPE.replace("vocabulary = 400", "vocabulary = 500"))
    changed = read_recipe(tmp_path / "recipe.toml")
    keys = [
        [pipeline.stage_key(stages.Run(r, tmp_path), n) for n in range(4)]
        for r in (recipe, changed)
    ]
    same = [one == other for one, other in zip(*keys, strict=True)]

    assert same == [True, False, False, False]


def test_a_stage_without_its_forerunner_says_which_is_missing(made: Path, tmp_path: Path):
    with pytest.raises(stages.PipelineError, match="run the stage corpus first"):
        pipeline.run(made / "recipe.toml", tmp_path, "tokenizer")


def test_the_command_line_reports_mistakes_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main([str(tmp_path / "none.toml"), "--out", str(tmp_path)]) == 1
    assert "none.toml" in capsys.readouterr().err


def write_project(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir()
    (folder / "LICENSE").write_text(MIT_TEXT)
    (folder / "pyproject.toml").write_text('[project]\nname = "alone"\nlicense = "MIT"\n')
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    return folder


def test_a_single_project_is_divided_into_training_and_held_out_documents(tmp_path: Path):
    """Its size is that of packages that are held out where there are several."""
    texts = {f"part_{i}.py": python_text(i, 60) for i in range(12)}
    project = write_project(tmp_path / "alone", texts)
    (tmp_path / "recipe.toml").write_text(RECIPE.replace("workers = 0", "workers = 1"))
    out = tmp_path / "out"
    code = main([str(tmp_path / "recipe.toml"), "--out", str(out), "--root", str(project)])
    unpack(out / "corpus", tmp_path / "unpacked")
    kinds = [Documents(tmp_path / "unpacked", kind) for kind in ("train", "valid")]
    texts_of = [{kind.text(i) for i in range(len(kind))} for kind in kinds]

    assert code == 0
    assert (out / "bundle" / "manifest.json").exists()
    assert not texts_of[0] & texts_of[1]
    assert len(texts_of[1]) < len(texts_of[0])
    assert set(texts.values()) == texts_of[0] | texts_of[1]


@pytest.mark.parametrize(
    ("files", "changes", "sentence"),
    [
        ({}, {}, "no file has an ending of corpus.suffixes, or git tracks none"),
        ({"short.py": "x = 1\n"}, {}, "no document is left"),
        ({"a.py": python_text(1)}, {}, "needs two at least"),
        (
            {f"{i}.pyi": python_text(i) for i in range(4)},
            {},
            "no document gave a row in a whole epoch",
        ),
        (
            {f"{i}.py": python_text(i) for i in range(4)},
            {"[data]": "[data]\nmin_docstrings = 99"},
            "no document gave a row in a whole epoch",
        ),
        (
            {f"test_{i}.py": python_text(i) for i in range(4)},
            {"[corpus]": "[selection]\nfunctions = true\n[corpus]"},
            "none was selected",
        ),
        (
            {f"{i}.py": python_text(i) for i in range(4)},
            {"context = 128": "context = 4", "[20, 90]": "[2, 3]"},
            "the held-out documents gave no example of the kind 'line'",
        ),
    ],
    ids=[
        *("no file", "nothing usable", "one document", "stubs", "no docstrings", "no function"),
        "no room for a middle",
    ],
)
@pytest.mark.parametrize("workers", [0, 1])
def test_a_project_with_nothing_to_train_on_is_one_sentence(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    files: dict[str, str],
    changes: dict[str, str],
    sentence: str,
    workers: int,
):
    project = write_project(tmp_path / "alone", files)
    recipe = RECIPE.replace("workers = 0", f"workers = {workers}")
    for old, new in changes.items():
        recipe = recipe.replace(old, new)
    (tmp_path / "recipe.toml").write_text(recipe)
    code = main(
        [str(tmp_path / "recipe.toml"), "--out", str(tmp_path / "out"), "--root", str(project)]
    )
    said = capfd.readouterr().err

    assert code == 1
    assert sentence in said.splitlines()[-1]
    assert "Traceback" not in said
