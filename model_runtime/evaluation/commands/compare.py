"""`fim-runtime evaluate compare`: paired differences of evaluations that were kept."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the commands of `evaluate`."""
    parser = commands.add_parser(
        "compare",
        help="paired differences of evaluations that were kept",
        description="Compares runs of `evaluate infilling` or `evaluate harness` with the first "
        "one, row by row: the same holes filled by both.  Intervals resample problems.",
    )
    add = parser.add_argument
    add("runs", nargs="+", type=Path, metavar="RUN", help="a run's folder, or its report.json")
    add(
        "--measure",
        action="append",
        metavar="TEXT",
        help="only measures whose name contains this, such as `pass@1, raw`; may be repeated",
    )
    add("--json", action="store_true", help="print JSON for a program")
    parser.set_defaults(evaluate=run)


def run(args: argparse.Namespace) -> int:
    """Prints the differences; returns the exit code."""
    from model_runtime.evaluation.compare import compare

    comparison = compare(args.runs, args.measure or ())
    if args.json:
        print(comparison.to_json(), end="")
        return 0
    from model_runtime.evaluation.terminal import show_comparison

    show_comparison(comparison)
    return 0
