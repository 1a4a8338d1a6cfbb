"""`fim-runtime models list`: shows the models on this machine."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from model_runtime.command_line import Commands, add_command, add_json_option
from model_runtime.printable import printable

if TYPE_CHECKING:
    from model_runtime.store.installed import ModelEntry


def add_parser(actions: Commands) -> None:
    """Adds the action `list`."""
    add_json_option(add_command(actions, "list", run, help="models on this machine"))


def run(args: argparse.Namespace) -> int:
    """Prints the models, unusable ones with their problem; returns the exit code."""
    from model_runtime.store import installed

    entries = installed.list_models()
    if args.json:
        print(json.dumps([_as_json(entry) for entry in entries], indent=1))
        return 0
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("name", "parameters", "size", "context", "order", "licence", box=None)
    for entry in entries:
        if entry.manifest is None:
            problem = Text.assemble(("unusable", "red"), f": {printable(entry.problem)}")
            table.add_row(Text(printable(entry.name)), problem)
            continue
        manifest = entry.manifest
        table.add_row(
            Text(printable(entry.name)),
            f"{manifest.parameters / 1e6:.1f} M",
            f"{manifest.weights.size / 1e6:.1f} MB {manifest.weights.dtype}",
            str(manifest.context_length),
            manifest.prompt.name,
            Text(printable(manifest.license)),
        )
    console = Console(highlight=False)
    console.print(table)
    if not entries:
        console.print("no models; add one with: fim-runtime models add SOURCE")
    return 0


def _as_json(entry: ModelEntry) -> dict[str, object]:
    manifest = json.loads(entry.manifest.to_json()) if entry.manifest else None
    return {
        "name": entry.name,
        "path": str(entry.path),
        "problem": entry.problem,
        "manifest": manifest,
    }
