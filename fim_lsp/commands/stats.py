"""`fim-lsp stats` prints what has been counted of the suggestions that were taken, and where."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from fim_lsp.completion.line_ngrams import SOURCE
from fim_lsp.errors import FimLspError
from fim_lsp.feedback import acceptance_store
from fim_lsp.feedback.acceptance_store import Key
from fim_lsp.feedback.outcomes import Outcome
from fim_lsp.feedback.threshold import shift
from model_runtime.models.calibration import UNCALIBRATED, Calibration
from model_runtime.store import catalogue


def run(*, as_json: bool, clear: bool, path: Path | None = None) -> int:
    """Prints the counts, or deletes them; returns the exit code.

    Raises:
        FimLspError: the counts cannot be deleted.
    """
    path = path or acceptance_store.default_file()
    if clear:
        try:
            was_there = acceptance_store.clear(path)
        except OSError as error:
            raise FimLspError(f"{path}: {error.strerror}; delete the file yourself") from None
        if as_json:
            print(json.dumps({"file": str(path), "deleted": was_there}))
        else:
            print(f"deleted {path}" if was_there else f"there was nothing to delete at {path}")
        return 0
    rows = _rows(acceptance_store.read(path))
    if as_json:
        print(json.dumps({"file": str(path), "counts": rows}, indent=1))
    else:
        _print(rows, path)
    return 0


def _rows(known: Counter[Key]) -> list[dict[str, Any]]:
    """Returns a row for each model and eagerness."""
    rows = []
    for model, eagerness in sorted({(model, eagerness) for model, eagerness, _ in known}):
        number = {outcome.value: known[model, eagerness, outcome.value] for outcome in Outcome}
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
    """Returns that of a model of this machine, by its name; the general one for all others."""
    for entry in catalogue.list_models():
        if entry.manifest is not None and entry.manifest.name == model:
            return entry.manifest.calibration or UNCALIBRATED
    return UNCALIBRATED


def _print(rows: list[dict[str, Any]], path: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    if not rows:
        console.print("Nothing has been counted yet: use it for a while, then look again.")
    else:
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        table.add_column("", no_wrap=True)
        for name in ("eagerness", "accepted", "typed", "rejected", "taken", "expected", "moved by"):
            table.add_column(name, justify="right")
        for row in rows:
            table.add_row(
                row["model"],
                f"{row['eagerness']:g}",
                *(f"{row[name]:,}" for name in ("accepted", "typed", "rejected")),
                f"{100 * row['takenShare']:.0f} %",
                f"{100 * row['expectedShare']:.0f} %",
                "-" if row["model"] == SOURCE else f"{row['shift']:+.3f}",
            )
        console.print(table)
    for line in (
        "Typed: by hand, as suggested.  Rejected: something else was typed in the first line's "
        "place.  Moved by: change of the eagerness, 0.125 at most.",
        f"Kept in {path}: these numbers only, no code, no names of files.  "
        "They never leave this machine.",
        "`fim-lsp stats --clear` deletes them; the setting fimLsp.learnFromUse stops the counting.",
    ):
        console.print(line, style="dim", markup=False, soft_wrap=True)
