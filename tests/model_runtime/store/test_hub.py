"""Fetching with the real client from a hub on this machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from model_runtime.errors import ConversionError
from model_runtime.store import adding, hub, installed
from tests.support.fake_hub import serving
from tests.support.random_models import VARIANTS, make_source

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "user_cache_path", lambda *_, **__: tmp_path / "cache")
    monkeypatch.setattr(installed, "models_folder", lambda: tmp_path / "models")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")


@pytest.fixture
def source(tmp_path):
    folder = make_source(tmp_path / "source", VARIANTS["rotary quarter"])
    (folder / "README.md").write_text("# Card\n")
    (folder / "modeling.py").write_text("raise SystemExit\n")
    (folder / "pytorch_model.bin").write_bytes(b"a pickle")
    (folder / "onnx").mkdir()
    (folder / "onnx" / "config.json").write_text("{}")
    return folder


def fetch(server, said=None):
    return hub.fetched(
        "org/name", (said if said is not None else []).append, endpoint=server.endpoint
    )


def test_data_is_fetched_and_nothing_else(source, tmp_path):
    with serving(source) as server, fetch(server) as folder:
        found = {path.name for path in folder.iterdir() if path.is_file()}
        assert {
            "config.json",
            "fim_config.json",
            "tokenizer.json",
            "model.safetensors",
            "README.md",
        } == found
        assert not (folder / "onnx").exists()
    assert not folder.exists()


def test_pickles_are_fetched_only_where_there_is_nothing_better(source):
    (source / "model.safetensors").unlink()
    with serving(source) as server, fetch(server) as folder:
        assert (folder / "pytorch_model.bin").is_file()


def test_an_interrupted_download_goes_on(source, tmp_path):
    """The same command again fetches what is missing."""
    with serving(source) as server:
        with pytest.raises(RuntimeError), fetch(server):
            raise RuntimeError  # the conversion failed: what was fetched stays
        before = len([line for line in server.requests if "GET /org" in line])
        with fetch(server) as folder:
            assert (folder / "config.json").is_file()
        again = [line for line in server.requests if "GET /org" in line][before:]

    assert before > 0
    assert not [line for line in again if "safetensors" in line]


def test_a_cut_connection_is_resumed(source):
    with serving(source) as server:
        server.breaks_after = 1000
        with fetch(server) as folder:
            expected = (source / "model.safetensors").read_bytes()
            assert expected == (folder / "model.safetensors").read_bytes()


def test_a_file_that_is_not_what_the_hub_says_is_refused(source):
    with serving(source) as server:
        server.lying_about.add("model.safetensors")
        with pytest.raises(ConversionError, match="damaged on its way"), fetch(server):
            pass


def test_the_hub_learns_no_more_than_what_is_fetched(source, tmp_path):
    """A process of its own is needed: the hub's library reads its switches when it is imported."""
    code = (
        "import sys; import huggingface_hub.constants; from model_runtime.store import hub\n"
        "with hub.fetched('org/name', endpoint=sys.argv[1]): pass"
    )
    with serving(source) as server:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "HF_HOME": str(tmp_path / "hf"),
            "HF_ENDPOINT": server.endpoint,
            "PYTHONPATH": str(ROOT),
        }
        command = [sys.executable, "-c", code, server.endpoint]
        subprocess.run(command, env=environment, check=True)

    asked = {line.split()[1].partition("?")[0] for line in server.requests}
    assert all("org/name" in path for path in asked), asked
    assert all("torch/" not in agent and "agent/" not in agent for agent in server.agents)
    assert not (tmp_path / "hf" / ".agent_harnesses.json").exists()


def test_an_unknown_repository_is_named(source):
    with (
        serving(source) as server,
        pytest.raises(ConversionError, match="no model org/other"),
        hub.fetched("org/other", endpoint=server.endpoint),
    ):
        pass


def test_without_a_network_the_message_says_what_to_do():
    with (
        pytest.raises(ConversionError, match="connect to the network"),
        hub.fetched("org/name", endpoint="http://127.0.0.1:9"),
    ):
        pass


def test_a_model_from_the_hub_is_added_and_needs_the_hub_no_more(source, monkeypatch):
    with serving(source) as server:
        real = hub.fetched
        monkeypatch.setattr(
            hub, "fetched", lambda name, say: real(name, say, endpoint=server.endpoint)
        )
        said = []
        report = adding.add_model("org/name", progress=said.append)

    assert "name" == report.name
    assert "name" == installed.find("name").manifest.name
    assert any("fetching org/name at c0ffee" in line for line in said)
