"""Wheels of models: valid, of a bounded size, and always the same bytes."""

import base64
import csv
import hashlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import pytest
from packaging.metadata import Metadata
from packaging.utils import parse_wheel_filename

from model_runtime.errors import BundleError, WheelError
from model_runtime.exporters.wheel import WheelOptions, write_wheels
from model_runtime.models.bundle import WEIGHTS, ModelBundle, write_manifest
from model_runtime.models.bundle_files import WEIGHTS_PART
from model_runtime.models.manifest import signed
from tests.support.model_packages import wheels_in_parts
from tests.support.random_models import VARIANTS, make_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("bundle"), VARIANTS["rotary quarter"])


@pytest.fixture
def changed(bundle, tmp_path):
    """Gives a copy of the bundle that may be changed, with other entries in its manifest."""

    def change(**entries) -> ModelBundle:
        folder = tmp_path / "changed"
        folder.mkdir()
        for path in bundle.path.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        raw = json.loads((folder / "manifest.json").read_text("utf-8"))
        write_manifest(folder, signed({**raw, **entries}))
        return ModelBundle.open(folder)

    return change


def members(wheel: Path) -> dict[str, bytes]:
    """Returns the files in a wheel, those of its .dist-info folder by their names alone."""
    with ZipFile(wheel) as archive:
        return {
            name.partition(".dist-info/")[2] or name: archive.read(name)
            for name in archive.namelist()
        }


def metadata_of(wheel: Path) -> Metadata:
    return Metadata.from_email(members(wheel)["METADATA"], validate=True)


def test_parts_are_bounded_and_are_the_weights_one_behind_the_other(bundle, tmp_path):
    options = WheelOptions("mine", part_bytes=30_000)
    report = write_wheels(bundle, tmp_path, options)
    parts = [members(wheel) for wheel in report.files[:-1]]
    content = [
        part[f"fim_lsp_model_mine_part{n}/{WEIGHTS_PART}"] for n, part in enumerate(parts, 1)
    ]

    assert len(parts) == -(-bundle.manifest.weights.size // (30_000 // 64 * 64)) > 2
    assert max(map(len, content)) <= 30_000
    assert (bundle.path / WEIGHTS).read_bytes() == b"".join(content)
    assert sorted(tmp_path.iterdir()) == sorted(report.files)
    assert report.bytes == sum(path.stat().st_size for path in report.files)


def test_the_wheel_that_is_installed_wants_every_part_in_its_own_version(bundle, tmp_path):
    report = wheels_in_parts(bundle, tmp_path, version="2.1")
    whole = members(report.files[-1])
    required = [str(one) for one in metadata_of(report.files[-1]).requires_dist]
    told = json.loads(whole["acme_mine/packages.json"])["parts"]

    assert [f"acme-mine-part{number}==2.1" for number in (1, 2, 3)] == required
    assert b"[fim_lsp.models]\nmine = acme_mine\n" == whole["entry_points.txt"]
    for wheel, part in zip(report.files, told, strict=False):
        content = members(wheel)[f"{part['folder']}/{WEIGHTS_PART}"]
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (part["sha256"], part["size"])
    assert "mine" == json.loads(whole["acme_mine/manifest.json"])["name"]
    assert (bundle.path / "tokenizer.json").read_bytes() == whole["acme_mine/tokenizer.json"]


def test_a_small_model_is_one_wheel_that_wants_nothing(bundle, tmp_path):
    (wheel,) = write_wheels(bundle, tmp_path, WheelOptions("Small_One.5")).files

    assert "fim_lsp_model_small_one_5-1.0-py3-none-any.whl" == wheel.name
    assert metadata_of(wheel).requires_dist is None
    weights = members(wheel)[f"fim_lsp_model_small_one_5/{WEIGHTS}"]
    assert (bundle.path / WEIGHTS).read_bytes() == weights


def test_every_wheel_keeps_the_rules_of_its_format(bundle, tmp_path):
    for wheel in wheels_in_parts(bundle, tmp_path).files:
        name, version, _, tags = parse_wheel_filename(wheel.name)
        content = members(wheel)
        metadata = metadata_of(wheel)
        rows = {
            path: (told, size)
            for path, told, size in csv.reader(io.StringIO(content["RECORD"].decode()))
        }
        with ZipFile(wheel) as archive:
            infos = archive.infolist()

        assert (metadata.name, metadata.version) == (name, version)
        assert b"Metadata-Version: 2.4\nName: acme-mine" in content["METADATA"]
        assert {"py3-none-any"} == {str(tag) for tag in tags}
        assert b"Root-Is-Purelib: true\nTag: py3-none-any\n" in content["WHEEL"]
        assert {info.filename for info in infos} == rows.keys()
        assert all(info.compress_type == ZIP_STORED for info in infos)
        record = rows.popitem()
        assert record[0].endswith(".dist-info/RECORD") and record[1] == ("", "")
        for path, (told, size) in rows.items():
            stored = content[path.partition(".dist-info/")[2] or path]
            digest = base64.urlsafe_b64encode(hashlib.sha256(stored).digest()).decode()
            assert (f"sha256={digest.rstrip('=')}", str(len(stored))) == (told, size)


def test_the_same_model_gives_the_same_bytes(bundle, tmp_path, monkeypatch):
    first = wheels_in_parts(bundle, tmp_path / "first").files
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    os.utime(bundle.path / WEIGHTS, (10**9, 10**9))
    second = wheels_in_parts(bundle, tmp_path / "second").files

    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_a_package_of_a_model_that_came_as_packages_is_the_same(bundle, tmp_path):
    first = wheels_in_parts(bundle, tmp_path / "wheels").files
    for wheel in first:
        with ZipFile(wheel) as archive:
            archive.extractall(tmp_path / "site")
    opened = ModelBundle.open(tmp_path / "site" / "acme_mine")
    again = wheels_in_parts(opened, tmp_path / "again").files

    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]


