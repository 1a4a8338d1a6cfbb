"""Models that are installed as packages: found, loaded, and said of them what is wrong."""

import json
import shutil
import sys

import pytest

from model_runtime.errors import BundleError
from model_runtime.models.bundle import WEIGHTS
from model_runtime.models.bundle_files import WEIGHTS_PART
from model_runtime.store import adding, installed
from model_runtime.store.installed import Origin
from tests.support.model_packages import install, uninstall, wheels_in_parts
from tests.support.random_models import VARIANTS, make_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("bundle"), VARIANTS["rotary quarter"])


@pytest.fixture(scope="module")
def wheels(bundle, tmp_path_factory):
    """Wheels of the model `mine` in version 1.0; the last one brings the others."""
    return wheels_in_parts(bundle, tmp_path_factory.mktemp("wheels")).files


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A machine without models, and a folder for packages on Python's path."""
    monkeypatch.setattr(installed, "models_folder", lambda: tmp_path / "data" / "models")
    monkeypatch.setattr(installed, "default_folder", lambda: tmp_path / "package" / "default")
    (tmp_path / "site").mkdir()
    monkeypatch.syspath_prepend(tmp_path / "site")
    return tmp_path / "site"


@pytest.fixture
def packaged(site, wheels):
    """The same, with the packages of the model `mine`."""
    for wheel in wheels:
        install(wheel, site)
    return site


def entry_of(name):
    return next(entry for entry in installed.list_models() if entry.name == name)


def test_a_package_that_is_installed_is_a_model(packaged, bundle):
    entry = entry_of("mine")
    opened = installed.find("mine")
    weights, original = opened.weights(), bundle.weights()

    assert ("", "", Origin.PACKAGE) == (entry.problem, entry.note, entry.origin)
    assert (
        "acme-mine",
        "acme-mine-part1",
        "acme-mine-part2",
        "acme-mine-part3",
    ) == entry.package.uninstall
    assert entry.bytes > bundle.manifest.weights.size
    assert bundle.manifest.weights == opened.manifest.weights
    assert all((weights[name] == original[name]).all() for name in original)


def test_no_code_of_a_package_runs(packaged, tmp_path):
    for folder in packaged.iterdir():
        (folder / "__init__.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")

    assert "" == entry_of("mine").problem
    installed.find("mine").open_weights()
    assert not (tmp_path / "ran").exists()
    assert not any(name.startswith("acme_mine") for name in sys.modules)


def test_the_users_own_model_goes_before_that_of_a_package(packaged, bundle):
    report = adding.add_model(bundle.path, adding.AddOptions(name="mine"))

    assert report.path == installed.find("mine").path
    (entry,) = installed.list_models()
    assert (Origin.ADDED, "") == (entry.origin, entry.problem)
    assert "acme-mine brings a model mine, too, which this one hides" == entry.note


def test_a_package_can_be_copied_to_be_changed(packaged, bundle):
    report = adding.add_model(packaged / "acme_mine", adding.AddOptions(name="own"))
    names = {path.name for path in report.path.iterdir()}

    assert (bundle.path / WEIGHTS).read_bytes() == (report.path / WEIGHTS).read_bytes()
    assert {"manifest.json", WEIGHTS, "tokenizer.json"} == names
    assert Origin.ADDED == entry_of("own").origin


def test_a_folder_of_a_package_is_opened_by_its_path(packaged, bundle):
    opened = installed.find(str(packaged / "acme_mine"))
    opened.verify_weights()
    assert bundle.manifest.weights == opened.manifest.weights


def test_any_package_may_bring_a_bundle(site, bundle):
    """One that another tool has made, with code of its own, and several models."""
    for name in ("one", "two"):
        shutil.copytree(bundle.path, site / "company" / "models" / name)
    info = site / "company_models-3.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: company.models\nVersion: 3\n")
    (info / "entry_points.txt").write_text(
        "[fim_lsp.models]\none = company.models.one\ntwo = company.models.two\n"
    )

    assert ["one", "two"] == [entry.name for entry in installed.list_models()]
    assert ("company.models",) == entry_of("two").package.uninstall
    installed.find("two").open_weights()


def another_version_of_a_part(site, tmp_path, bundle):
    uninstall("acme_mine_part2", site)
    install(wheels_in_parts(bundle, tmp_path / "2.0", version="2.0").files[1], site)


def flipped(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def remade(path, **entries):
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))


