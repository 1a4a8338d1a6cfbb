"""Engines are opened by name, import only what they need, and let their process end."""

import subprocess
import sys

import pytest

from model_runtime import engines
from model_runtime.engines.auto_select import open_auto_selected
from model_runtime.engines.kind import EngineOptions
from model_runtime.errors import EngineUnavailable
from tests.support.random_models import VARIANTS, make_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("model"), VARIANTS["rotary quarter"], "int8")


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    """One for all tests here: deriving imports torch where that is installed, for seconds."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        for module in ("engines.artifact_cache", "measurements"):
            patch.setattr(f"model_runtime.{module}.user_cache_path", lambda *_, **__: folder)
        yield folder


def run(bundle, code, cache, engine="ctranslate2"):
    """Run Python code in which `engine` is an opened engine."""
    before = (
        "import sys\n"
        "from model_runtime.models.bundle import ModelBundle\n"
        "from model_runtime.engines.protocol import SamplingParams\n"
        "from model_runtime.engines import open_engine\n"
        "import model_runtime.engines.artifact_cache\n"
        "from pathlib import Path\n"
        f"model_runtime.engines.artifact_cache.user_cache_path = lambda *_, **__: Path({str(cache)!r})\n"
        f"engine = open_engine(ModelBundle.open({str(bundle.path)!r}), engine={engine!r}, threads=1)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", before + code], capture_output=True, text=True, timeout=60
    )
    assert 0 == done.returncode, done.stderr
    return done.stdout.strip()


def test_auto_is_what_was_measured(bundle):
    engine = engines.open_engine(bundle, threads=1)
    chosen, choice = open_auto_selected(bundle, EngineOptions(threads=1))
    assert engine.name == chosen.name == choice.engine
    engine.close()
    chosen.close()


def test_serving_imports_no_torch(bundle, cache):
    """Also where it is installed; once the engine's form is in the cache, no numpy either."""
    engines.open_engine(bundle, engine="ctranslate2").close()
    code = "print([m for m in ('torch', 'transformers', 'numpy') if m in sys.modules])"

    assert "[]" == run(bundle, code, cache)


def test_onnx_runtime_needs_neither_torch_nor_the_package_onnx(bundle, cache):
    code = (
        "print([m for m in ('torch', 'transformers', 'onnx', 'ctranslate2') if m in sys.modules])"
    )

    assert "[]" == run(bundle, code, cache, engine="onnx")


@pytest.mark.parametrize("engine", ["ctranslate2", "onnx"])
@pytest.mark.parametrize("taken", [1, 400])
def test_a_process_may_end_with_an_engine_open(bundle, cache, taken, engine):
    """CTranslate2's threads would abort it: they wait for an interpreter that is gone."""
    code = (
        f"stream = engine.generate([7] * 100, SamplingParams({taken}, frozenset()))\n"
        "next(stream)\n"
        "print('done')"
    )
    for _ in range(3):
        assert "done" == run(bundle, code, cache, engine)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"engine": "tensorflow"}, "engine 'tensorflow' is not one of auto, ctranslate2, "),
        ({"engine": "onnx", "device": "tpu"}, "device 'tpu' is not one of auto, cpu, cuda"),
        ({"device": "tpu"}, "device 'tpu' is not one of auto, cpu, cuda"),
        (
            {"engine": "onnx", "device": "cuda"},
            "does not run on cuda; set device to cpu, or engine",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_what_can_be(bundle, options, told):
    with pytest.raises(EngineUnavailable, match=told):
        engines.open_engine(bundle, **options)


@pytest.mark.parametrize(
    ("missing", "engine", "remedy"),
    [
        ("ctranslate2", "ctranslate2", "ctranslate2"),
        ("onnxruntime", "onnx", "onnxruntime"),
        ("torch", "torch", r"fim-lsp\[torch\]"),
    ],
)
def test_a_backend_that_is_not_installed_names_what_to_install(
    bundle, monkeypatch, missing, engine, remedy
):
    for module in list(sys.modules):
        if module.startswith(f"model_runtime.engines.{engine}."):
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(EngineUnavailable, match=f"pip install .*{remedy}"):
        engines.open_engine(bundle, engine=engine)


def test_a_form_that_cannot_be_loaded_is_reported(bundle, tmp_path):
    from model_runtime.engines.ctranslate2.engine import CTranslate2Engine

    with pytest.raises(EngineUnavailable, match="cannot load"):
        CTranslate2Engine(tmp_path, bundle.manifest.decoder, 128)
