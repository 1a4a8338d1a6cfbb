"""`fim-lsp stats`: shows what was counted of the suggestions that were taken, or deletes it."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fim_lsp.errors import FimLspError
from model_runtime.command_line import Commands, add_command, add_json_option

if TYPE_CHECKING:
    from fim_lsp.feedback.acceptance_store import Key
    from fim_lsp.feedback.saved_keys import Day
    from model_runtime.models.calibration import Calibration

_EXAMPLES = """\
  fim-lsp stats            a table, and where the file lies
  fim-lsp stats --clear    forget what you took; eagerness is as you set it
To stop the counting, set fimLsp.learnFromUse to false in your editor."""


def add_parser(commands: Commands) -> None:
    """Adds the command `stats`."""
    parser = add_command(
        commands,
        "stats",
        run,
        help="how many suggestions you took, as counted on this machine; or delete that",
        description="Show how many suggestions you accepted, typed by hand and rejected, by model "
        "and value of the setting `eagerness`, and how far that has moved it.  The counts lie "
        "in one small file on this machine, hold no code, and are sent nowhere.",
        examples=_EXAMPLES,
    )
    add_json_option(parser)
    parser.add_argument("--clear", action="store_true", help="delete the counts")


def run(args: argparse.Namespace) -> int:
    """Prints the counts or deletes them; returns the exit code.

    Raises:
        FimLspError: the counts cannot be deleted.
    """
    from fim_lsp.feedback import acceptance_store, saved_keys

    path, as_json = acceptance_store.default_file(), args.json
    path_of_days = saved_keys.default_file()
    if args.clear:
        was_there = [_clear(one) for one in (path, path_of_days)]
        if as_json:
            print(json.dumps({"file": str(path), "deleted": any(was_there)}))
        else:
            print(f"deleted {path}" if any(was_there) else f"there was nothing to delete at {path}")
        return 0
    rows = _rows(acceptance_store.read(path))
    days = saved_keys.by_day(saved_keys.read(path_of_days))
    if as_json:
        found = {"file": str(path), "counts": rows, "days": [day._asdict() for day in days]}
        print(json.dumps(found, indent=1))
    else:
        _print(rows, days, path)
    return 0


def _clear(path: Path) -> bool:
    from fim_lsp.feedback import counts_file

    try:
        return counts_file.clear(path)
    except OSError as error:
        raise FimLspError(f"{path}: {error.strerror}; delete the file yourself") from None


def _rows(known: Counter[Key]) -> list[dict[str, Any]]:
    """Returns a row for each model and value of the setting `eagerness`."""
    from fim_lsp.feedback.outcomes import Outcome
    from fim_lsp.feedback.threshold import shift

    rows = []
    for model, eagerness in sorted({(model, eagerness) for model, eagerness, _ in known}):
        number = {one.value: known[model, eagerness, one.value] for one in Outcome}
        taken = number["accepted"] + number["typed"]
        expected = _calibration(model).acceptance(float(eagerness))
        rows.append({
            "model": model,
            "eagerness": float(eagerness),
            **number,
            "takenShare": round(taken / (taken + number["rejected"]), 4),
            "expectedShare": round(expected, 4),
            "shift": round(shift(taken, number["rejected"], expected), 3),
        })  # fmt: skip
    return rows


def _calibration(model: str) -> Calibration:
    """Returns the calibration of the model that has this name, or the general one."""
    from model_runtime.models.calibration import UNCALIBRATED
    from model_runtime.store import installed

    for entry in installed.list_models():
        if entry.manifest is not None and entry.manifest.name == model:
            return entry.manifest.calibration or UNCALIBRATED
    return UNCALIBRATED


def _tendency(shift: float) -> str:
    """Returns what the counts have changed, in words."""
    if round(shift, 2) == 0:
        return "as set"
    return "shows more" if shift > 0 else "shows fewer"


def _print(rows: list[dict[str, Any]], days: list[Day], path: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    from fim_lsp.completion.line_ngrams import SOURCE
    from model_runtime.printable import printable

    console = Console(highlight=False, markup=False)
    if not rows:
        console.print("Nothing has been counted yet: use it for a while, then look again.")
    else:
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        table.add_column("", no_wrap=True)
        for name in ("setting", "accepted", "typed", "rejected", "right", "expected", "now"):
            table.add_column(name, justify="right")
        for row in rows:
            table.add_row(
                printable(row["model"]),
                f"{row['eagerness']:g}",
                *(f"{row[name]:,}" for name in ("accepted", "typed", "rejected")),
                f"{100 * row['takenShare']:.0f} %",
                f"{100 * row['expectedShare']:.0f} %",
                "-" if row["model"] == SOURCE else _tendency(row["shift"]),
            )
        console.print(table)
    if days:
        keys, accepted = sum(day.keys for day in days), sum(day.accepted for day in days)
        console.print(
            f"Saved {keys:,} keys with {accepted:,} accepted suggestions since {days[0].day}."
        )
    for line in (
        "Typed: you wrote it yourself, as suggested.  Rejected: you wrote something else.",
        "Right: accepted or typed, of all.  Expected: at your setting, fimLsp.eagerness.  Now: "
        "whether more or fewer suggestions are shown than at first, because of these counts.",
        f"Kept in {path} and saved_keys.json beside it: these numbers only, no code, no names of "
        "files.  "
        "They never leave this machine.",
        "`fim-lsp stats --clear` deletes them; the setting fimLsp.learnFromUse stops the counting.",
    ):
        console.print(line, style="dim", soft_wrap=True)