AGAIN = "pip install --force-reinstall --no-deps"
DAMAGE = {
    "a part is uninstalled": (
        lambda site: uninstall("acme_mine_part2", site),
        "acme-mine is not complete: acme-mine-part2 is not installed; mend it with: "
        "pip install acme-mine==1.0",
    ),
    "no part is installed": (
        lambda site: [uninstall(f"acme_mine_part{number}", site) for number in (1, 2, 3)],
        "acme-mine-part1 is not installed, and 2 more of its parts; mend it with: "
        "pip install acme-mine==1.0",
    ),
    "a file of a part is deleted": (
        lambda site: (site / "acme_mine_part3" / WEIGHTS_PART).unlink(),
        f"{WEIGHTS_PART} is missing; mend it with: {AGAIN} acme-mine-part3==1.0",
    ),
    "a part is cut off": (
        lambda site: cut(site / "acme_mine_part1" / WEIGHTS_PART),
        f"so it was cut off or exchanged; mend it with: {AGAIN} acme-mine-part1==1.0",
    ),
    "the tokenizer is damaged": (
        lambda site: flipped(site / "acme_mine" / "tokenizer.json"),
        f"tokenizer.json is damaged (its SHA-256 is not the manifest's); mend it with: {AGAIN} acme-mine==1.0",
    ),
    "the manifest is deleted": (
        lambda site: (site / "acme_mine" / "manifest.json").unlink(),
        f"acme-mine has no bundle in a folder 'acme_mine'; mend it with: {AGAIN} acme-mine==1.0",
    ),
    "the list of parts is no JSON": (
        lambda site: (site / "acme_mine" / "packages.json").write_text("{"),
        "it is not JSON",
    ),
    "the list of parts is another": (
        lambda site: remade(site / "acme_mine" / "packages.json", parts=[{"folder": 5}]),
        "parts[0].folder must be text, not 5",
    ),
    "the list of parts names another folder": (
        lambda site: remade(
            site / "acme_mine" / "packages.json",
            parts=[
                {
                    "folder": "../x",
                    "sha256": "",
                    "size": 1,
                    "package": {"name": "a", "version": "1"},
                }
            ],
        ),
        "'../x' names no package or folder; install the package again",
    ),
    "the list of parts names options of pip": (
        lambda site: remade(
            site / "acme_mine" / "packages.json", package={"name": "--pre evil", "version": "1"}
        ),
        "names no package or folder; install the package again",
    ),
    "the entry point names no folder": (
        lambda site: (site / "acme_mine-1.0.dist-info" / "entry_points.txt").write_text(
            "[fim_lsp.models]\nmine = /etc\n"
        ),
        "acme-mine has no bundle in a folder '/etc'",
    ),
    "the entry point names another's folder": (
        lambda site: (site / "acme_mine-1.0.dist-info" / "entry_points.txt").write_text(
            "[fim_lsp.models]\nmine = acme_mine_part1\n"
        ),
        "acme-mine has no bundle in a folder 'acme_mine_part1'",
    ),
}


@pytest.mark.parametrize(("damage", "said"), DAMAGE.values(), ids=DAMAGE)
def test_what_is_wrong_with_a_package_is_one_sentence_with_the_remedy(packaged, damage, said):
    damage(packaged)

    entry = entry_of("mine")
    assert entry.manifest is None
    assert said in entry.problem
    assert "\n" not in entry.problem
    with pytest.raises(BundleError) as raised:
        installed.find("mine")
    assert entry.problem == str(raised.value)


def test_damage_inside_a_part_is_found_when_it_is_read(packaged):
    flipped(packaged / "acme_mine_part2" / WEIGHTS_PART)

    with pytest.raises(
        BundleError, match=rf"acme_mine_part2/.* is damaged .*{AGAIN} acme-mine-part2==1\.0"
    ):
        installed.find("mine").open_weights()


def test_parts_that_are_whole_and_belong_to_other_weights_are_refused(packaged):
    packages = packaged / "acme_mine" / "packages.json"
    first, second, third = json.loads(packages.read_text())["parts"]
    remade(packages, parts=[second, first, third])

    with pytest.raises(BundleError, match=rf"not those of the manifest; .*{AGAIN} acme-mine==1\.0"):
        installed.find("mine").open_weights()


def test_a_part_of_another_version_is_told(packaged, tmp_path, bundle):
    another_version_of_a_part(packaged, tmp_path, bundle)

    assert (
        "acme-mine is not complete: acme-mine-part2 is there in version 2.0 in place of 1.0; "
        "mend it with: pip install acme-mine==1.0"
    ) == entry_of("mine").problem


def test_two_packages_that_bring_one_name_are_told_apart_by_nobody(packaged, tmp_path, bundle):
    made = wheels_in_parts(bundle, tmp_path / "other", model="other", parts=1).files
    install(made[-1], packaged)
    entry_points = packaged / "acme_other-1.0.dist-info" / "entry_points.txt"
    entry_points.write_text("[fim_lsp.models]\nmine = acme_other\n")

    (entry,) = installed.list_models()
    assert "both bring a model mine; remove one with: pip uninstall acme-" in entry.problem
    with pytest.raises(BundleError, match="both bring a model mine"):
        installed.find("mine")


def test_of_two_versions_the_first_on_the_path_is_used_and_that_is_told(
    packaged, tmp_path, bundle, monkeypatch
):
    first = tmp_path / "first"
    for wheel in wheels_in_parts(bundle, tmp_path / "2.0", version="2.0").files:
        install(wheel, first)
    monkeypatch.syspath_prepend(first)

    (entry,) = installed.list_models()
    assert (
        f"acme-mine==1.0 is installed as well, in {packaged}, and 2.0 in {first} is used; "
        "remove one with: pip uninstall acme-mine"
    ) == entry.note
    assert first / "acme_mine" == installed.find("mine").path


@pytest.mark.parametrize("name", ["no name!", ".hidden", "über", "auto"])
def test_a_name_that_no_model_may_have_is_told(packaged, name):
    entry_points = packaged / "acme_mine-1.0.dist-info" / "entry_points.txt"
    entry_points.write_text(f"[fim_lsp.models]\n{name} = acme_mine\n", encoding="utf-8")

    (entry,) = installed.list_models()
    assert f"{name!r}, as acme-mine calls its model, is no name of a model" == entry.problem


@pytest.mark.parametrize(
    ("file", "content"),
    [("METADATA", None), ("METADATA", b""), ("entry_points.txt", b"\xff[fim_lsp.models]\n=\n")],
)
def test_a_package_whose_metadata_is_broken_hides_no_other_model(
    packaged, bundle, tmp_path, file, content
):
    other = wheels_in_parts(bundle, tmp_path / "other", model="other", parts=1).files[-1]
    install(other, packaged)
    broken = packaged / "acme_mine-1.0.dist-info" / file
    if content is None:
        broken.unlink()
    else:
        broken.write_bytes(content)

    assert "" == entry_of("other").problem
    installed.find("other").open_weights()
