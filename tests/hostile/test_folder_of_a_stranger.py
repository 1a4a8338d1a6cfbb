"""The server starts Python, which imports from the folder in which it is started."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from fim_lsp.model_offers.errors import AddingFailed
from fim_lsp.model_offers.process import add_in_a_process
from fim_lsp.replay.editor import COMMAND, Editor
from fim_lsp.workspace.project import Project

MODULES = ("json", "asyncio", "numpy", "platformdirs", "model_runtime", "fim_lsp", "sitecustomize")


@pytest.fixture
def witness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that appears if a module of the folder runs."""
    folder = tmp_path / "strangers"
    for name in MODULES:
        (folder / name).mkdir(parents=True)
        for file in ("__init__.py", "__main__.py"):
            (folder / name / file).write_text(f"open({str(tmp_path / 'RAN')!r}, 'w')\n")
    monkeypatch.chdir(folder)
    for kind in ("DATA", "CACHE", "STATE", "CONFIG"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / kind.lower()))
    return tmp_path / "RAN"


async def test_adding_an_offered_model_runs_nothing_of_the_folder(witness):
    with pytest.raises(AddingFailed):
        await add_in_a_process("./no-such-folder", lambda step: None)

    assert not witness.exists()


async def test_looking_through_a_folder_runs_nothing_of_it(witness):
    project = Project()
    project.look_through([str(Path.cwd())], (), 100, lambda path, text: None)
    for _ in range(600):
        if project.index.version:
            break
        await asyncio.sleep(0.1)

    assert project.index.version
    project.stop()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)  # the process has been waited for then
    assert not witness.exists()


async def test_replaying_a_folder_runs_nothing_of_it(witness):
    async with Editor({"model": "default"}, Path.cwd(), COMMAND):
        pass

    assert not witness.exists()
