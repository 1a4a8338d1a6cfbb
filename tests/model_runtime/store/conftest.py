"""Parts of the tests of models that are fetched."""

import hashlib
import json
import shutil

import pytest

from model_runtime.catalogue import entries
from tests.support.fake_hub import FakeHub, serving_all
from tests.support.small_gguf import write_small_gguf

FILE = "small-q8_0.gguf"


@pytest.fixture(scope="session")
def gguf(tmp_path_factory):
    """A small model in one file."""
    return write_small_gguf(tmp_path_factory.mktemp("gguf") / FILE)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine of its own, without models and without other programs."""
    for name in ("HF_HUB_CACHE", "LLAMA_CACHE", "OLLAMA_MODELS", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for variable, folder in (
        ("HOME", "home"),
        ("XDG_DATA_HOME", "data"),
        ("XDG_CACHE_HOME", "cache"),
        ("HF_HOME", "hf"),
    ):
        monkeypatch.setenv(variable, str(tmp_path / folder))
        (tmp_path / folder).mkdir()
    return tmp_path


@pytest.fixture
def server(machine, gguf, monkeypatch):
    """A hub with the repository org/small-GGUF, which the runtime asks."""
    folder = machine / "repository"
    folder.mkdir()
    shutil.copy(gguf, folder / FILE)
    (folder / "README.md").write_text("# Card\n")
    with serving_all(FakeHub({"org/small-GGUF": folder})) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        yield hub


@pytest.fixture
def row(machine, gguf, monkeypatch):
    """A function that makes a catalogue of one row, "small"."""

    def use(**changes):
        model = {
            "name": "small",
            "family": "Small",
            "parameters": 150_000,
            "license": "MIT",
            "license_url": "https://example.org/license",
            "is_permissive": True,
            "languages": "Python",
            "repository": "org/small-GGUF",
            "file": FILE,
            "revision": "c0ffee" * 6 + "beef",
            "sha256": hashlib.sha256(gguf.read_bytes()).hexdigest(),
            "download_bytes": gguf.stat().st_size,
            "prompt_format": "",
            "context_length": 256,
            "layers": 2,
            "hidden": 64,
            "kv_width": 32,
            "vocabulary": 512,
            "is_tied": False,
            "scores": [],
            "quality": 1.0,
        }
        table = {"format_version": 1, "about": "", "models": [model | changes]}
        path = machine / f"catalogue{len(list(machine.iterdir()))}.json"
        path.write_text(json.dumps(table))
        monkeypatch.setenv(entries.VARIABLE, str(path))

    return use
