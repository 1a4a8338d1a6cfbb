"""`fim-runtime evaluate plot`: curves of training runs beside each other."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the commands of `evaluate`."""
    parser = commands.add_parser(
        "plot",
        help="loss, bits per byte and pass@k of training runs, against tokens",
        description="Draws training runs beside each other as .svg and .png.  Reports of "
        "`evaluate infilling` below a run's folder become points at the tokens its model had seen.",
    )
    add = parser.add_argument
    add(
        "runs",
        nargs="+",
        metavar="[LABEL=]RUN",
        help="folder of `fim-runtime train`, or a bundle with its training log; runs of one "
        "label share a color",
    )
    add("--out", type=Path, default=Path("curves"), metavar="FILE", help="default curves")
    add("--title", default="", metavar="TEXT", help="above the curves")
    parser.set_defaults(evaluate=run)


def run(args: argparse.Namespace) -> int:
    """Draws the curves and prints the names of the pictures; returns the exit code."""
    from model_runtime.evaluation.plots import draw
    from model_runtime.evaluation.training_curve import read_curve

    curves = []
    for given in args.runs:
        label, _, folder = given.rpartition("=")
        curves.append(read_curve(label or Path(folder).name, Path(folder)))
    for picture in draw(curves, args.out, args.title):
        print(picture)
    return 0
