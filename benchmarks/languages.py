"""Measures in which languages suggestions are right, on public repositories with free licences.

    git clone https://github.com/OWNER/NAME FOLDER/NAME    each of those below
    python -m benchmarks.languages --model NAME --root FOLDER

Windows of a few files of each language are typed, as by `where_to_end`, at the default eagerness
and without line n-grams.  None of the files is kept here.
"""

from __future__ import annotations

import argparse
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks import record
from benchmarks.recorded_keys import Place, places, written
from benchmarks.where_to_end import cleaned, typed
from fim_lsp.commands.replay import progress
from fim_lsp.replay import script
from model_runtime.decoding.confidence import ConfidenceCutoff
from model_runtime.engines.kind import EngineOptions
from model_runtime.served_model import STANDARD_EAGERNESS, serve_bundle
from model_runtime.store import installed

REPOSITORIES: dict[str, tuple[str, str]] = {
    "BurntSushi/memchr": ("MIT", "src/**/*.rs"),
    "google/gson": ("Apache-2.0", "gson/src/main/**/*.java"),
    "fmtlib/fmt": ("MIT", "**/*.cc"),
    "rack/rack": ("MIT", "lib/**/*.rb"),
    "guzzle/psr7": ("MIT", "src/*.php"),
    "bats-core/bats-core": ("MIT", "lib/**/*.bash"),
    "pallets/click": ("BSD-3-Clause", "src/**/*.py"),
}
"""Maps repositories to their licence and the files that are typed."""
_FILES_OF_EACH = 5
_BYTES = range(1_500, 60_000)


def files_of(root: Path, pattern: str) -> list[Path]:
    """Returns a few files, spread over a repository."""
    known = [one for one in sorted(root.glob(pattern)) if one.stat().st_size in _BYTES]
    return known[:: max(1, len(known) // _FILES_OF_EACH)][:_FILES_OF_EACH]


def commit_of(root: Path) -> str:
    """Returns the commit that is checked out."""
    asked = ["git", "-C", str(root), "rev-parse", "--short=12", "HEAD"]
    return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default=installed.DEFAULT, metavar="NAME")
    parser.add_argument("--root", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--keys", type=int, default=40, metavar="N", help="of each window")
    parser.add_argument("--windows", type=int, default=2, metavar="N", help="of each file")
    args = parser.parse_args()
    model = serve_bundle(installed.find(args.model), "onnx", EngineOptions(threads=1))
    found: dict[str, Any] = {}
    for name, (licence, pattern) in REPOSITORIES.items():
        root = args.root / name.partition("/")[2]
        scripts = script.of_files(files_of(root, pattern))
        windows: dict[tuple[str, int], list[Place]] = {}
        work = list(places(scripts, args.keys, args.windows))
        with progress() as bar:
            task = bar.add_task("", total=len(work))
            for one, window, offset in work:
                text = one.insertions[0].text
                answer = written(model, one.path, one.language, text, offset)
                place = Place(str(one.path), one.language, window, offset, **answer)
                windows.setdefault((place.file, window), []).append(place)
                bar.update(task, advance=1, description=one.label[-40:])
        language = scripts[0].language
        calibration = model.calibration.for_language(language)
        cutoff = ConfidenceCutoff(calibration.least_probability(STANDARD_EAGERNESS))
        counts: Counter[str] = Counter()
        for places_ in windows.values():
            counts.update(typed(places_, lambda place, cutoff=cutoff: cleaned(place, cutoff)))
        wrong = counts["shown"] - counts["right"]
        found[name] = {
            "commit": commit_of(root),
            "licence": licence,
            "language": language,
            "files": len(scripts),
            "keys": counts["keys"],
            "saved_share": round(1 - counts["pressed"] / counts["keys"], 4),
            "shown": counts["shown"],
            "accepted": counts["accepted"],
            "wrong": wrong,
            "wrong_per_accepted": round(wrong / max(1, counts["accepted"]), 2),
        }
        print(name, found[name], flush=True)
    command = f"python -m benchmarks.languages --model {args.model} --root FOLDER"
    record.write(f"languages_{args.model}", found, command)


if __name__ == "__main__":
    main()
