"""Measures in which kinds of files, and of text in code, suggestions are right.

    git clone https://github.com/OWNER/NAME FOLDER/NAME    each repository of `KINDS`
    python -m benchmarks.kinds_of_text --model NAME --root FOLDER
    python -m benchmarks.kinds_of_text --model NAME --root FOLDER --wrong 20    print wrong ones

Windows of each kind are typed as by `where_to_end`, at the default eagerness and without line
n-grams: of files from lines that are drawn, of strings, comments and documentation in code from
where they begin.  What the model writes is kept in runs/recorded, and a second run tries the rules
of the code as it is then on the same texts; a rule that ends a text later needs `--again`.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import record
from benchmarks.languages import commit_of
from benchmarks.recorded_keys import Place, path_of, read, written
from benchmarks.text_in_code import KINDS_IN_CODE, places_in_code
from benchmarks.where_to_end import Shown, cleaned, text_of, typed
from fim_lsp.commands.replay import progress
from fim_lsp.replay import script, user
from fim_lsp.replay.script import Script
from fim_lsp.settings import Settings
from model_runtime.decoding.confidence import ConfidenceCutoff
from model_runtime.decoding.stop_rules import StopRules, wants_single_line
from model_runtime.engines.kind import EngineOptions
from model_runtime.prompt.encoder import Hole
from model_runtime.served_model import STANDARD_EAGERNESS, ServedModel, serve_bundle
from model_runtime.store import installed
from model_runtime.syntax.languages import language


class Source(NamedTuple):
    """Files of one repository."""

    repository: str
    licence: str
    pattern: str


_CODE = (
    Source("BurntSushi/memchr", "MIT", "src/**/*.rs"),
    Source("google/gson", "Apache-2.0", "gson/src/main/**/*.java"),
    Source("fmtlib/fmt", "MIT", "src/*.cc"),
    Source("rack/rack", "MIT", "lib/**/*.rb"),
    Source("pallets/click", "BSD-3-Clause", "src/**/*.py"),
    Source("sindresorhus/ky", "MIT", "source/**/*.ts"),
)
KINDS: dict[str, tuple[Source, ...]] = {
    "tests": (
        Source("BurntSushi/memchr", "MIT", "src/tests/**/*.rs"),
        Source("google/gson", "Apache-2.0", "gson/src/test/**/*.java"),
        Source("fmtlib/fmt", "MIT", "test/*-test.cc"),
        Source("rack/rack", "MIT", "test/*.rb"),
        Source("pallets/click", "BSD-3-Clause", "tests/*.py"),
        Source("sindresorhus/ky", "MIT", "test/*.ts"),
    ),
    "sql": (
        Source("sqlc-dev/sqlc", "MIT", "examples/**/*.sql"),
        Source("PostgREST/postgrest", "MIT", "test/**/*.sql"),
        Source("pgpartman/pg_partman", "PostgreSQL", "sql/**/*.sql"),
        Source("dbt-labs/jaffle-shop", "Apache-2.0", "models/**/*.sql"),
    ),
    "html": (
        Source("bradtraversy/50projects50days", "MIT", "*/*.html"),
        Source("StartBootstrap/startbootstrap-sb-admin-2", "MIT", "*.html"),
        Source("pallets/flask", "BSD-3-Clause", "examples/**/*.html"),
    ),
    "css": (
        Source("bradtraversy/50projects50days", "MIT", "*/*.css"),
        Source("picocss/pico", "MIT", "scss/**/*.scss"),
        Source("microsoft/vscode-extension-samples", "MIT", "*/media/*.css"),
    ),
    "json": (
        Source("microsoft/vscode-extension-samples", "MIT", "*/package.json"),
        Source("microsoft/vscode-extension-samples", "MIT", "*/.vscode/*.json"),
        Source("actions/starter-workflows", "MIT", "*/properties/*.json"),
        Source("sqlc-dev/sqlc", "MIT", "examples/**/*.json"),
    ),
    "yaml": (
        Source("actions/starter-workflows", "MIT", "*/*.yml"),
        Source("kubernetes/examples", "Apache-2.0", "**/*.yaml"),
        Source("fmtlib/fmt", "MIT", ".github/**/*.yml"),
    ),
    "toml": (
        Source("BurntSushi/memchr", "MIT", "**/*.toml"),
        Source("pallets/click", "BSD-3-Clause", "**/*.toml"),
        Source("pallets/flask", "BSD-3-Clause", "**/*.toml"),
    ),
    "shell": (
        Source("bats-core/bats-core", "MIT", "lib/**/*.bash"),
        Source("kubernetes/examples", "Apache-2.0", "**/*.sh"),
    ),
    "comments": _CODE,
    "documentation": _CODE,
    "strings": _CODE,
}
"""Maps each kind to the files that are typed, or in which it is found."""
_BYTES = range(500, 60_000)


def files_of(root: Path, sources: Sequence[Source], number: int) -> list[Path]:
    """Returns about `number` files, spread over each source."""
    files: list[Path] = []
    each = max(1, -(-number // len(sources)))
    for source in sources:
        folder = root / source.repository.partition("/")[2]
        known = [one for one in sorted(folder.glob(source.pattern)) if one.stat().st_size in _BYTES]
        files += known[:: max(1, len(known) // each)][:each]
    return files


def places_in_files(
    scripts: Sequence[Script], _: str, keys: int, windows: int
) -> Iterator[tuple[Script, int, int]]:
    """Yields the places of each window: the file, the window's number, the offset behind a key.

    Windows begin behind the indentation of lines that are drawn, which editors write.
    """
    for one in scripts:
        text = one.insertions[0].text
        known = [match.end() for match in re.finditer(r"^[ \t]*(?=\S)", text[:-keys], re.MULTILINE)]
        starts = random.Random(one.path.name).sample(known, min(windows, len(known)))
        for number, at in enumerate(starts):
            for _ in range(keys):
                if at < len(text):
                    at += len(user.key_of(text[at:]))
                    yield one, number, at


class Recording:
    """Remembers what a model wrote at the places of one kind, and asks it about the others."""

    def __init__(self, model: ServedModel, path: Path) -> None:
        self._model, self._path = model, path
        path.parent.mkdir(parents=True, exist_ok=True)
        known = (place for window in read(path) for place in window) if path.is_file() else ()
        self._known = {(place.file, place.offset): place for place in known}

    def at(self, place: Place) -> Place:
        """Returns a place with what the model writes there."""
        known = self._known.get((place.file, place.offset))
        if known is None:
            file, text = Path(place.file), text_of(place.file)
            answer = written(self._model, file, place.language, text, place.offset)
            known = self._known[place.file, place.offset] = replace(place, **answer)
            with self._path.open("a", encoding="utf-8") as out:
                out.write(json.dumps(asdict(known)) + "\n")
        return known


def ended(place: Place) -> Place:
    """Returns a place whose text ends where today's stop rules end it."""
    hole, spoken = Hole(text_of(place.file)[: place.offset], ""), language(place.language)
    single = wants_single_line(hole, Settings().multiline, spoken)
    cut = StopRules(hole, single, spoken).cut(place.text)
    if cut is None or cut.offset >= len(place.kept):
        return place
    return replace(place, kept=place.text[: cut.offset], is_cut_off=False)


