"""A server whose packaged model cannot be used, or can."""

import asyncio

import pytest

from fim_lsp.model_host.host import ModelHost
from fim_lsp.model_host.loader import load_model
from fim_lsp.replay import calibration, script
from fim_lsp.settings import Settings
from model_runtime.models.bundle import ModelBundle
from model_runtime.store import installed
from tests.support.model_packages import install, uninstall, wheels_in_parts


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder on Python's path with the embedded model as the packages of the model `mine`."""
    bundle = ModelBundle.open(installed.default_folder())
    (tmp_path / "site").mkdir()
    for wheel in wheels_in_parts(bundle, tmp_path / "wheels").files:
        install(wheel, tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "site")
    return tmp_path / "site"


async def loaded(host: ModelHost, settings: Settings) -> str:
    """Applies settings; returns the model that answers when all is loaded."""
    host.apply(settings)
    while host.status.progress is not None:
        await asyncio.sleep(0.001)
    return await host.run(lambda model: model.name)


async def test_a_part_that_is_missing_leaves_the_old_model_answering(site):
    uninstall("acme_mine_part2", site)
    host = ModelHost(load_model)
    await host.ready(Settings(engine="onnx", threads=1))

    assert "embedded" == await loaded(host, Settings(model="mine", engine="onnx", threads=1))
    assert "ready" == host.status.state
    assert host.status.message.endswith(
        "acme-mine-part2 is not installed; mend it with: pip install acme-mine==1.0"
    )
    host.close()


async def test_the_model_of_packages_answers(site):
    host = ModelHost(load_model)

    assert "mine" == await loaded(host, Settings(model="mine", engine="onnx", threads=1))
    host.close()


def test_it_can_be_measured(site, tmp_path):
    file = tmp_path / "a.py"
    file.write_text("def area(width, height):\n    return width * height\n")
    told = {"model": "mine", "engine": "onnx", "threads": 1}
    (measured,) = calibration.measure(script.of_files([file]), told, 20, (0.02,))

    assert measured.right <= measured.shown
