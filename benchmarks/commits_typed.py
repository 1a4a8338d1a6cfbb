"""Types what commits have added, with a setting as it is and changed: what does it save?

    git clone https://github.com/OWNER/NAME FOLDER/NAME    each of `commit_places.SUFFIXES`
    python -m benchmarks.commits_typed --model NAME --root FOLDER

The newest commits are typed as by `fim-lsp replay --git --fast`, the first keys of each changed
file.  What is typed already stands in runs/commits/typed-MODEL-KEYS-NAME.json.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.commit_places import SUFFIXES, changes, range_of
from benchmarks.commits import FOLDER
from benchmarks.record import write
from benchmarks.tuning import Typed
from fim_lsp.replay import script, session
from fim_lsp.replay.script import Script
from fim_lsp.replay.typist import Manner
from model_runtime.evaluation.metrics import paired_ratio_difference
from model_runtime.store import installed

WAYS: dict[str, dict[str, object]] = {
    "defaults": {},
    "projectMemory false": {"projectMemory": False},
    "multiline never": {"multiline": "never"},
    "multiline always": {"multiline": "always"},
    "crossFileContext true": {"crossFileContext": True},
    "contextTokens 192": {"contextTokens": 192},
    "contextTokens 384": {"contextTokens": 384},
    "contextTokens 1536": {"contextTokens": 1536},
}
"""Maps names to the settings that differ from the defaults."""


def scripts_of(repository: Path, root: Path, count: int) -> list[Script]:
    """Returns the changes of the newest commits, oldest first, and writes the tree before them."""
    chosen, found = [], 0
    for change in changes(repository, root):
        chosen.append(change)
        found += len(change.typed)
        if found >= count:
            break
    root.mkdir()
    script.write_tree_before(range_of(chosen[-1].commit), repository, root)
    return [change.files[number] for change in reversed(chosen) for number, _ in change.typed]


def typed(repository: Path, model: str, files: int, keys: int, way: str) -> list[Typed]:
    """Types with one way's settings; returns the counts of each changed file."""
    settings = {"engine": "onnx", "threads": 1, "model": model, **WAYS[way]}
    manner = Manner(is_fast=True, max_keys=keys)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve() / repository.name
        scripts = scripts_of(repository, root, files)
        replay = session.run(scripts, manner, settings, description="", root=root)
    return [
        Typed(one.label, found.keys, found.pressed, found.shown, found.accepted, found.wrong)
        for one, found in replay.files
    ]


def compared(base: Sequence[Typed], other: Sequence[Typed]) -> dict[str, Any]:
    """Returns the sums of a way, and the share of keys that it saves more than the base, with an
    interval drawn over commits.
    """
    keys = sum(one.keys for one in other)
    ours, theirs = ([(one.keys - one.pressed, one.keys) for one in side] for side in (other, base))
    commits = [one.label.rpartition(" (")[2] for one in base]
    return {
        "files": len(other),
        "commits": len(set(commits)),
        "keys": keys,
        "saved_share": round(1 - sum(one.pressed for one in other) / keys, 4),
        "saved_more": paired_ratio_difference(ours, theirs, commits)._asdict(),
        "shown": sum(one.shown for one in other),
        "accepted": sum(one.accepted for one in other),
        "wrong": sum(one.wrong for one in other),
    }


def _table(ways: dict[str, list[Typed]]) -> dict[str, Any]:
    return {way: compared(ways["defaults"], found) for way, found in ways.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default=installed.DEFAULT, metavar="NAME")
    parser.add_argument("--root", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--files", type=int, default=12, metavar="N", help="of each repository")
    parser.add_argument("--keys", type=int, default=40, metavar="N", help="of each changed file")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    args = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    found: dict[str, dict[str, list[Typed]]] = {name: {} for name in SUFFIXES}
    for way in ["defaults", *(way for way in args.ways if way != "defaults")]:
        for name, ways in found.items():
            out = FOLDER / f"typed-{args.model}-{args.keys}-{name}.json"
            known = json.loads(out.read_text("utf-8")) if out.exists() else {}
            if way not in known:
                known[way] = typed(args.root / name, args.model, args.files, args.keys, way)
                out.write_text(json.dumps(known), encoding="utf-8")
            ways[way] = [Typed(*one) for one in known[way]]
            print(way, name, compared(ways["defaults"], ways[way]), flush=True)
    figures = {name: _table(ways) for name, ways in found.items()}
    figures["all"] = _table(
        {way: [one for ways in found.values() for one in ways[way]] for way in found["click"]}
    )
    command = f"python -m benchmarks.commits_typed --model {args.model} --root FOLDER"
    given = f" --files {args.files} --keys {args.keys} --ways {' '.join(map(repr, args.ways))}"
    write(f"commits_typed_{args.model}_{args.keys}_keys", figures, command + given)


if __name__ == "__main__":
    main()
