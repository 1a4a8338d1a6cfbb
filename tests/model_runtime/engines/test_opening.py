"""Which engine opens, what is imported for it, and how a process with one ends."""

import subprocess
import sys

import pytest

from model_runtime import engines
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
        patch.setattr(
            "model_runtime.engines.artifact_cache.user_cache_path", lambda *_, **__: folder
        )
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


def test_auto_is_ctranslate2(bundle):
    engine = engines.open_engine(bundle)
    assert "ctranslate2" == engine.name
    engine.close()


def test_serving_imports_no_torch(bundle, cache):
    """Also where it is installed; once the engine's form is in the cache, no numpy either."""
    engines.open_engine(bundle).close()
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


@pytest.mark.parametrize(("option", "value"), [("engine", "tensorflow"), ("device", "tpu")])
def test_unknown_names_are_refused_with_the_known_ones(bundle, option, value):
    with pytest.raises(EngineUnavailable, match=f"{option} '{value}' is not one of auto, "):
        engines.open_engine(bundle, **{option: value})


@pytest.mark.parametrize(
    ("missing", "engine", "remedy"),
    [
        ("ctranslate2", "auto", "ctranslate2"),
        ("onnxruntime", "onnx", "onnxruntime"),
        ("torch", "torch", r"fim-lsp\[torch\]"),
    ],
)
def test_a_backend_that_is_not_installed_names_what_to_install(
    bundle, monkeypatch, missing, engine, remedy
):
    for name in ("ctranslate2", "onnx", "torch"):
        monkeypatch.delitem(sys.modules, f"model_runtime.engines.{name}.engine", raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(EngineUnavailable, match=f"pip install .*{remedy}"):
        engines.open_engine(bundle, engine=engine)


def test_a_form_that_cannot_be_loaded_is_reported(bundle, tmp_path):
    from model_runtime.engines.ctranslate2.engine import CTranslate2Engine

    with pytest.raises(EngineUnavailable, match="cannot load"):
        CTranslate2Engine(tmp_path, bundle.manifest.architecture, 128)
