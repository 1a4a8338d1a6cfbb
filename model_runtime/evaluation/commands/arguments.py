"""Arguments that several evaluation commands have in common."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from model_runtime.engines import registry
from model_runtime.engines.kind import AUTO, DEVICES
from model_runtime.evaluation.splits import SPLITS


def add_data(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments that choose tasks of HumanEval-infilling and allows running them."""
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="FOLDER", help="with the benchmark's .jsonl.gz")
    add("--split", choices=list(SPLITS), default="single-line", help="of the benchmark")
    add("--tasks", type=int, metavar="N", help="only so many, spread over the problems")
    add(
        "--allow-code-execution",
        action="store_true",
        help="run model-written programs, each in a sandbox",
    )
    add(
        "--allow-unsandboxed",
        action="store_true",
        help="run them even where nothing can confine them; only on a machine to throw away",
    )


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments that choose an engine; without `--engine` it is a reference engine."""
    add = parser.add_argument
    add(
        "--engine",
        choices=(AUTO, *registry.names()),
        help=f"default {registry.reference()}, on a GPU {registry.reference('cuda')}; "
        "auto takes the one that is fastest here",
    )
    add("--device", choices=(AUTO, *DEVICES), default=AUTO, help="where it runs")
    add("--threads", type=int, default=0, metavar="N", help="0 lets the engine choose")


def positive(text: str) -> int:
    """Returns the whole number in `text`.

    Raises:
        ArgumentTypeError: the number is below 1.
    """
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("it must be at least 1")
    return number


def warn(message: str) -> None:
    """Prints a message of the evaluation on standard error."""
    print(f"fim-runtime evaluate: {message}", file=sys.stderr)
