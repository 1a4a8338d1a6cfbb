"""The table of the embedded model's dial, from files that it has not learned from.

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
from fim_lsp import calibrate
from fim_lsp.replay import calibration
from model_runtime import catalogue

PACKAGES = (
    "datatrove", "grimp", "hypothesis", "importlinter", "pathvalidate",
    "pygls", "pynvim", "pytablewriter", "tqdm", "typepy",
)  # fmt: skip
_FILES_OF_EACH = 4
_BYTES = range(1_500, 20_000)
_KEYS = 250


def held_out_files() -> list[Path]:
    """Some of each package, spread over it."""
    files: list[Path] = []
    for name in PACKAGES:
        spec = find_spec(name)
        assert spec is not None and spec.origin is not None, "install the extra `dev`"
        root = Path(spec.origin).parent
        known = [
            file
            for file in sorted(root.rglob("*.py"))
            if file.stat().st_size in _BYTES
            and not any("test" in part or "vendor" in part for part in file.relative_to(root).parts)
        ]
        files += known[:: max(1, len(known) // _FILES_OF_EACH)][:_FILES_OF_EACH]
    return files


def main() -> None:
    files = held_out_files()
    words = f"{len(files)} Python files of {len(PACKAGES)} packages that it has not learned from"
    table, measured = calibrate.of_files(files, {"engine": "onnx", "threads": 1}, _KEYS, words)
    arguments = ["--write"] if "--write" in sys.argv else []
    if arguments:
        calibration.write(catalogue.find(catalogue.DEFAULT), table)
    command = " ".join(["python -m benchmarks.calibration", *arguments])
    write("calibration", calibrate.as_json(table, measured), command)


if __name__ == "__main__":
    main()
