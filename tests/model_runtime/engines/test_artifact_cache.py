import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from model_runtime.engines import artifact_cache
from tests.support.random_models import VARIANTS, make_bundle


@pytest.fixture
def bundle(tmp_path):
    return make_bundle(tmp_path, VARIANTS["rotary quarter"])


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(artifact_cache, "user_cache_path", lambda *_, **__: tmp_path / "cache")
    return tmp_path / "cache"


class Builder:
    """Writes one file, and counts."""

    def __init__(self):
        self.calls = 0

    def __call__(self, folder):
        self.calls += 1
        (folder / "model.bin").write_bytes(b"12345")


def derive(bundle, build, kind="k", version="1"):
    return artifact_cache.artifact_folder(bundle, kind=kind, version=version, build=build)


def test_a_form_is_made_once(bundle):
    build = Builder()
    folder = derive(bundle, build)

    assert folder == derive(bundle, build)
    assert build.calls == 1
    assert b"12345" == (folder / "model.bin").read_bytes()


def test_another_kind_or_version_or_model_has_a_form_of_its_own(bundle, tmp_path):
    build = Builder()
    other = make_bundle(tmp_path / "other", VARIANTS["alibi"])
    folders = {
        derive(bundle, build),
        derive(bundle, build, kind="j"),
        derive(bundle, build, version="2"),
        derive(other, build),
    }

    assert 4 == len(folders) == build.calls


@pytest.mark.parametrize(
    "harm",
    [
        lambda folder: (folder / "model.bin").write_bytes(b"123"),
        lambda folder: (folder / "model.bin").write_bytes(b"12\0\0\0"),
        lambda folder: (folder / "model.bin").unlink(),
        lambda folder: (folder / "derived.json").unlink(),
        lambda folder: (folder / "derived.json").write_text("{"),
        lambda folder: (folder / "derived.json").write_text("[" * 100_000),
        lambda folder: (folder / "derived.json").write_text(json.dumps({"key": "foreign"})),
        lambda folder: (folder / "more").write_text(""),
    ],
)
def test_a_half_written_or_foreign_folder_is_made_again(bundle, harm):
    build = Builder()
    folder = derive(bundle, build)
    harm(folder)

    assert folder == derive(bundle, build)
    assert build.calls == 2
    assert {"model.bin", "derived.json"} == {path.name for path in folder.iterdir()}


def test_damage_anywhere_in_a_large_file_is_found(bundle, monkeypatch):
    """Files that a crash has cut off inside are whole blocks of zeros."""
    monkeypatch.setattr(artifact_cache, "_BLOCK", 4)
    monkeypatch.setattr(artifact_cache, "_MAX_BLOCKS", 8)
    content = bytes(range(1, 101))

    def build(folder):
        (folder / "model.bin").write_bytes(content)

    folder = derive(bundle, build)
    for start in range(0, 88, 4):
        harmed = content[:start] + bytes(16) + content[start + 16 :]
        (folder / "model.bin").write_bytes(harmed)
        derive(bundle, build)

        assert content == (folder / "model.bin").read_bytes(), start


def test_a_build_that_fails_leaves_nothing(bundle, cache):
    def build(folder):
        (folder / "model.bin").write_bytes(b"1")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        derive(bundle, build)
    assert [] == list((cache / "derived").iterdir())


def test_a_cache_that_cannot_be_written_costs_time_not_completions(bundle, cache, caplog):
    """Here a file stands in its place; a read-only folder or a full disk raise OSError, too."""
    cache.write_text("")
    build = Builder()
    folder = derive(bundle, build)

    assert b"12345" == (folder / "model.bin").read_bytes()
    assert "using a temporary folder" in caplog.text
    assert folder != derive(bundle, build)


SERVING_AND_LEAVING = """
import os, sys, tempfile
from pathlib import Path
from model_runtime.engines import artifact_cache
from model_runtime.models.bundle import ModelBundle
artifact_cache.user_cache_path = lambda *_, **__: Path(sys.argv[2])
build = lambda folder: (folder / "model.bin").write_bytes(b"12345")
for kind in "abc":
    artifact_cache.artifact_folder(ModelBundle.open(sys.argv[1]), kind=kind, version="1", build=build)
os._exit(0)
"""


def test_temporary_forms_of_servers_that_are_gone_do_not_pile_up(bundle, cache, tmp_path):
    """A server ends by os._exit, and by kill."""
    cache.write_text("")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    left = []
    for _ in range(3):
        subprocess.run(
            [sys.executable, "-c", SERVING_AND_LEAVING, bundle.path, cache],
            env={**os.environ, "TMPDIR": str(temporary)},
            check=True,
            capture_output=True,
        )
        left.append(len(list(temporary.iterdir())))

    assert 3 >= max(left), left


def test_several_may_derive_at_once(bundle):
    """Each builds beside the target; the last one wins, and nobody sees half a folder."""
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: derive(bundle, Builder()), range(8)))

    assert 1 == len(set(folders))
    assert {"model.bin", "derived.json"} == {path.name for path in folders[0].iterdir()}
    assert [folders[0]] == list(folders[0].parent.iterdir())
