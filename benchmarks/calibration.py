"""Makes the table of a model's confidence threshold, from files apart from the frozen set.

They come with the development extras, and none of their packages is in the list of the embedded
model's sources (`model_runtime/bundles/default/licences.tsv`, as permissive).  What a public model
has learned from nobody says; it may know them.

    python -m benchmarks.calibration            measure, and write benchmarks/results
    python -m benchmarks.calibration --write    also into the model's manifest
    python -m benchmarks.calibration --model NAME --keys 40 --share 0.5    an added model
    python -m benchmarks.calibration --model NAME --recorded               by `recorded_keys`
"""

from __future__ import annotations

import argparse
import datetime
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

from benchmarks.record import write
from fim_lsp.commands import calibrate
from fim_lsp.replay import calibration
from model_runtime.decoding.confidence import ConfidenceCutoff
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
    "javascript": (
        "*.js",
        (
            "azure-devops-node-api", "cockatiel", "eslint-scope/lib", "esutils/lib",
            "graceful-fs", "xmlbuilder/lib",
        ),
        4,
    ),
    "typescript": ("*.ts", ("@azure/msal-common/src", "editions/source"), 12),
    "markdown": (
        "*.md",
        (
            "fdir", "flat-cache", "graceful-fs", "ignore", "jws", "lru-cache", "minimatch",
            "proper-lockfile",
        ),
        2,
    ),
    "go": ("*.go", ("flatted/golang",), 4),
}  # fmt: skip
"""Maps languages to their files, the packages of the extension that hold them, and how many
of each are typed."""
C_SOURCES = (("mypyc", 16),)
"""Packages of the development extras with C, and how many files of each are typed."""


def held_out_files(share: float = 1.0) -> list[Path]:
    """Returns the Python files, some of each package, spread over it."""
    files: list[Path] = []
    for name in PACKAGES:
        files += _some(_root(name), "*.py", _shared(_FILES_OF_EACH, share))
    return files


def held_out_files_of_other_languages(share: float = 1.0) -> list[Path]:
    """Returns files of other languages, some of each package, spread over it."""
    assert NODE_MODULES.is_dir(), "run `make vsix`"
    files: list[Path] = []
    for pattern, packages, number in OTHERS.values():
        for package in packages:
            files += _some(NODE_MODULES / package, pattern, _shared(number, share))
    for name, number in C_SOURCES:
        files += _some(_root(name), "*.c", _shared(number, share))
    return files


def _shared(number: int, share: float) -> int:
    return max(1, round(number * share))


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


def _of_recording(model: str) -> list[calibration.Measured]:
    """Returns the figures of each threshold, on windows of the held-out files."""
    from benchmarks import recorded_keys, where_to_end  # which read the lists above

    windows = recorded_keys.read(recorded_keys.path_of(model, "held-out"))
    measured = []
    for probability in calibration.PROBABILITIES:
        counts = where_to_end.replayed(windows, ConfidenceCutoff(probability))
        total = sum(counts.values(), Counter[str]())
        languages = {name: (one["shown"], one["right"]) for name, one in counts.items()}
        saved = 1 - total["pressed"] / total["keys"]
        measured.append(
            calibration.Measured(probability, total["shown"], total["right"], saved, languages)
        )
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default=installed.DEFAULT, metavar="NAME")
    parser.add_argument("--keys", type=int, default=250, metavar="N", help="of each file")
    parser.add_argument(
        "--share",
        type=float,
        default=1.0,
        metavar="X",
        help="of the files, at least one of each kind",
    )
    parser.add_argument("--write", action="store_true", help="keep it in the model's manifest")
    parser.add_argument("--recorded", action="store_true", help="of what was recorded before")
    args = parser.parse_args()
    python = held_out_files(args.share)
    others = held_out_files_of_other_languages(args.share)
    is_embedded = args.model == installed.DEFAULT
    words = (
        f"{len(python)} Python files of {len(PACKAGES)} packages"
        + (" that it has not learned from" if is_embedded else "")
        + f", {len(others)} files of other languages"
    )
    command = f"python -m benchmarks.calibration --model {args.model}"
    if args.recorded:
        measured = _of_recording(args.model)
        table = calibration.fit(measured, f"{words}, recorded {datetime.date.today().isoformat()}")
        command += " --recorded"
    else:
        settings = {"engine": "onnx", "threads": 1, "model": args.model}
        table, measured = calibrate.of_files([*python, *others], settings, args.keys, words)
        command += f" --keys {args.keys} --share {args.share:g}"
    if args.write:
        calibration.write(installed.find(args.model), table)
        command += " --write"
    name = "calibration" if is_embedded else f"calibration-{args.model}"
    write(name, calibrate.as_json(table, measured), command)


if __name__ == "__main__":
    main()
