"""Makes the table of the embedded model's confidence threshold, from files it has not learned from.

They come with the development extras, and none of their packages is in the list of the model's
sources (`model_runtime/bundles/default/licences.tsv`, as permissive); the frozen set of the replay
stays apart, to verify.

    python -m benchmarks.calibration            measure, and write benchmarks/results
    python -m benchmarks.calibration --write    also into the embedded model's manifest
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

from benchmarks.record import write
from fim_lsp.commands import calibrate
from fim_lsp.replay import calibration
from model_runtime.store import installed

PACKAGES = (
    "datatrove", "grimp", "hypothesis", "importlinter", "pathvalidate",
    "pygls", "pynvim", "pytablewriter", "tqdm", "typepy",
)  # fmt: skip
_FILES_OF_EACH = 4
_BYTES = range(1_500, 20_000)
_KEYS = 250

NODE_MODULES = Path(__file__).parents[1] / "vscode-client" / "node_modules"
"""Folder of packages that `make vsix` installs."""
OTHERS = {
    "javascript": ("*.js", ("eslint/lib", "semver", "commander/lib", "espree/lib"), 6),
    "typescript": ("*.ts", ("@azure/msal-common/src", "editions/source"), 12),
    "markdown": (
        "*.md",
        ("marked", "minimatch", "lru-cache", "picomatch", "ignore", "acorn", "debug", "fdir"),
        2,
    ),
    "go": ("*.go", ("flatted/golang",), 4),
}
"""Maps languages to their files, the packages of the extension that hold them, and how many
of each are typed."""
C_SOURCES = (("mypyc", 12), ("greenlet", 2), ("markupsafe", 2))
"""Packages of the development extras with C, and how many files of each are typed."""


def held_out_files() -> list[Path]:
    """Returns the Python files, some of each package, spread over it."""
    files: list[Path] = []
    for name in PACKAGES:
        files += _some(_root(name), "*.py", _FILES_OF_EACH)
    return files


def held_out_files_of_other_languages() -> list[Path]:
    """Returns files of the languages that the embedded model has not learned."""
    assert NODE_MODULES.is_dir(), "run `make vsix`"
    files: list[Path] = []
    for pattern, packages, number in OTHERS.values():
        for package in packages:
            files += _some(NODE_MODULES / package, pattern, number)
    for name, number in C_SOURCES:
        files += _some(_root(name), "*.c", number)
    return files


def _root(package: str) -> Path:
    spec = find_spec(package)
    assert spec is not None and spec.origin is not None, "install the extra `dev`"
    return Path(spec.origin).parent


def _some(root: Path, pattern: str, number: int) -> list[Path]:
    known = [
        file
        for file in sorted(root.rglob(pattern))
        if file.stat().st_size in _BYTES
        and not file.name.endswith((".d.ts", ".min.js"))
        and "LICENSE" not in file.name
        and not any(
            word in part
            for part in file.relative_to(root).parts
            for word in ("test", "vendor", "node_modules")
        )
    ]
    return known[:: max(1, len(known) // number)][:number]


def main() -> None:
    files = held_out_files()
    words = (
        f"{len(files)} Python files of {len(PACKAGES)} packages that it has not learned from, and "
        "files of other languages"
    )
    files += held_out_files_of_other_languages()
    table, measured = calibrate.of_files(files, {"engine": "onnx", "threads": 1}, _KEYS, words)
    arguments = ["--write"] if "--write" in sys.argv else []
    if arguments:
        calibration.write(installed.find(installed.DEFAULT), table)
    command = " ".join(["python -m benchmarks.calibration", *arguments])
    write("calibration", calibrate.as_json(table, measured), command)


if __name__ == "__main__":
    main()
