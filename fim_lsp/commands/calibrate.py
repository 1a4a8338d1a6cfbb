"""`fim-lsp calibrate`: measures a model's calibration and keeps it with the model."""

from __future__ import annotations

import argparse
import datetime
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fim_lsp.commands.options import add_model_options, model_settings
from fim_lsp.commands.replay import progress
from fim_lsp.errors import FimLspError, UsageError
from model_runtime.command_line import Commands, add_command, add_json_option

if TYPE_CHECKING:
    from fim_lsp.replay.calibration import Measured
    from fim_lsp.replay.figures import Figures
    from fim_lsp.replay.script import Script
    from model_runtime.models.calibration import Calibration

_EXAMPLES = """\
  fim-lsp calibrate src/                        look; takes minutes
  fim-lsp calibrate --model NAME --write src/   and keep it with an added model"""


def add_parser(commands: Commands) -> None:
    """Adds the command `calibrate`."""
    parser = add_command(
        commands,
        "calibrate",
        run,
        help="measure what the setting `eagerness` should ask of a model",
        description="Type files that the model has not learned from, once for each of a series of "
        "probabilities, and find from which one on how much of what is shown is right.  With "
        "--write the table becomes a part of the model, and `eagerness` then means the same for "
        "it as for any other: at 0.5 eleven suggestions in twenty are right.",
        examples=_EXAMPLES,
    )
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="files to type; of a folder, all its source files"
    )
    parser.add_argument(
        "--keys", type=int, default=300, metavar="N", help="of each file (default 300)"
    )
    parser.add_argument(
        "--words", default="", metavar="TEXT", help="what the files are, to be kept with the table"
    )
    parser.add_argument(
        "--write", action="store_true", help="keep the table in the model's manifest.json"
    )
    add_json_option(parser)
    add_model_options(parser)


def run(args: argparse.Namespace) -> int:
    """Measures, prints, and writes where that was asked for; returns the exit code.

    Raises:
        UsageError: the options make no sense.
        FimLspError: the files cannot be read, or the table cannot be kept.
    """
    from fim_lsp.replay import calibration
    from model_runtime.store import choice, installed
    from model_runtime.store.names import AUTO

    if args.keys < 1:
        raise UsageError(f"--keys {args.keys}: at least one key of each file must be typed")
    given = {"model": AUTO, **model_settings(args)}
    given["model"] = choice.resolved(given["model"])
    table, measured = of_files(
        [Path(name) for name in args.files], given, args.keys, words=args.words
    )
    bundle = installed.find(given["model"])
    if args.json:
        print(json.dumps(as_json(table, measured), indent=1))
    else:
        _print(table, measured)
    if args.write:
        try:
            calibration.write(bundle, table)
        except OSError as error:
            raise FimLspError(f"{bundle.path}: {error.strerror}; the table was not kept") from None
    return 0


def of_files(
    files: list[Path], settings: dict[str, Any], max_keys: int, words: str = ""
) -> tuple[Calibration, list[Measured]]:
    """Measures the calibration of a model; shows a bar meanwhile.

    Args:
        files: to type; of a folder, all its source files.
        settings: of the server; name the model and the engine.
        max_keys: keys of each file that are typed.
        words: describes the files; by default their number.

    Returns:
        The calibration, and the figures that it rests on.
    """
    from fim_lsp.replay import calibration, script

    scripts = script.of_files(files)
    with progress() as bar:
        task = bar.add_task("", total=len(scripts) * len(calibration.PROBABILITIES))

        def after_each(done: Script, _: Figures) -> None:
            bar.update(task, advance=1, description=done.label[-40:])

        measured = calibration.measure(scripts, settings, max_keys, after_each=after_each)
    date = datetime.date.today().isoformat()
    on = words or f"{len(scripts)} files"
    return calibration.fit(measured, f"{on}, {max_keys} keys of each, {date}"), measured


def as_json(table: Calibration, measured: list[Measured]) -> dict[str, Any]:
    """Returns the table and what was measured as a JSON object."""
    from fim_lsp.replay.figures import share

    return {
        "measured": table.measured,
        "points": [asdict(point) for point in table.points],
        "languages": {
            name: [asdict(point) for point in points] for name, points in table.languages.items()
        },
        "figures": [
            {
                "probability": one.probability,
                "shown": one.shown,
                "right": one.right,
                "rightShare": round(share(one.right, one.shown), 4),
                "savedShare": round(one.saved_share, 4),
                "languages": {
                    name: {"shown": shown, "right": right}
                    for name, (shown, right) in one.languages.items()
                },
            }
            for one in measured
        ],
    }


def _print(calibration_: Calibration, measured: list[Measured]) -> None:
    from rich.console import Console
    from rich.table import Table

    from fim_lsp.replay.figures import share

    console = Console(highlight=False)
    figures = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("shown from", "shown", "right", "", "keys saved"):
        figures.add_column(name, justify="right")
    for one in measured:
        figures.add_row(
            f"{one.probability:g}",
            f"{one.shown:,}",
            f"{one.right:,}",
            f"{100 * share(one.right, one.shown):.0f} %",
            f"{100 * one.saved_share:.1f} %",
        )
    console.print(figures)
    levels = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("language", "eagerness", "least probability", "right of what is shown"):
        levels.add_column(name, justify="left" if name == "language" else "right")
    for name, points in {"": calibration_.points, **calibration_.languages}.items():
        for point in points:
            levels.add_row(
                name,
                f"{point.eagerness:g}",
                f"{point.probability:.3f}",
                f"{100 * point.acceptance:.0f} %",
            )
    console.print()
    console.print(levels)
    console.print(f"measured on {calibration_.measured}", style="dim", markup=False)
