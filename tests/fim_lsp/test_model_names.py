"""`--model`: a name is a name, and a path a path."""

import json
import shutil

import pytest

from fim_lsp.cli import main
from model_runtime.store import installed


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """A project that holds a model in the folder `mymodel`, and is worked in."""
    shutil.copytree(installed.default_folder(), tmp_path / "mymodel")
    (tmp_path / "x.py").write_text("def add(a, b):\n    return a + \n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def complete(model):
    return main(["complete", "x.py:2:16", "--json", "--engine", "onnx", "--model", model])


def test_a_folder_of_the_project_is_not_taken_for_a_model_of_its_name(capsys):
    assert 1 == complete("mymodel")
    assert "no model has the name 'mymodel'" in capsys.readouterr().err


def test_a_repository_that_was_not_added_is_told_how_to_add_it(project, capsys):
    with pytest.raises(SystemExit, match="2"):
        complete("org/other")
    assert "is added with: fim-runtime models add org/other" in capsys.readouterr().err


@pytest.mark.parametrize("written", ["./mymodel", "mymodel/", "../{}/mymodel", "~/mymodel"])
def test_a_folder_that_is_written_as_a_path_is_taken(project, monkeypatch, capsys, written):
    monkeypatch.setenv("HOME", str(project))

    assert 0 == complete(written.format(project.name))
    assert "embedded" == json.loads(capsys.readouterr().out)["model"]
