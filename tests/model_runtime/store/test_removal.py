"""`models remove` deletes the model, and what engines have derived from it alone."""

import pytest

from model_runtime.engines import artifact_cache, open_engine
from model_runtime.errors import ModelNotFound
from model_runtime.store import adding, installed
from model_runtime.store.removal import remove_model
from tests.support.model_packages import install, wheels_in_parts
from tests.support.random_models import VARIANTS, make_bundle


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A machine of its own; gives the folder of what engines derive."""
    monkeypatch.setattr(installed, "models_folder", lambda: tmp_path / "models")
    monkeypatch.setattr(installed, "default_folder", lambda: tmp_path / "package" / "default")
    monkeypatch.setattr(artifact_cache, "user_cache_path", lambda *_, **__: tmp_path / "cache")
    (tmp_path / "site").mkdir()
    monkeypatch.syspath_prepend(tmp_path / "site")
    return tmp_path / "cache" / "derived"


def add(tmp_path, name, variant="rotary quarter"):
    """Adds a model and uses it once, so that an engine derives its form."""
    bundle = make_bundle(tmp_path / f"{name}-source", VARIANTS[variant])
    adding.add_model(bundle.path, adding.AddOptions(name=name))
    open_engine(installed.find(name), engine="onnx", threads=1).close()
    return bundle


def test_a_removed_model_is_gone_with_what_engines_made_of_it(tmp_path, cache):
    add(tmp_path, "mine")
    add(tmp_path, "other", "alibi, six heads, sequential")
    forms = set(cache.iterdir())
    sizes = {entry.name: entry.bytes for entry in installed.list_models()}
    done = remove_model("mine")

    assert ["other"] == [entry.name for entry in installed.list_models()]
    assert (tmp_path / "models" / "mine", sizes["mine"]) == (done.folder, done.bundle_bytes)
    (left,) = cache.iterdir()
    assert {left} < forms
    assert done.cached_bytes > 0
    open_engine(installed.find("other"), engine="onnx", threads=1).close()
    assert [left] == list(cache.iterdir())


@pytest.mark.parametrize("removed", ["mine", "packaged"])
def test_what_another_model_of_the_same_weights_needs_stays(tmp_path, cache, removed):
    bundle = add(tmp_path, "mine")
    for wheel in wheels_in_parts(bundle, tmp_path / "wheels", model="packaged").files:
        install(wheel, tmp_path / "site")
    done = remove_model(removed)

    assert 0 == done.cached_bytes
    assert 1 == len(list(cache.iterdir()))


@pytest.mark.parametrize("name", ["default", "nobody", "", ".", "..", "../data", "./mine"])
def test_only_an_added_model_can_be_removed(tmp_path, name):
    add(tmp_path, "mine")

    with pytest.raises(ModelNotFound, match=r"no added model has the name .*; there are: mine"):
        remove_model(name)
    assert ["mine"] == [entry.name for entry in installed.list_models()]


def test_an_unusable_model_can_be_removed(tmp_path):
    add(tmp_path, "mine")
    (tmp_path / "models" / "mine" / "manifest.json").write_text("{")

    assert tmp_path / "models" / "mine" == remove_model("mine").folder
    assert [] == installed.list_models()
