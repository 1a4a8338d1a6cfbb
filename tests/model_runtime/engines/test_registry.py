"""One table names the engines; whoever adds one to it needs to touch nothing else."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from fim_lsp.completion.provider import CompletionProvider
from fim_lsp.completion.request import CompletionRequest
from fim_lsp.document import DocumentSnapshot
from fim_lsp.model_host.host import ModelHost
from fim_lsp.settings import Settings
from fim_lsp.suggestion import Trigger
from model_runtime import open_engine
from model_runtime.engines import registry
from model_runtime.engines.kind import DEVICES, EngineKind, EngineOptions
from model_runtime.engines.protocol import GeneratedToken, TokenStream
from model_runtime.errors import EngineUnavailable
from model_runtime.evaluation.scorer import scorer_of
from model_runtime.store import installed
from tests.support.random_models import DECODERS, make_bundle

ROOT = Path(__file__).parents[3]
END = 0


class Echo:
    """Answers with the ids of a text, whatever it is asked."""

    name = "echo"
    max_concurrency = 1

    def __init__(self, bundle, options):
        self.context_length = bundle.manifest.context_length
        self.options = options
        self._answer = [*bundle.tokenizer.encode("an_echo()"), END]

    def generate(self, prompt, sampling, cancel=None, forced=None):
        spelled = list(forced.likely()) if forced is not None else []
        ids = [*spelled, *self._answer]
        return TokenStream((GeneratedToken(id_, 0.0) for id_ in ids), cached_tokens=0)

    def close(self):
        pass


@pytest.fixture
def echo():
    restore = registry.register(EngineKind(name="echo", package="pytest", open=Echo))
    yield
    restore()


async def test_an_engine_that_is_registered_completes(echo):
    """Continues ids and can be closed, which is all the server asks for."""
    host = ModelHost()
    settings = Settings(engine="echo", debounce_ms=0)
    await host.ready(settings)
    assert "echo" == host.status.engine
    snapshot = DocumentSnapshot("file:///a.py", "python", 1, "x = ", 4)
    request = CompletionRequest(snapshot, Trigger.AUTOMATIC, settings)
    (completion,) = await CompletionProvider(host).complete(request)

    assert "an_echo()" == completion.text
    host.close()


def test_a_registered_engine_is_opened_by_name_with_its_options(echo):
    engine = open_engine(installed.find("default"), engine="echo", threads=3)

    assert EngineOptions("auto", 3) == engine.options
    assert "echo" in registry.names()


def test_what_was_registered_can_be_taken_back():
    before = registry.kinds()
    registry.register(EngineKind(name="echo", package="pytest", open=Echo))()
    registry.register(EngineKind(name="onnx", package="pytest", open=Echo))()

    assert before == registry.kinds()


def test_an_engine_that_does_not_support_a_model_says_why():
    kind = EngineKind(
        name="echo", package="pytest", open=Echo, supports=lambda bundle: "it is too large"
    )
    with pytest.raises(EngineUnavailable, match="echo cannot run this model: it is too large"):
        registry.open_kind(kind, installed.find("default"), EngineOptions())


def test_evaluation_says_which_engine_cannot_score(echo):
    engine = open_engine(installed.find("default"), engine="echo")
    with pytest.raises(EngineUnavailable, match="the engine echo cannot tell how likely"):
        scorer_of(engine)


@pytest.mark.parametrize("broken", ["onnx", "ctranslate2", "torch", "echo"])
def test_another_engine_for_the_processor_takes_the_place_of_a_broken_one(broken):
    found = registry.fallbacks(broken)

    assert found
    assert broken not in found
    assert all("cpu" in registry.find(name).devices for name in found)


@pytest.mark.parametrize(
    ("setting", "choices"), [("engine", registry.names()), ("device", DEVICES)]
)
def test_the_settings_offer_what_the_table_has(setting, choices):
    """VS Code's form and the server's settings offer the same names."""
    package = json.loads((ROOT / "vscode-client" / "package.json").read_text("utf-8"))
    offered = {
        name: schema
        for section in package["contributes"]["configuration"]
        for name, schema in section["properties"].items()
    }
    found = offered[f"fimLsp.{setting}"]["enum"]

    assert ["auto", *choices] == found
    for choice in found:
        settings, problems = Settings.parse({setting: choice})
        assert choice == getattr(settings, setting)
        assert not problems


def test_only_the_table_names_engines():
    """Looks at the server and the runtime; an engine's own folder may name itself.

    Training and the reader of PyTorch's files mean the library where they say torch.
    """
    names = set(registry.names())
    own = ROOT / "model_runtime" / "engines"
    found = []
    for package in ("fim_lsp", "model_runtime"):
        for path in sorted((ROOT / package).rglob("*.py")):
            is_own = path == own / "registry.py" or path.parent.parent == own
            if is_own or "training" in path.parts or path.name == "pickles.py":
                continue
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found += [
                f"{path.relative_to(ROOT)}:{node.lineno} {node.value}"
                for node in ast.walk(tree)
                if isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and node.value in names
            ]

    assert [] == found


def test_a_decoder_that_an_engine_does_not_compute_is_refused_with_those_that_do(tmp_path):
    bundle = make_bundle(tmp_path, DECODERS["windows"])

    with pytest.raises(EngineUnavailable) as caught:
        registry.open_named("ctranslate2", bundle, EngineOptions())
    assert (
        "the engine ctranslate2 cannot run this model: CTranslate2 does not compute sliding "
        "windows; set engine to onnx or torch"
    ) == str(caught.value)
