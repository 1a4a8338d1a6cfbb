"""The doctor tells how the engines do."""

import sys
from dataclasses import replace

import pytest

from fim_lsp.commands import doctor
from fim_lsp.settings import Settings
from model_runtime.engines import registry


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    for module in ("engines.artifact_cache", "measurements"):
        monkeypatch.setattr(f"model_runtime.{module}.user_cache_path", lambda *_, **__: tmp_path)


@pytest.fixture
def without_onnx(monkeypatch):
    """Gives the package another name, which is installed nowhere."""
    monkeypatch.delitem(sys.modules, "model_runtime.engines.onnx.engine", raising=False)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    restore = registry.register(replace(registry.find("onnx"), package="a-package-of-no-one"))
    yield
    restore()


def said(capsys):
    return " ".join(capsys.readouterr().out.split())


def test_it_shows_what_each_engine_did_and_takes_the_fastest(capsys):
    assert 0 == doctor.show(Settings(), as_json=False)

    text = said(capsys)
    assert 2 == text.count("ms a key")
    assert "everything works" in text


def test_it_names_the_command_that_installs_a_missing_engine(capsys, without_onnx):
    assert 0 == doctor.show(Settings(), as_json=False)

    text = said(capsys)
    assert "onnx is not installed" in text
    assert "pip install a-package-of-no-one" in text
    assert "engine ctranslate2" in text


def test_an_engine_that_was_asked_for_and_is_missing_is_a_problem_with_a_remedy(
    capsys, without_onnx
):
    assert 1 == doctor.show(Settings(engine="onnx"), as_json=False)

    text = said(capsys)
    assert "pip install --force-reinstall a-package-of-no-one" in text
    assert "leave the engine at auto" in text
