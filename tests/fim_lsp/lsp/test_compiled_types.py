"""The code of lsprotocol's classes is compiled once, and they are the same classes."""

import marshal
import os
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

PROGRAM = """
import sys
compiled = []
def watch(event, arguments):
    if event == "compile" and "lsprotocol.types." in str(arguments[1]):
        compiled.append(arguments[1])
sys.addaudithook(watch)
from fim_lsp.lsp import compiled_types
compiled_types.load()
from lsprotocol import types
assert repr(types.Position(1, 2)) == "1:2", types.Position(1, 2)
assert types.Range(types.Position(1, 2), types.Position(3, 4)) == types.Range(
    types.Position(1, 2), types.Position(3, 4))
assert types.DidOpenTextDocumentParams.__init__.__code__.co_varnames[1] == "text_document"
print(len(compiled))
"""


def num_compiled(cache: Path, *options: str) -> int:
    """Returns how many sources Python compiled for the classes in a process of its own."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache), "HOME": str(cache)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        [sys.executable, *options, "-c", PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    return int(done.stdout)


def only_file(cache: Path) -> Path:
    (found,) = [path for path in cache.rglob("compiled/*") if path.is_file()]
    return found


def test_the_second_start_compiles_nothing(tmp_path):
    assert num_compiled(tmp_path) > 100
    assert 0 == num_compiled(tmp_path)


@pytest.mark.parametrize(
    "damage",
    [lambda content: b"", lambda content: content[:-100], lambda content: content[:-1] + b"\0"],
    ids=["empty", "cut off", "another byte"],
)
def test_a_damaged_file_is_written_again(tmp_path, damage):
    num_compiled(tmp_path)
    file = only_file(tmp_path)
    file.write_bytes(damage(file.read_bytes()))

    assert num_compiled(tmp_path) > 100
    assert 0 == num_compiled(tmp_path)


def test_code_that_a_new_version_would_not_write_is_not_used(tmp_path):
    """Every source is looked up whole; a file that knows others helps nothing."""
    num_compiled(tmp_path)
    file = only_file(tmp_path)
    other = marshal.dumps({"pass": compile("pass", "other", "exec")})
    file.write_bytes(zlib.crc32(other).to_bytes(4, "big") + other)

    assert num_compiled(tmp_path) > 100


def test_a_cache_that_cannot_be_written_costs_the_time_alone(tmp_path):
    (tmp_path / "fim-lsp").write_text("a file in the place of the folder")

    assert num_compiled(tmp_path) > 100


def test_whoever_wants_no_compiled_files_gets_none(tmp_path):
    assert num_compiled(tmp_path, "-B") > 100
    assert [] == [path for path in tmp_path.rglob("*") if path.is_file()]
