"""`fim-runtime models available`: shows the catalogue, and which of it fits this machine."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, NamedTuple

from model_runtime.command_line import Commands, add_command, add_json_option
from model_runtime.printable import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from model_runtime.catalogue.entries import CatalogueModel
    from model_runtime.catalogue.fit import Assessment

_MIN_WIDE = 120
"""Columns of a terminal that has room for the whole table."""


def add_parser(actions: Commands) -> None:
    """Adds the action `available`."""
    parser = add_command(
        actions,
        "available",
        run,
        help="models that can be fetched by name, and which one fits this machine",
        description="Shows the models that `models add NAME` knows, with their licenses, sizes and "
        "scores, and predicts how much memory each needs here and how long a suggestion takes.  "
        "The machine is measured once, in about a second.  Nothing is fetched.",
    )
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Prints the catalogue; returns the exit code.

    Raises:
        CatalogueError: it cannot be read.
    """
    from rich.console import Console

    from model_runtime.catalogue.entries import catalogue
    from model_runtime.catalogue.fit import assess
    from model_runtime.machine.speed import measured_speed
    from model_runtime.memory import available_memory
    from model_runtime.progress_bar import progress_bar
    from model_runtime.store.installed import list_models

    with progress_bar():
        found = assess(catalogue(), measured_speed(), available_memory())
    installed = {entry.name for entry in list_models()}
    if args.json:
        rows = [_as_json(one, one.model.name in installed) for one in found]
        print(json.dumps(rows, indent=1, ensure_ascii=False))
        return 0
    _print(Console(highlight=False), found, installed)
    return 0


def _as_json(one: Assessment, is_installed: bool) -> dict[str, object]:
    return asdict(one.model) | {
        "memory_bytes": one.memory_bytes,
        "key_ms": round(one.key_ms, 1),
        "fits": one.fits,
        "is_recommended": one.is_recommended,
        "why": one.why,
        "is_installed": is_installed,
    }


def _print(console: Console, found: tuple[Assessment, ...], installed: set[str]) -> None:
    from rich.text import Text

    console.print(_table(console.width, found, installed))
    console.print()
    for one in found:
        if one.is_recommended:
            name = (one.model.name, "bold green")
            console.print(Text.assemble("> ", name, ": ", printable(one.why)))
            console.print(f"  add it with: fim-runtime models add {one.model.name}")
            console.print()
    if not any(one.is_recommended for one in found):
        console.print("none of them keeps up with typing here; the embedded model does")
        console.print()
    for line in (
        "score: published; s for percent of SantaCoder-FIM lines written exactly, h for percent of "
        "HumanEval's single lines that pass their tests",
        "memory, key: predicted for this machine; key is the time from a key to its "
        "suggestion (p95), - where too little memory is free",
        "license*: is asked for before anything is fetched",
    ):
        console.print(Text(line), style="dim")


def _table(width: int, found: tuple[Assessment, ...], installed: set[str]) -> Table:
    from rich.table import Table
    from rich.text import Text

    padding = (0, 2 if width >= _MIN_WIDE else 1, 0, 0)
    table = Table(box=None, padding=padding, pad_edge=False, header_style="bold")
    columns = _columns(width, found, installed)
    for column in columns:
        table.add_column(
            column.header,
            justify="right" if column.is_number else "left",
            no_wrap=True,
            max_width=column.max_width,
        )
    for one in found:
        style = "green" if one.is_recommended else "" if one.fits else "dim"
        cells = [Text(printable(column.cell(one)), overflow="ellipsis") for column in columns]
        table.add_row(*cells, style=style)
    return table


class _Column(NamedTuple):
    header: str
    cell: Callable[[Assessment], str]
    is_number: bool = False
    max_width: int | None = None


def _columns(width: int, found: tuple[Assessment, ...], installed: set[str]) -> list[_Column]:
    """Returns the columns that have something to say and room to say it."""
    columns = [
        _Column("", lambda one: ">" if one.is_recommended else " "),
        _Column("name", lambda one: one.model.name),
        _Column("params", lambda one: f"{one.model.parameters / 1e9:.1f} B", is_number=True),
        _Column("license", lambda one: one.model.license + "*" * (not one.model.is_permissive)),
    ]
    if width >= _MIN_WIDE:
        columns += [_Column("languages", lambda one: one.model.languages, max_width=24)]
    columns += [
        _Column("download", lambda one: _bytes(one.model.download_bytes), is_number=True),
        _Column("memory", lambda one: _bytes(one.memory_bytes), is_number=True),
        _Column("score", lambda one: _score(one.model), is_number=True),
    ]
    if width >= _MIN_WIDE and any(one.model.measured for one in found):
        columns += [_Column("ours", lambda one: _ours(one.model), is_number=True)]
    columns += [_Column("key", _key, is_number=True)]
    if any(one.model.name in installed for one in found):
        is_here = "installed" if width >= _MIN_WIDE else "+"
        columns += [_Column("", lambda one: is_here if one.model.name in installed else "")]
    return columns


def _score(model: CatalogueModel) -> str:
    """Returns the first published score with the letter of its benchmark."""
    if not model.scores:
        return ""
    first = model.scores[0]
    return f"{first.value:.1f} {first.benchmark[:1].lower()}"


def _ours(model: CatalogueModel) -> str:
    return f"{model.measured[0].value:.1f}" if model.measured else ""


def _key(one: Assessment) -> str:
    from model_runtime.catalogue.fit import duration

    return duration(one.key_ms) if one.fits else "-"


def _bytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