def figures(
    model: ServedModel,
    windows: Sequence[Sequence[Place]],
    recording: Recording,
    wrong: list[Shown],
) -> dict[str, Any]:
    """Returns the figures of one kind; adds what was wrong to `wrong`."""
    counts: Counter[str] = Counter()
    with progress() as bar:
        task = bar.add_task("", total=len(windows))
        for window in windows:
            calibration = model.calibration.for_language(window[0].language)
            cutoff = ConfidenceCutoff(calibration.least_probability(STANDARD_EAGERNESS))
            counts.update(
                typed(
                    window,
                    lambda place, cutoff=cutoff: cleaned(ended(recording.at(place)), cutoff),
                    lambda shown: None if shown.is_right else wrong.append(shown),
                )
            )
            bar.update(task, advance=1, description=window[0].file[-40:])
    spoken = {window[0].language for window in windows}
    return {
        "files": len({window[0].file for window in windows}),
        "is_shown_unasked": all(model.suggests_in(one) for one in spoken),
        "keys": counts["keys"],
        "saved_share": round(1 - counts["pressed"] / max(1, counts["keys"]), 4),
        "shown": counts["shown"],
        "accepted": counts["accepted"],
        "wrong": counts["shown"] - counts["right"],
        "right_share": round(counts["right"] / max(1, counts["shown"]), 4),
        "wrong_per_accepted": round(
            (counts["shown"] - counts["right"]) / max(1, counts["accepted"]), 2
        ),
    }


def windows_of(work: Iterable[tuple[Script, int, int]]) -> list[list[Place]]:
    """Returns the places of each window, at which no model has been asked yet."""
    windows: dict[tuple[str, int], list[Place]] = {}
    for one, number, offset in work:
        nothing = Place(str(one.path), one.language, number, offset, "", (), (), "", False, False)
        windows.setdefault((nothing.file, number), []).append(nothing)
    return list(windows.values())


def _print_wrong(shown: Sequence[Shown]) -> None:
    for one in shown:
        text = text_of(one.place.file)
        at = one.place.offset
        before = text[:at].rpartition("\n")[2][-70:]
        wanted = text[at : at + max(40, len(one.text) + 10)]
        print(f"  {Path(one.place.file).name} {before!r}\n     +{one.text!r}\n     ={wanted!r}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default=installed.DEFAULT, metavar="NAME")
    parser.add_argument("--root", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--kinds", default=",".join(KINDS), metavar="NAME,...")
    parser.add_argument("--files", type=int, default=10, metavar="N", help="of each kind, about")
    parser.add_argument("--keys", type=int, default=40, metavar="N", help="of each window")
    parser.add_argument("--windows", type=int, default=1, metavar="N", help="of each file")
    parser.add_argument("--again", action="store_true", help="ask the model also where it was")
    parser.add_argument("--wrong", type=int, default=0, metavar="N", help="print wrong ones")
    args = parser.parse_args()
    model = serve_bundle(installed.find(args.model), "onnx", EngineOptions(threads=1))
    found: dict[str, Any] = {}
    for kind in args.kinds.split(","):
        scripts = script.of_files(files_of(args.root, KINDS[kind], args.files))
        places = places_in_code if kind in KINDS_IN_CODE else places_in_files
        windows = windows_of(places(scripts, kind, args.keys, args.windows))
        path = path_of(args.model, f"kind-{kind}")
        if args.again:
            path.unlink(missing_ok=True)
        wrong: list[Shown] = []
        found[kind] = figures(model, windows, Recording(model, path), wrong)
        print(f"{kind:14} {found[kind]}", flush=True)
        _print_wrong(random.Random(kind).sample(wrong, min(len(wrong), args.wrong)))
    found["repositories"] = {
        source.repository: {
            "commit": commit_of(args.root / source.repository.partition("/")[2]),
            "licence": source.licence,
        }
        for kind in args.kinds.split(",")
        for source in KINDS[kind]
    }
    command = (
        f"python -m benchmarks.kinds_of_text --model {args.model} --root FOLDER"
        f" --files {args.files} --windows {args.windows}"
    )
    record.write(f"kinds_of_text_{args.model}", found, command)


if __name__ == "__main__":
    main()
