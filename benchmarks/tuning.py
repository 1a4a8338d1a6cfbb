"""Types a project's later commits with a model that was tuned on it, and with the one before.

The tuned model is a run of `fim-runtime train` that began with the embedded model's weights and
read the project as it was before the first commit of the range.  What the commits changed in Python
files is typed with its line n-grams, as it is used; the frozen set shows what was forgotten.  Each
model types by itself, so that a long measurement can be divided; `compare` writes the figures.

    git -C REPOSITORY worktree add TREE X
    fim-runtime train RECIPE --root TREE --out RUN --initial WEIGHTS
    python -m benchmarks.tuning calibrate RUN/bundle        the table of the embedded model
    python -m benchmarks.tuning type BEFORE.json default REPOSITORY X..Y
    python -m benchmarks.tuning type AFTER.json RUN/bundle REPOSITORY X..Y
    python -m benchmarks.tuning type FROZEN_BEFORE.json default     likewise FROZEN_AFTER.json
    python -m benchmarks.tuning compare PROJECT BEFORE AFTER FROZEN_BEFORE FROZEN_AFTER
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.record import RESULTS, write
from fim_lsp.replay import calibration, script, session
from fim_lsp.replay.script import Script
from fim_lsp.replay.typist import Manner
from model_runtime.evaluation.metrics import cluster_ratio
from model_runtime.models.bundle import ModelBundle
from model_runtime.store import installed

FROZEN_SET = Path(__file__).parent / "replay_set"
_RESULT = "tuning"


class Typed(NamedTuple):
    """Counts of one changed file."""

    label: str
    """Its path, with the commit behind it where there is one."""
    keys: int
    pressed: int
    shown: int
    accepted: int
    wrong: int


def typed(
    scripts: list[Script], model: str, max_keys: int, root: Path | None, is_indexed: bool = True
) -> list[Typed]:
    """Types the Python files among the scripts, without pauses."""
    python = [one for one in scripts if one.language == "python"]
    settings = {"engine": "onnx", "threads": 1, "model": model, "workspaceIndex": is_indexed}
    manner = Manner(is_fast=True, max_keys=max_keys)
    return [
        Typed(one.label, found.keys, found.pressed, found.shown, found.accepted, found.wrong)
        for one, found in session.run(python, manner, settings, description="", root=root).files
    ]


def of_commits(
    repository: Path, revisions: str, model: str, max_keys: int, is_indexed: bool
) -> list[Typed]:
    """Types what commits changed, in a tree as it was before them."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name).resolve()
        script.write_tree_before(revisions, repository, root)
        scripts = script.of_commits(revisions, repository, root)
        return typed(scripts, model, max_keys, root, is_indexed)


def of_frozen_set(model: str, max_keys: int) -> list[Typed]:
    """Types the frozen set's Python files."""
    scripts = script.of_files([FROZEN_SET / "ours", FROZEN_SET / "others"])
    return typed(scripts, model, max_keys, None)


def compared(before: list[Typed], after: list[Typed]) -> dict[str, Any]:
    """Returns the sums of both, and how many times as many keys the second saves.

    The 95 % interval is one over files: all changes of a file are drawn together.
    """
    saved_before, saved_after = ([one.keys - one.pressed for one in side] for side in
                                 (before, after))  # fmt: skip
    names = [one.label.partition(" (")[0] for one in before]
    ratio = cluster_ratio(saved_after, saved_before, names)
    return {
        "changed_files": len(before),
        "files": len(set(names)),
        "before": _summed(before),
        "after": _summed(after),
        "times_the_keys_saved": [round(value, 3) for value in (ratio.mean, ratio.low, ratio.high)],
    }


def _summed(files: list[Typed]) -> dict[str, Any]:
    sums = {name: sum(getattr(one, name) for one in files) for name in Typed._fields[1:]}
    share = (sums["keys"] - sums["pressed"]) / sums["keys"]
    return {**sums, "saved_share": round(share, 4)}


def _read(path: Path) -> tuple[dict[str, Any], list[Typed]]:
    content = json.loads(path.read_text("utf-8"))
    return content["about"], [Typed._make(one) for one in content["files"]]


def _compare(project: str, sides: list[Path]) -> None:
    """Adds a project's figures to those of the others."""
    read = [_read(path) for path in sides]
    figures = {**read[0][0], **compared(read[0][1], read[1][1])}
    if len(read) > 2:
        figures["frozen_set"] = {**read[2][0], **compared(read[2][1], read[3][1])}
    path = RESULTS / f"{_RESULT}.json"
    known = json.loads(path.read_text("utf-8"))["figures"] if path.exists() else {}
    print(json.dumps(figures, indent=1))
    write(_RESULT, {**known, project: figures}, "python -m benchmarks.tuning")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("calibrate")
    one.add_argument("bundle", type=Path)
    one = commands.add_parser("type")
    one.add_argument("out", type=Path)
    one.add_argument("model", help="a name, or a bundle's folder")
    one.add_argument("repository", type=Path, nargs="?")
    one.add_argument("revisions", nargs="?", metavar="X..Y")
    one.add_argument("--keys", type=int, default=120, metavar="N", help="of each change")
    one.add_argument("--no-index", action="store_true", help="line n-grams begin empty")
    one = commands.add_parser("compare")
    one.add_argument("project")
    one.add_argument("sides", type=Path, nargs="+")
    args = parser.parse_args()
    if args.command == "calibrate":
        table = installed.find(installed.DEFAULT).manifest.calibration
        assert table is not None
        calibration.write(ModelBundle.open(args.bundle), table)
    elif args.command == "compare":
        _compare(args.project, args.sides)
    else:
        if args.repository:
            files = of_commits(
                args.repository, args.revisions, args.model, args.keys, not args.no_index
            )
        else:
            files = of_frozen_set(args.model, args.keys)
        about = {
            "commits": args.revisions or "",
            "keys_of_each": args.keys,
            "is_indexed": bool(args.repository) and not args.no_index,
        }
        content = {"about": about, "files": files}
        args.out.write_text(json.dumps(content), encoding="utf-8")
        print(_summed(files))


if __name__ == "__main__":
    main()
