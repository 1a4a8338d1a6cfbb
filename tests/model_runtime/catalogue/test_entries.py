"""The table of public models, and what is said of one that cannot be used."""

import json

import pytest

from model_runtime.catalogue import entries
from model_runtime.errors import CatalogueError
from model_runtime.prompt.published import PUBLISHED

ROW = {
    "name": "small",
    "family": "Small",
    "parameters": 1000,
    "license": "MIT",
    "license_url": "https://example.org/license",
    "is_permissive": True,
    "languages": "Python",
    "repository": "org/small",
    "file": "small.gguf",
    "revision": "",
    "sha256": "",
    "download_bytes": 1000,
    "prompt_format": "",
    "context_length": 512,
    "layers": 2,
    "hidden": 8,
    "kv_width": 8,
    "vocabulary": 100,
    "is_tied": True,
    "scores": [],
    "quality": 1.0,
}


@pytest.fixture
def catalogue(tmp_path, monkeypatch):
    """Returns a function that makes a file with these rows the catalogue."""

    def use(*rows, **changes):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.json"
        table = {"format_version": 1, "about": "", "models": list(rows)} | changes
        path.write_text(json.dumps(table))
        monkeypatch.setenv(entries.VARIABLE, str(path))
        return path

    return use


def test_every_row_of_the_package_can_be_read():
    names = [model.name for model in entries.catalogue()]

    assert len(names) >= 10
    assert {"qwen2.5-coder-0.5b", "qwen2.5-coder-7b", "starcoder2-3b", "mellum-4b"} <= set(names)


@pytest.mark.parametrize("model", entries.catalogue(), ids=lambda model: model.name)
def test_a_row_of_the_package_fits_together(model):
    embedding = model.vocabulary * model.hidden * (1 if model.is_tied else 2)

    assert model.prompt_format in (*PUBLISHED, "")
    assert embedding < model.parameters
    # Four attention matrices at least, and a feed-forward part of at most eight times the width.
    assert model.parameters - embedding < model.layers * model.hidden**2 * 40
    assert model.scores and all(score.source for score in model.scores)
    assert model.license_url.startswith("https://")
    assert 0.4 < model.download_bytes / model.parameters < 4.1


def test_a_model_is_found_by_its_name():
    found = entries.find_model("qwen2.5-coder-0.5b")

    assert "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF" == found.repository
    assert 491_400_064 == found.download_bytes
    assert entries.find_model("nothing") is None


@pytest.mark.parametrize(
    ("written", "near"),
    [
        ("qwen2.5-coder", "qwen2.5-coder-0.5b"),
        ("starcoder-3b", "starcoder2-3b"),
        ("Mellum", "mellum-4b"),
        ("deepseek-coder-1.3", "deepseek-coder-1.3b"),
    ],
)
def test_a_misspelled_name_has_near_ones(written, near):
    assert near in entries.near_names(written)


def test_another_file_takes_the_place_of_the_table(catalogue):
    catalogue(ROW)

    assert ["small"] == [model.name for model in entries.catalogue()]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"parameters": "many"}, r"models\[0\]\.parameters must be a whole number"),
        ({"layers": 0}, r"models\[0\]\.layers must be at least 1"),
        ({"quality": 101}, r"models\[0\]\.quality must be at least 0 and at most 100"),
        ({"revision": "main"}, "revision of 'small' is 'main', not a commit of 40 hex digits"),
        ({"sha256": "abc"}, "sha256 of 'small' is 'abc', not 64 hex digits"),
        ({"repository": "small"}, "repository of 'small' is 'small', not ORG/NAME"),
        ({"file": "../x.gguf"}, r"file of 'small' is '\.\./x\.gguf', not the name of a \.gguf"),
        ({"name": "a/b"}, "name of 'a/b' is 'a/b', not letters"),
        ({"file": "", "sha256": "0" * 64}, "belongs to a file, and the row names none"),
        ({"scores": [{"benchmark": "x", "value": 3}]}, r"scores\[0\]\.source is missing"),
        ({"size": 3}, r"unknown entry models\[0\]\.'size'"),
    ],
)
def test_a_wrong_entry_is_named(catalogue, changes, problem):
    path = catalogue(ROW | changes)

    with pytest.raises(CatalogueError, match=problem) as raised:
        entries.catalogue()
    assert str(path) in str(raised.value)


def test_a_row_without_an_entry_is_refused(catalogue):
    catalogue({name: value for name, value in ROW.items() if name != "license"})

    with pytest.raises(CatalogueError, match=r"models\[0\]\.license is missing"):
        entries.catalogue()


def test_two_rows_of_one_name_are_refused(catalogue):
    catalogue(ROW, ROW)

    with pytest.raises(CatalogueError, match="two rows named small"):
        entries.catalogue()


def test_another_format_is_refused(catalogue):
    catalogue(ROW, format_version=2)

    with pytest.raises(CatalogueError, match="format_version must be at least 1 and at most 1"):
        entries.catalogue()


def test_a_missing_file_is_named_with_the_variable(monkeypatch, tmp_path):
    monkeypatch.setenv(entries.VARIABLE, str(tmp_path / "none.json"))

    with pytest.raises(CatalogueError, match=r"none\.json cannot be read .*FIM_LSP_CATALOGUE"):
        entries.catalogue()


def test_a_file_that_is_no_json_is_refused(monkeypatch, tmp_path):
    (tmp_path / "table.json").write_text("models = []")
    monkeypatch.setenv(entries.VARIABLE, str(tmp_path / "table.json"))

    with pytest.raises(CatalogueError, match="it is not JSON"):
        entries.catalogue()
