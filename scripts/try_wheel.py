"""Installs a wheel of fim-lsp as a user does, and completes with it.

    python -m scripts.try_wheel dist/fim_lsp-*.whl              with this Python
    python -m scripts.try_wheel dist/fim_lsp-*.whl python3.10 python3.14

It needs nothing but the standard library, so that any Python of a build machine can run it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TEXT = 'def first(items: list[int]) -> int:\n    """Returns the first item."""\n    '
_SECONDS = 300


@contextmanager
def installed(wheel: Path, python: str = sys.executable, extras: str = "") -> Iterator[Path]:
    """Yields the Python of a new environment in which the wheel is installed, and removes it.

    It is made by uv where that is on PATH, else by venv and pip.

    Args:
        wheel: file of the wheel.
        python: command of the Python to install under.
        extras: names of extras in brackets, as `[http]`; may be empty.

    Raises:
        CalledProcessError: the wheel, or one that it needs, cannot be installed there.
    """
    with tempfile.TemporaryDirectory(prefix="fim-lsp-wheel-") as folder:
        own = Path(folder, "Scripts/python.exe" if os.name == "nt" else "bin/python")
        if uv := shutil.which("uv"):
            make = [uv, "venv", "--quiet", "--clear", "--python", python, folder]
            install = [uv, "pip", "install", "--quiet", "--python", str(own)]
        else:
            make = [python, "-m", "venv", folder]
            install = [str(own), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        only_wheels = ["--only-binary", ":all:"]  # a user may have no compiler
        subprocess.run(make, check=True)
        subprocess.run([*install, *only_wheels, f"{wheel.resolve()}{extras}"], check=True)
        yield own


def complete(python: Path) -> str:
    """Returns what the embedded model writes at the end of a short file.

    Raises:
        CalledProcessError: the command failed.
        ValueError: there was no suggestion.
    """
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "first.py").write_text(_TEXT, encoding="utf-8")
        line, column = _TEXT.count("\n") + 1, len(_TEXT.rpartition("\n")[2]) + 1
        done = subprocess.run(
            [str(python), "-m", "fim_lsp", "complete", f"first.py:{line}:{column}", "--json"],
            cwd=folder,
            stdout=subprocess.PIPE,
            check=True,
            timeout=_SECONDS,
        )
    items = json.loads(done.stdout)["items"]
    if not items:
        raise ValueError("nothing was suggested")
    return str(items[0]["insertText"])


def main() -> int:
    """Tries the wheel under each Python; returns 1 where one of them fails."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("pythons", nargs="*", default=[sys.executable], metavar="PYTHON")
    args = parser.parse_args()
    failed = 0
    for python in args.pythons:
        start = time.perf_counter()
        try:
            with installed(args.wheel, python) as own:
                seconds = time.perf_counter() - start
                print(
                    f"{python}: installed in {seconds:.0f} s, suggests {complete(own)!r}",
                    flush=True,
                )
        except (subprocess.SubprocessError, ValueError, OSError) as error:
            failed += 1
            print(f"{python}: {error}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
