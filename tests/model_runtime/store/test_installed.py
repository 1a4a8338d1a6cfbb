import signal
import subprocess
import sys
import time

import pytest

from model_runtime.errors import BundleError, ConversionError, ModelNotFound
from model_runtime.store import adding, installed
from tests.support.random_models import VARIANTS, make_bundle, make_source

TINY = VARIANTS["rotary quarter"]


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    """A machine of its own: no user models, no default model."""
    monkeypatch.setattr(installed, "models_folder", lambda: tmp_path / "data" / "models")
    monkeypatch.setattr(installed, "default_folder", lambda: tmp_path / "package" / "default")
    return tmp_path


@pytest.fixture
def source(tmp_path):
    return make_source(tmp_path / "my-model", TINY)


def test_a_new_machine_has_no_models_and_says_so():
    assert [] == installed.list_models()
    with pytest.raises(ModelNotFound, match=r"the name 'default'; there is none"):
        installed.find("default")


def test_an_added_model_is_found_by_its_name(source):
    report = adding.add_model(source)

    assert "my-model" == report.name == installed.find("my-model").manifest.name
    assert ["my-model"] == [entry.name for entry in installed.list_models()]
    assert "int8" == installed.find("my-model").manifest.weights.dtype


def test_a_model_is_found_by_the_path_of_its_folder(source):
    report = adding.add_model(source)

    assert report.path == installed.find(str(report.path)).path


def test_adding_again_replaces(source):
    adding.add_model(source, adding.AddOptions(name="mine"))
    another = adding.AddOptions(name="mine", quantization="float32", order="psm", force=True)
    adding.add_model(source, another)

    manifest = installed.find("mine").manifest
    assert ("float32", "psm") == (manifest.weights.dtype, manifest.prompt.name)
    assert ["mine"] == [path.name for path in installed.models_folder().iterdir()]


def test_a_bundle_can_be_added_too(tmp_path):
    """Training makes a bundle, or a colleague sends one."""
    bundle = make_bundle(tmp_path / "trained", TINY, "int8")
    report = adding.add_model(bundle.path, adding.AddOptions(name="trained"))

    assert bundle.manifest.weights == installed.find("trained").manifest.weights
    assert report.path == installed.find("trained").path
    assert "trained" == installed.find("trained").manifest.name


def test_a_damaged_bundle_is_not_added(tmp_path):
    bundle = make_bundle(tmp_path / "trained", TINY)
    data = bytearray((bundle.path / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (bundle.path / "model.safetensors").write_bytes(data)

    with pytest.raises(BundleError, match="is damaged"):
        adding.add_model(bundle.path, adding.AddOptions(name="trained"))
    assert [] == installed.list_models()


def test_the_default_comes_first_and_its_name_cannot_be_taken(source):
    bundle = make_bundle(source.parent, TINY)
    installed.default_folder().parent.mkdir()
    bundle.path.rename(installed.default_folder())
    adding.add_model(source, adding.AddOptions(name="another"))

    assert ["default", "another"] == [entry.name for entry in installed.list_models()]
    assert installed.default_folder() == installed.find("default").path
    with pytest.raises(ConversionError, match="cannot be the name"):
        adding.add_model(source, adding.AddOptions(name="default"))


@pytest.mark.parametrize("name", ["../evil", "a/b", ".hidden", "", "ü", "-x"])
def test_names_that_are_no_plain_folder_names_are_refused(source, name):
    with pytest.raises(ConversionError, match="give one with --name"):
        adding.add_model(source, adding.AddOptions(name=name or " "))


def test_a_name_is_never_taken_for_a_folder_of_the_project_that_one_works_in(
    tmp_path, source, monkeypatch
):
    make_bundle(tmp_path, TINY).path.rename(tmp_path / "mymodel")
    monkeypatch.chdir(tmp_path)

    for name in ("mymodel", "my-model"):
        with pytest.raises(ModelNotFound, match=r"named by its path, as in \./mine"):
            installed.find(name)
    for path in ("./mymodel", "mymodel/", str(tmp_path / "mymodel")):
        assert "random" == installed.find(path).manifest.name
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "random" == installed.find("~/mymodel").manifest.name


@pytest.mark.parametrize("path", ["~nosuchuser/x", "a\0b", "./a\0b", "x" * 5000, "/dev/zero"])
def test_paths_that_lead_nowhere_are_one_sentence(path):
    with pytest.raises(ModelNotFound):
        installed.find(path)
    with pytest.raises(ConversionError):
        adding.add_model(path)


def test_what_a_killed_add_leaves_is_removed_by_the_next_list(source, folders):
    """Killed where the new bundle is whole but not in its place yet."""
    code = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from model_runtime.store import adding, installed\n"
        "installed.models_folder = lambda: Path(sys.argv[2])\n"
        "def kill(step):\n"
        "    if 'canary' in step: os.kill(os.getpid(), signal.SIGKILL)\n"
        "adding.add_model(sys.argv[1], progress=kill)"
    )
    models = installed.models_folder()
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", code, source, models], check=False)
        assert -signal.SIGKILL == done.returncode

    # The process that converts ends with the one that asked, and is gone a moment later.
    deadline = time.monotonic() + 60
    while installed.list_models() or list(models.iterdir()):
        assert time.monotonic() < deadline, list(models.iterdir())
        time.sleep(0.05)


def test_an_unknown_name_lists_what_there_is(source):
    adding.add_model(source, adding.AddOptions(name="first"))
    adding.add_model(source, adding.AddOptions(name="second"))

    with pytest.raises(ModelNotFound, match=r"no model has the name 'third'; there are: first"):
        installed.find("third")


def test_a_hugging_face_folder_is_told_from_a_bundle(source):
    with pytest.raises(ModelNotFound, match="fim-runtime models add"):
        installed.find(str(source))


def test_a_model_that_became_unusable_is_listed_with_its_problem(source):
    report = adding.add_model(source)
    (report.path / "tokenizer.json").unlink()

    (entry,) = installed.list_models()
    assert entry.manifest is None
    assert "tokenizer.json is missing" in entry.problem
    with pytest.raises(BundleError):
        installed.find("my-model")


def test_neither_folder_nor_repository_is_refused(tmp_path):
    with pytest.raises(ConversionError, match=r"no folder, no \.gguf file, no ORG/NAME"):
        adding.add_model(str(tmp_path / "nothing"))


def test_the_real_folders_are_the_platforms(monkeypatch, tmp_path):
    monkeypatch.undo()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))

    assert "fim-lsp" in installed.models_folder().parts
    assert ("bundles", "default") == installed.default_folder().parts[-2:]
