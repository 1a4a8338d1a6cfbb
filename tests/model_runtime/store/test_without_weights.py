"""A model that a server runs is added with its tokenizer and its format alone."""

import pytest

from model_runtime.cli import main
from model_runtime.engines.kind import EngineOptions
from model_runtime.engines.protocol import SamplingParams
from model_runtime.errors import BundleError, EngineUnavailable
from model_runtime.served_model import serve_bundle
from model_runtime.store import installed
from model_runtime.store.adding import AddOptions, add_model
from tests.support.fake_hub import FakeHub, serving_all
from tests.support.model_server import ModelServer, open_remote, serving
from tests.support.random_models import VARIANTS, make_bundle, make_source

GREEDY = SamplingParams(4, frozenset())
NONE = AddOptions(name="mine", quantization="none")


@pytest.fixture
def source(tmp_path):
    """A Hugging Face folder whose weights are somewhere else."""
    folder = make_source(tmp_path / "source", VARIANTS["rotary quarter"])
    for weights in folder.glob("*.safetensors"):
        weights.unlink()
    return folder


def test_a_folder_without_weights_is_enough(machine, source):
    report = add_model(source, NONE)
    bundle = installed.find("mine")

    assert not bundle.has_weights
    assert not list(report.path.glob("*.safetensors"))
    assert report.bundle_bytes < 100_000


def test_a_gguf_file_gives_its_tokenizer(machine, gguf):
    add_model(gguf, NONE)

    assert not installed.find("mine").has_weights


@pytest.mark.parametrize("engine", ["auto", "onnx", "ctranslate2"])
def test_engines_of_this_machine_say_that_a_server_has_to_run_it(machine, source, engine):
    add_model(source, NONE)
    expected = "mine was added without its weights, so a server has to run it; set engine to one of"
    with pytest.raises(EngineUnavailable, match=expected):
        serve_bundle(installed.find("mine"), engine, EngineOptions())


def test_a_server_that_has_the_weights_runs_it(machine, source, tmp_path):
    add_model(source, NONE)
    whole = make_bundle(tmp_path / "whole", VARIANTS["rotary quarter"])
    with serving(ModelServer(whole)) as server:
        engine = open_remote("llama-server", installed.find("mine"), server.url)
        assert 4 == len(list(engine.generate([10, 11, 12], GREEDY)))
        engine.close()


def test_it_is_listed_checked_and_copied_as_others_are(machine, source, capsys):
    add_model(source, NONE)
    assert 0 == main(["models", "info", "mine", "--check"])
    assert "none here; a server has them" in capsys.readouterr().out
    assert 0 == main(["models", "list"])
    assert "mine" in capsys.readouterr().out
    add_model(installed.find("mine").path, AddOptions(name="copy"))

    assert not installed.find("copy").has_weights
    with pytest.raises(BundleError, match="has no weights"):
        installed.find("copy").open_weights()


def test_the_command_says_so(machine, source, capsys):
    assert 0 == main(["models", "add", str(source), "--name", "mine", "--without-weights"])

    assert "none here; a server has them" in capsys.readouterr().err


def test_no_weights_are_fetched_of_a_repository(machine, tmp_path, monkeypatch):
    folder = make_source(tmp_path / "hub", VARIANTS["rotary quarter"])
    with serving_all(FakeHub({"them/model": folder})) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        add_model("them/model", AddOptions(name="mine", quantization="none", accept_license=True))

        assert not [line for line in hub.requests if "safetensors" in line and "resolve" in line]
    assert not installed.find("mine").has_weights
