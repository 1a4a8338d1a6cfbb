"""Wheels and sdists of strangers: nothing is unpacked, and nothing small becomes something large."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from model_runtime.training.corpus.archives import Sdist, Wheel
from model_runtime.training.corpus.source import (
    MAX_FILE_BYTES,
    UNREADABLE,
    Share,
    SourceFile,
)
from model_runtime.training.recipe import CorpusRecipe

OUTSIDE = ("../../outside.py", "/tmp/outside.py", "a/../../../outside.py", "C:\\outside.py")
CODE = b"def one():\n    return 1\n"


def read(source: Wheel | Sdist) -> list[SourceFile]:
    return list(source.open(CorpusRecipe(), Share())[1])


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def tarred(path: Path, files: dict[str, bytes], **of_entry: object) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            for key, value in of_entry.items():
                setattr(entry, key, value)
            archive.addfile(entry, io.BytesIO(data))
    return path


def sources(folder: Path, files: dict[str, bytes]) -> list[Wheel | Sdist]:
    return [
        Wheel(zipped(folder / "a.whl", files), "a", "1"),
        Sdist(zipped(folder / "a.zip", files), "a", "1"),
        Sdist(tarred(folder / "a.tar.gz", files), "a", "1"),
    ]


def test_names_that_lead_out_of_an_archive_lead_nowhere(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for source in sources(folder, dict.fromkeys(OUTSIDE, CODE)):
        assert {CODE} == {file.data for file in read(source)}
    assert {"in"} == {path.name for path in tmp_path.iterdir()}
    assert {"a.whl", "a.zip", "a.tar.gz"} == {path.name for path in folder.iterdir()}
    assert not Path("/tmp/outside.py").exists()


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
)
def test_links_and_devices_of_an_archive_are_no_files(tmp_path, kind):
    path = tarred(tmp_path / "a.tar.gz", {"a/x.py": b""}, type=kind, linkname="/etc/passwd")

    assert [] == read(Sdist(path, "a", "1"))


def test_a_large_member_is_not_read(tmp_path):
    """64 MB of zeros take 64 kB in an archive."""
    for source in sources(tmp_path, {"a/x.py": bytes(2**26), "a/y.py": CODE}):
        assert [CODE] == [file.data for file in read(source)]


def test_a_size_that_is_a_lie_gives_no_more_than_the_most(tmp_path):
    path = zipped(tmp_path / "a.whl", {"a/x.py": bytes(2**23)})
    data = path.read_bytes().replace((2**23).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    path.write_bytes(data)
    try:
        found = read(Wheel(path, "a", "1"))
    except UNREADABLE:
        return
    assert all(len(file.data) <= MAX_FILE_BYTES for file in found)


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size, entry.type = size, kind
    return entry.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (header("a/huge.py", 2**40), "more than 4,294,967,296 bytes unpacked"),
        (header("a/x", 2**33, tarfile.XHDTYPE), "bytes at a time"),
        (header("a/x", 2**33, tarfile.GNUTYPE_LONGNAME), "bytes at a time"),
    ],
)
def test_a_tar_that_would_be_unpacked_for_ever_is_refused(tmp_path, start, said):
    path = tmp_path / "a.tar.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(start + bytes(2**20))
    with pytest.raises(tarfile.ReadError, match=said):
        read(Sdist(path, "a", "1"))


@pytest.mark.parametrize("change", ["encrypted", "unknown compression"])
def test_a_zip_that_the_library_does_not_read_is_left_out(tmp_path, change):
    path = zipped(tmp_path / "a.whl", {"a/x.py": CODE * 100})
    data = bytearray(path.read_bytes())
    directory = data.index(b"PK\x01\x02")
    for at, flag, method in ((0, 6, 8), (directory, 8, 10)):
        if change == "encrypted":
            data[at + flag] |= 1
        else:
            data[at + method] = 99
    path.write_bytes(data)

    with pytest.raises(UNREADABLE):
        read(Wheel(path, "a", "1"))


def test_an_archive_of_archives_is_not_unpacked(tmp_path):
    inner = zipped(tmp_path / "inner.zip", {"x.py": bytes(2**24)}).read_bytes()
    for source in sources(tmp_path, {f"a/{number}.zip": inner for number in range(100)}):
        assert [] == read(source)
