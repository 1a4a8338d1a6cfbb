"""The model that the user has chosen for every editor."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_runtime.cli import main
from model_runtime.errors import ConversionError, ModelNotFound
from model_runtime.store.choice import choose_model, chosen_model, resolved


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return tmp_path / "fim-lsp" / "chosen-model"


def test_auto_is_the_chosen_model_and_the_embedded_one_without_a_choice(file: Path):
    assert (None, "default") == (chosen_model(), resolved("auto"))
    choose_model("mine")
    assert ("mine", "mine") == (chosen_model(), resolved("auto"))
    assert "other" == resolved("other")


@pytest.mark.parametrize("back", ["default", "auto", None])
def test_the_choice_is_given_up_for_the_embedded_model(file: Path, back: str | None):
    choose_model("mine")
    choose_model(back)
    assert "default" == resolved("auto")
    choose_model(back)  # also where nothing was chosen


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"../x\n", b"a b\n", b"default\n", b"x" * 5000]
)
def test_a_damaged_choice_counts_as_none(file: Path, content: bytes):
    file.parent.mkdir()
    file.write_bytes(content)
    assert "default" == resolved("auto")


def test_a_folder_cannot_be_chosen(file: Path):
    with pytest.raises(ModelNotFound, match="name its folder in the setting `model`"):
        choose_model("/models/mine")
    assert not file.exists()


def test_what_cannot_be_written_is_said(file: Path):
    file.parent.write_text("a file where a folder should be")
    with pytest.raises(ConversionError, match=r"cannot be written .*, then choose again"):
        choose_model("mine")


def test_only_a_model_that_is_there_can_be_chosen(file: Path, capsys: pytest.CaptureFixture[str]):
    assert 1 == main(["models", "use", "nobody"])
    assert "no model has the name 'nobody'" in capsys.readouterr().err
    assert not file.exists()
    assert 0 == main(["models", "use", "default"])
    assert "editors use default from now on\n" == capsys.readouterr().out
