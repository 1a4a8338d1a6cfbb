"""Adding a model happens in a process that can take, and change, no more than it needs."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from model_runtime.errors import ConversionError
from model_runtime.progress import ignore_step
from model_runtime.store.confined import ConversionLimits, convert_confined
from model_runtime.store.options import AddOptions
from tests.support.random_models import VARIANTS, make_source

ROOT = Path(__file__).parents[2]
TINY = VARIANTS["rotary quarter"]
GENEROUS = ConversionLimits(4 * 2**30, 2**30, 120.0)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_source(tmp_path_factory.mktemp("model"), TINY)


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")


def add(source: Path, target: Path, limits: ConversionLimits | None = None):
    return convert_confined(source, target, AddOptions(), ignore_step, limits=limits)


def test_the_limits_follow_the_size_of_the_source(tmp_path):
    small, large = tmp_path / "small.gguf", tmp_path / "large.gguf"
    for path, size in ((small, 1), (large, 10**9)):
        with path.open("wb") as file:
            file.truncate(size)

    assert ConversionLimits.of(small).seconds + 999 < ConversionLimits.of(large).seconds
    assert ConversionLimits.of(small).file_bytes < ConversionLimits.of(large).file_bytes
    assert ConversionLimits.of(small).memory_bytes <= 4 * 2**30 + 4


def test_what_takes_too_long_is_ended_and_told_in_one_sentence(source, tmp_path):
    with pytest.raises(ConversionError, match="was not read within 0 seconds"):
        add(source, tmp_path / "models" / "mine", ConversionLimits(4 * 2**30, 2**30, 0.0))
    assert not (tmp_path / "models" / "mine").exists()


def test_what_takes_too_much_memory_is_ended_and_told_in_one_sentence(source, tmp_path):
    with pytest.raises(ConversionError, match=r"takes more than 0\.\d GB of memory") as caught:
        add(source, tmp_path / "models" / "mine", ConversionLimits(60 * 2**20, 2**30, 120.0))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "models" / "mine").exists()


def test_a_file_that_grows_too_large_is_told_in_one_sentence(source, tmp_path):
    with pytest.raises(ConversionError, match=r"File too large.*make room"):
        add(source, tmp_path / "models" / "mine", ConversionLimits(4 * 2**30, 10_000, 120.0))
    assert not (tmp_path / "models" / "mine").exists()


def test_the_folder_in_which_the_command_is_run_is_not_imported_from(source, tmp_path, monkeypatch):
    here = tmp_path / "here"
    for name in ("json.py", "numpy.py", "model_runtime/__init__.py"):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text(f"open({str(tmp_path / 'RAN')!r}, 'w')\n")
    monkeypatch.chdir(here)
    add(source, tmp_path / "models" / "mine", GENEROUS)

    assert not (tmp_path / "RAN").exists()


def test_a_relative_source_and_target_are_meant_from_where_the_user_is(
    source, tmp_path, monkeypatch
):
    monkeypatch.chdir(source.parent)
    report = add(Path(source.name), Path(os.path.relpath(tmp_path / "models" / "mine")), GENEROUS)

    assert (tmp_path / "models" / "mine" / "manifest.json").is_file()
    assert "mine" == report.name


def test_the_process_ends_with_the_one_that_asked(source, tmp_path):
    """Its standard input is closed when that one is gone, however it went."""
    request = {
        "source": str(source), "target": str(tmp_path / "models" / "mine"), "options": {},
        "origin": None, "license": "", "limits": {},
    }  # fmt: skip
    process = subprocess.run(
        [sys.executable, "-m", "model_runtime.store.conversion_process"],
        input=json.dumps(request) + "\n",
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        timeout=120,
    )

    assert process.returncode in (1, 130)
    assert not (tmp_path / "models" / "mine").exists()


CONFINED = """
import sys
from pathlib import Path
from model_runtime.landlock import write_only_in
if not write_only_in([Path(sys.argv[1])]):
    sys.exit(77)
"""


def confined(tmp_path: Path, code: str) -> str:
    """What a program says that may write in `inside` alone."""
    (tmp_path / "inside").mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", CONFINED + code, str(tmp_path / "inside")],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    if done.returncode == 77:
        pytest.skip("this kernel has no Landlock")
    return (done.stderr.strip().splitlines() or [""])[-1]


@pytest.mark.parametrize(
    "act",
    [
        "open(outside / 'new', 'w')",
        "open(outside / 'old', 'a')",
        "open(outside / 'old', 'r+b')",
        "(outside / 'folder').mkdir()",
        "(outside / 'old').unlink()",
        "(outside / 'old').rename(inside / 'old')",
        "(inside / 'a').write_text('x'); (inside / 'a').rename(outside / 'a')",
        "(inside / 'b').symlink_to(outside / 'old'); open(inside / 'b', 'w')",
        "import os; os.link(outside / 'old', inside / 'c')",
        "import os; os.truncate(outside / 'old', 0)",
        "import subprocess; subprocess.run(['cp', '/dev/null', outside / 'old'], check=True)",
    ],
)
def test_what_gives_up_writing_can_change_nothing_outside(tmp_path, act):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "old").write_text("old")
    said = confined(
        tmp_path, f"inside, outside = Path(sys.argv[1]), Path({str(outside)!r})\n{act}\n"
    )

    assert any(error in said for error in ("Permission", "OSError", "CalledProcessError")), said
    assert "old" == (outside / "old").read_text()
    assert ["old"] == [path.name for path in outside.iterdir()]


def test_what_gives_up_writing_can_still_write_where_it_may(tmp_path):
    assert "" == confined(tmp_path, "(Path(sys.argv[1]) / 'new').write_text('x')\n")
    assert "x" == (tmp_path / "inside" / "new").read_text()


def test_what_gives_up_writing_can_connect_to_nobody(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        came = threading.Event()
        listener.settimeout(0.2)
        port = listener.getsockname()[1]
        said = confined(
            tmp_path, f"import socket; socket.create_connection(('127.0.0.1', {port}))\n"
        )
        try:
            listener.accept()
            came.set()
        except TimeoutError:
            pass

    assert "Permission" in said
    assert not came.is_set()
