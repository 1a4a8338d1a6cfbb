"""Weighs what `pip install fim-lsp` brings, package by package, and what it is needed for.

python -m benchmarks.install_size dist/fim_lsp-*.whl
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.record import write
from scripts.try_wheel import complete, installed

_WEIGH = """
import json, sys
from importlib.metadata import distributions
found = {}
for one in distributions():
    files = [one.locate_file(file) for file in one.files or ()]
    found[one.metadata["Name"]] = [one.version, sum(f.stat().st_size for f in files if f.is_file())]
json.dump(found, sys.stdout)
"""
_TOOLS = {"pip", "setuptools"}
"""Packages that an environment has before anything is installed."""


def weigh(wheel: Path, extras: str = "") -> dict[str, object]:
    """Returns the sizes of an installation in MB, the largest first, and the seconds it took."""
    start = time.perf_counter()
    with installed(wheel, extras=extras) as python:
        seconds = time.perf_counter() - start
        complete(python)
        done = subprocess.run(
            [str(python), "-c", _WEIGH], stdout=subprocess.PIPE, check=True, text=True
        )
    sizes = {
        f"{name} {version}": size / 1e6
        for name, (version, size) in json.loads(done.stdout).items()
        if name not in _TOOLS
    }
    ordered = sorted(sizes.items(), key=lambda item: -item[1])
    return {
        "total_mb": round(sum(sizes.values()), 1),
        "packages": len(sizes),
        "install_s": round(seconds),
        "mb": {name: round(size, 2) for name, size in ordered},
    }


def main() -> None:
    """Weighs the base and each extra that serving has a use for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("wheel", type=Path)
    wheel = parser.parse_args().wheel
    figures = {"wheel_mb": round(wheel.stat().st_size / 1e6, 1)}
    for extras in ("", "[http]", "[syntax]", "[ctranslate2]"):
        figures[f"fim-lsp{extras}"] = found = weigh(wheel, extras)
        print(f"fim-lsp{extras}: {found['total_mb']} MB in {found['packages']} packages")
    write("install_size", figures, f"python -m benchmarks.install_size {Path(sys.argv[1]).name}")


if __name__ == "__main__":
    main()
