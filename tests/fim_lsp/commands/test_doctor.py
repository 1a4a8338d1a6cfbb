"""The doctor tells how the engines do."""

import sys

import pytest

from fim_lsp.commands import doctor
from fim_lsp.settings import Settings
from model_runtime import engines
from model_runtime.engines import auto_select


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    for module in ("engines.artifact_cache", "engines.auto_select"):
        monkeypatch.setattr(f"model_runtime.{module}.user_cache_path", lambda *_, **__: tmp_path)


@pytest.fixture
def without_onnx(monkeypatch):
    monkeypatch.delitem(sys.modules, "model_runtime.engines.onnx.engine", raising=False)
    monkeypatch.delattr(engines, "onnx_engine", raising=False)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    version = auto_select._version
    monkeypatch.setattr(
        auto_select,
        "_version",
        lambda package: "" if package == "onnxruntime" else version(package),
    )


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
    assert "pip install onnxruntime" in text
    assert "engine ctranslate2" in text


def test_an_engine_that_was_asked_for_and_is_missing_is_a_problem_with_a_remedy(
    capsys, without_onnx
):
    assert 1 == doctor.show(Settings(engine="onnx"), as_json=False)

    text = said(capsys)
    assert "pip install --force-reinstall onnxruntime" in text
    assert "leave the engine at auto" in text
