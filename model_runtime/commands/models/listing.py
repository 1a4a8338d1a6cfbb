"""`fim-runtime models list`: shows the models on this machine."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model_runtime.command_line import Commands, add_command, add_json_option
from model_runtime.printable import printable, shown_bytes

if TYPE_CHECKING:
    from rich.text import Text

    from model_runtime.models.manifest import Manifest
    from model_runtime.store.installed import ModelEntry

_LEGEND = """\
disk: the model's files, and what engines have made of them in the cache
*: used where the setting "model" is "auto"; see: fim-runtime models use --help"""


@dataclass(frozen=True, slots=True)
class _Row:
    """A model, and what else is known of it."""

    entry: ModelEntry
    cached_bytes: int
    """Bytes of the files that engines have made of it."""
    is_chosen: bool


def add_parser(actions: Commands) -> None:
    """Adds the action `list`."""
    parser = add_command(
        actions,
        "list",
        run,
        help="models on this machine, and the bytes they take",
        description="Shows the models that have a name: the one that is built in, those that you "
        "have added, and those that came as pip packages.  Of several with one name your own is "
        "used.",
    )
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Prints the models, unusable ones with their problem; returns the exit code."""
    from model_runtime.engines.artifact_cache import forms_by_weights
    from model_runtime.files import size_of_folder
    from model_runtime.store import installed
    from model_runtime.store.choice import chosen_model

    forms, chosen = forms_by_weights(), chosen_model() or installed.DEFAULT
    rows = []
    for entry in installed.list_models():
        weights = entry.manifest.weights.sha256 if entry.manifest else ""
        cached = sum(map(size_of_folder, forms.get(weights, [])))
        rows.append(_Row(entry, cached, entry.name == chosen))
    if args.json:
        print(json.dumps([_as_json(row) for row in rows], indent=1))
    else:
        _print(rows, chosen)
    return 0


def _print(rows: list[_Row], chosen: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    if not rows:
        console.print("no models; add one with: fim-runtime models add SOURCE")
        return
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for heading in ("", "name", "from"):
        table.add_column(heading, overflow="fold")
    for heading in ("disk", "weights", "context"):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("hole", "license"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        entry = row.entry
        name = Text(printable(entry.name), "" if entry.manifest else "red")
        mark = "*" if row.is_chosen else ""
        table.add_row(mark, name, entry.origin.value, *_cells(row, entry.manifest))
    console.print(table)
    for row in rows:
        for style, told in (("red", row.entry.problem), ("yellow", row.entry.note)):
            if told:
                of_whom = (printable(row.entry.name), style)
                console.print(Text.assemble(of_whom, f": {printable(told)}"), soft_wrap=True)
    if not any(row.is_chosen for row in rows):
        console.print(Text(f"the chosen model {chosen} is not on this machine any more", "yellow"))
    console.print(_LEGEND, style="dim", markup=False)


def _cells(row: _Row, manifest: Manifest | None) -> tuple[str | Text, ...]:
    from rich.text import Text

    if manifest is None:
        return ("", "", "", "", "unusable")
    return (
        shown_bytes(row.entry.bytes + row.cached_bytes),
        f"{manifest.parameters / 1e6:,.1f} M",
        f"{manifest.context_length:,}",
        manifest.prompt.hole_start.value,
        Text(printable(manifest.license)),  # text of others, which may look like markup
    )


def _as_json(row: _Row) -> dict[str, object]:
    entry = row.entry
    manifest = json.loads(entry.manifest.to_json()) if entry.manifest else None
    return {
        "name": entry.name,
        "origin": entry.origin.value,
        "is_chosen": row.is_chosen,
        "path": str(entry.path),
        "bytes": entry.bytes,
        "cached_bytes": row.cached_bytes,
        "packages": entry.package.uninstall if entry.package else [],
        "problem": entry.problem,
        "note": entry.note,
        "manifest": manifest,
    }