@pytest.mark.parametrize(
    ("told", "stated"),
    [
        ("mit", "MIT"),
        ("Apache-2.0 OR MIT", "Apache-2.0 OR MIT"),
        ("DeepSeek License 1.0", "LicenseRef-DeepSeek-License-1.0"),
        ("unknown", None),
    ],
)
def test_the_license_is_stated_as_packages_do(changed, tmp_path, told, stated):
    for wheel in wheels_in_parts(changed(license=told), tmp_path / "wheels").files:
        assert stated == metadata_of(wheel).license_expression


def test_card_and_license_go_along(changed, tmp_path):
    bundle = changed()
    (bundle.path / "MODEL_CARD.md").write_text("---\nlicense: mit\n---\n# Über\n", encoding="utf-8")
    (bundle.path / "LICENSE").write_text("Do as you like.\n")
    wheel = wheels_in_parts(bundle, tmp_path / "wheels").files[-1]
    content = members(wheel)

    assert "# Über\n" == metadata_of(wheel).description
    assert ["LICENSE"] == metadata_of(wheel).license_files
    assert b"Do as you like.\n" == content["licenses/LICENSE"] == content["acme_mine/LICENSE"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (WheelOptions("mine", "-x-"), "'-x-' cannot be the name of a package"),
        (WheelOptions("mine", "a b"), "'a b' cannot be the name of a package"),
        (WheelOptions("mine", version="first"), "'first' is no version of a package"),
    ],
)
def test_names_and_versions_that_pip_does_not_take_are_refused(bundle, tmp_path, options, said):
    with pytest.raises(WheelError, match=said):
        write_wheels(bundle, tmp_path / "out", options)
    assert not (tmp_path / "out").exists()


def test_a_damaged_model_is_not_packed(changed, tmp_path):
    bundle = changed()
    content = bytearray((bundle.path / WEIGHTS).read_bytes())
    content[-1] ^= 1
    (bundle.path / WEIGHTS).write_bytes(content)

    with pytest.raises(BundleError, match="is damaged"):
        write_wheels(bundle, tmp_path / "out", WheelOptions("mine"))
    assert not (tmp_path / "out").exists()


def test_a_write_that_fails_leaves_nothing_of_the_new_wheels(bundle, tmp_path):
    """The system refuses to write more than so many bytes into a file, as a full disk does."""
    code = (
        "import resource, sys\nfrom model_runtime.cli import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "other.whl").touch()
    arguments = [
        "models",
        "wheel",
        str(bundle.path),
        "--as",
        "mine",
        "--out",
        str(tmp_path / "out"),
    ]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )

    assert (1, 1) == (done.returncode, done.stderr.count("\n"))
    assert f"wheels cannot be written to {tmp_path / 'out'} (File too large)" in done.stderr
    assert ["other.whl"] == [path.name for path in (tmp_path / "out").iterdir()]
