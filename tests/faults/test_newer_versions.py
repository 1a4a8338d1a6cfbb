"""Files that a later version has written are refused, made again beside it, or left as they are."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model_runtime.files import sha256_of
from model_runtime.models.bundle import ModelBundle
from model_runtime.training.checkpoint import PROGRESS, CheckpointError, read_progress
from tests.faults.servers import ENGINE, Home, serving
from tests.faults.tally import Tally
from tests.faults.test_damaged_files import loading
from tests.faults.test_killed import accepting, hashes
from tests.faults.work_to_kill import NAMED, save_one


def change(path: Path, changed: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text("utf-8"))
    changed(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def test_a_bundle_of_a_newer_version_gives_one_sentence(
    home: Home, tiny: ModelBundle, tally: Tally
):
    count = tally.of("files of a newer version")
    folder = home.path / "bundle"
    shutil.copytree(tiny.path, folder)
    change(folder / "manifest.json", lambda manifest: manifest.update(format_version=3))
    with loading(home, count) as loader:
        count.injected += 1
        state, message = loader.load(folder)
        assert "error" == state
        assert "format_version is 3" in message
        assert "\n" not in message
        count.errors_shown += 1
        count.survived += 1


@pytest.mark.parametrize(
    "changed",
    [
        lambda receipt: receipt.update(version=9),
        lambda receipt: receipt.update(key="of a newer layout"),
        lambda receipt: receipt.update(files=[{"name": "decoder.onnx"}]),
    ],
    ids=["one more key", "another key", "another shape"],
)
def test_an_engines_form_of_a_newer_version_is_made_again_or_used(
    home: Home, tiny: ModelBundle, tally: Tally, changed: Callable[[dict[str, Any]], object]
):
    count = tally.of("files of a newer version")
    with loading(home, count) as loader:
        loader.load(tiny.path)
        expected = loader.complete()
        (form,) = home.derived.iterdir()
        whole = {name: sha for name, sha in hashes(form).items() if name != "derived.json"}
        loader.load(Path("/nowhere"))  # so that the same settings load it again
        change(form / "derived.json", changed)
        count.injected += 1
        assert "ready" == loader.load(tiny.path)[0]
        assert whole.items() <= hashes(form).items()
        assert expected == loader.complete()
        count.survived += 1


def test_counts_of_a_newer_version_are_left_as_they_are(home: Home, tally: Tally):
    count = tally.of("files of a newer version")
    home.counts.parent.mkdir(parents=True)
    home.counts.write_text('{"version": 2, "counts": {"a model": {"often": 3}}}')
    before = sha256_of(home.counts)
    with serving(home, ENGINE) as server:
        server.become_ready(debounceMs=0, projectMemory=False)
        accepted = accepting(server.wire)
        for _ in range(25):
            next(accepted)
            count.requests, count.answered = count.requests + 1, count.answered + 1
        server.wire.shut_down()
        assert 0 == server.process.wait(20)
    count.injected += 1
    assert before == sha256_of(home.counts)
    count.survived += 1


def test_a_checkpoint_of_a_newer_version_is_refused(tmp_path: Path, tally: Tally):
    count = tally.of("files of a newer version")
    save_one(tmp_path, 1)
    change(tmp_path / NAMED / PROGRESS, lambda progress: progress.update(format=3))
    count.injected += 1
    with pytest.raises(CheckpointError, match="has format 3; this version reads 2"):
        read_progress(tmp_path / NAMED)
    count.survived += 1
