"""The whole way of a packaged model: wheels, pip, a fresh environment, a completion."""

import json
import os
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from model_runtime.models.bundle_files import WEIGHTS_PART

ROOT = Path(__file__).parents[2]
NAMES = ["acme-tiny", "acme-tiny-part1", "acme-tiny-part2", "acme-tiny-part3"]


class Environment:
    """A fresh virtual environment in which fim-lsp and what it needs are found by their paths."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder / "venv", with_pip=False)
        self.python = next(
            path
            for path in (folder / "venv/bin/python", folder / "venv/Scripts/python.exe")
            if path.exists()
        )
        self._environment = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            "XDG_DATA_HOME": str(folder / "data"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }
        self.packages = Path(
            self.run("-c", "import site; print(site.getsitepackages()[0])").stdout.strip()
        )
        paths = [str(ROOT), *site.getsitepackages()]
        (self.packages / "fim_lsp_under_test.pth").write_text("\n".join(paths))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.python, *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def pip(self, *arguments: str) -> str:
        """Runs the pip of the tests on this environment, without any index."""
        command = [sys.executable, "-m", "pip", "--python", str(self.python), *arguments]
        done = subprocess.run(
            command, env=self._environment, capture_output=True, text=True, check=False
        )
        assert 0 == done.returncode, done.stderr
        return done.stdout

    def models(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run("-m", "model_runtime", "models", *arguments)


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    return Environment(tmp_path_factory.mktemp("environment"))


@pytest.fixture(scope="module")
def index(environment, tmp_path_factory):
    """A folder with the wheels of the embedded model, its weights in three parts."""
    folder = tmp_path_factory.mktemp("wheels")
    arguments = ["default", "--as", "tiny", "--name", "acme-tiny", "--part-size", "4"]
    done = environment.models("wheel", *arguments, "--out", str(folder))
    assert 0 == done.returncode, done.stderr
    assert 4 == len(list(folder.iterdir()))
    return ["--no-index", "--find-links", str(folder)]


@pytest.mark.slow
def test_a_packaged_model_is_installed_by_pip_completes_and_is_mended_by_what_is_told(
    environment, index
):
    environment.pip("install", *index, "acme-tiny")
    assert "acme" not in environment.pip("check")

    default, tiny = json.loads(environment.models("list", "--json").stdout)
    assert ("default", "built in") == (default["name"], default["origin"])
    assert ("tiny", "package", NAMES) == (tiny["name"], tiny["origin"], tiny["packages"])
    checked = environment.models("info", "tiny", "--check")
    assert (0, 4) == (checked.returncode, checked.stdout.count("ok "))

    place = f"{ROOT / 'examples' / 'inventory.py'}:35:9"
    arguments = ["complete", place, "--json", "--model", "tiny", "--engine", "onnx"]
    done = environment.run("-m", "fim_lsp", *arguments)
    assert 0 == done.returncode, done.stderr
    told = json.loads(done.stdout)
    assert "tiny" == told["model"]
    assert "except KeyError:" == told["items"][0]["insertText"].strip()

    environment.pip("uninstall", "--yes", "acme-tiny-part2")
    told = refused(environment)
    assert "acme-tiny-part2 is not installed" in told
    environment.pip("install", *index, *told.rpartition("pip install ")[2].split())

    part = environment.packages / "acme_tiny_part3" / WEIGHTS_PART
    content = bytearray(part.read_bytes())
    content[1000] ^= 1
    part.write_bytes(content)
    told = refused(environment)
    assert "acme_tiny_part3" in told and "is damaged" in told
    environment.pip("install", *index, *told.rpartition("pip install ")[2].split())
    assert 0 == environment.models("info", "tiny", "--check").returncode

    removal = environment.models("remove", "tiny")
    environment.pip("uninstall", "--yes", *removal.stdout.rpartition("pip uninstall ")[2].split())
    assert ["default"] == [
        one["name"] for one in json.loads(environment.models("list", "--json").stdout)
    ]
    assert not list(environment.packages.glob("acme*"))


def refused(environment: Environment) -> str:
    """Returns the one line that says why the model cannot be used."""
    done = environment.models("info", "tiny", "--check")
    assert (1, 1) == (done.returncode, done.stderr.count("\n"))
    return done.stderr.strip()
