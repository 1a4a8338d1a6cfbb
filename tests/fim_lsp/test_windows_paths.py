"""Names of files as editors on Windows write them; these functions give the same on every system."""

import os
from pathlib import PureWindowsPath

import pytest

from fim_lsp.commands.location import parse_location
from fim_lsp.exclusion.judge import ExclusionKind, is_excluded_by_name
from fim_lsp.http.documents import uri_of
from fim_lsp.uris import local_path, path_of
from model_runtime.files import cannot_write
from model_runtime.syntax.languages import language_id

FILES = [
    PureWindowsPath(text)
    for text in (
        r"C:\work\a.py",
        r"c:\Users\An na\proj #1\ä.py",
        r"D:\100%\a+b.py",
        r"\\server\share\proj\a.py",
    )
]


def as_vscode(path: PureWindowsPath) -> str:
    """Returns a URI as VS Code writes it: the colon of the drive is escaped."""
    return path.as_uri().replace(":/", "%3A/").replace("file%3A", "file:")


@pytest.mark.parametrize("path", FILES, ids=str)
@pytest.mark.parametrize("as_uri", [PureWindowsPath.as_uri, as_vscode], ids=["plain", "vscode"])
def test_a_uri_gives_the_path_that_it_was_made_of(path: PureWindowsPath, as_uri):
    found = local_path(as_uri(path), is_windows=True)

    assert found is not None
    assert path == PureWindowsPath(found)
    assert "\\" not in found


@pytest.mark.parametrize(
    "uri", ["file://localhost/c:/a.py", "FILE://LOCALHOST/c:/a.py", "file:///c:/a.py"]
)
def test_this_machine_is_no_share(uri: str):
    assert "c:/a.py" == local_path(uri, is_windows=True)


def test_elsewhere_a_host_is_left_out_as_before():
    assert "/share/a.py" == local_path("file://server/share/a.py", is_windows=False)


@pytest.mark.parametrize("path", FILES, ids=str)
def test_the_path_in_a_uri_ends_with_the_folders_of_the_file(path: PureWindowsPath):
    found = path_of(path.as_uri())

    assert found is not None
    assert found.endswith("/".join(path.parts[1:]))


@pytest.mark.parametrize(
    "name",
    [
        r"C:\work\.env",
        "C:/work/.ENV",
        "file:///c%3A/work/.env",
        PureWindowsPath(r"C:\work\.env").as_uri(),
        r"C:\Users\anna\.ssh\id_rsa",
        r"C:\work\.env. ",
        r"\\server\share\.env",
    ],
)
def test_a_secret_is_one_under_every_name(name: str):
    found = is_excluded_by_name(name)

    assert found is not None
    assert ExclusionKind.SECRET is found.kind


@pytest.mark.parametrize("glob", [r"C:\work\gen", "c:/work/gen/", r"work\gen"])
@pytest.mark.parametrize("name", [r"C:\work\gen\a.py", "file:///c%3A/work/gen/a.py"])
def test_globs_may_be_paths_of_windows(glob: str, name: str):
    assert is_excluded_by_name(name, (glob,)) is not None
    assert is_excluded_by_name(name.replace("gen", "src"), (glob,)) is None


def test_a_place_may_begin_with_a_drive():
    location = parse_location(r"C:\work\a.py:3:14")

    assert (r"C:\work\a.py", 3, 14) == (str(location.path), location.line, location.column)


@pytest.mark.parametrize("name", [str(path) for path in FILES])
def test_the_language_is_known_by_the_name(name: str):
    assert "python" == language_id(name)


class Windows(OSError):
    """An error as Python on Windows raises it."""

    def __init__(self, winerror: int) -> None:
        super().__init__(13, "Permission denied")
        self.winerror = winerror


@pytest.mark.parametrize("number", [5, 32])
def test_a_model_that_is_in_use_is_named_with_the_remedy(tmp_path, number: int):
    assert "end the server" in cannot_write(tmp_path, Windows(number))
    assert "end the server" not in cannot_write(tmp_path, OSError(13, os.strerror(13)))


@pytest.mark.parametrize("path", FILES[:3], ids=str)
def test_a_path_that_an_http_client_tells_is_the_same_file(path: PureWindowsPath):
    found = local_path(uri_of(str(path), 0), is_windows=True)

    assert found is not None
    assert path == PureWindowsPath(found)
