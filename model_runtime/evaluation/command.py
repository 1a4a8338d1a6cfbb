"""The command `fim-runtime evaluate`: its subcommands are the modules of `commands`.

Nothing heavy is imported before a subcommand runs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from model_runtime.errors import ModelRuntimeError
from model_runtime.evaluation.commands import (
    compare,
    floor,
    harness,
    infilling,
    plot,
    sandbox,
    santacoder,
)
from model_runtime.evaluation.commands.arguments import warn
from model_runtime.progress_bar import progress_bar

Subcommands = argparse._SubParsersAction  # the type has no public name
_DESCRIPTION = """\
Scores a fill-in-the-middle model by running what it writes.

A score has its interval and its floor: an empty answer passes 2.6 % of the
single-line benchmark.  What a model wrote is executed only with
--allow-code-execution, each program in a sandbox without network or files."""

_EXAMPLES = """\
examples:
  fim-runtime evaluate infilling default --data DATA --allow-code-execution
  fim-runtime evaluate infilling ./mine --data DATA --tasks 300
  fim-runtime evaluate harness default --data ROWS
  fim-runtime evaluate santacoder NAME --data train.parquet
  fim-runtime evaluate compare runs/a runs/b
  fim-runtime evaluate ablation --root CODE --seeds 3 --infilling DATA
  fim-runtime evaluate plot AR=runs/ar FIM=runs/fim --out curves
  fim-runtime evaluate sandbox

DATA is the folder data/ of https://github.com/openai/human-eval-infilling
(MIT licence)."""


def add_parser(
    commands: Subcommands[argparse.ArgumentParser],
) -> Subcommands[argparse.ArgumentParser]:
    """Adds `evaluate` to the commands of a program.

    Returns:
        The subcommands, so that the caller can add `ablation`, which trains as well and therefore
        belongs to `training.ablation`.
    """
    parser = commands.add_parser(
        "evaluate",
        help="measure a model: HumanEval-infilling by execution",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
    )
    return add_subcommands(parser)


def add_subcommands(parser: argparse.ArgumentParser) -> Subcommands[argparse.ArgumentParser]:
    """Adds every subcommand to a parser, and returns them."""
    subcommands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in (infilling, santacoder, harness, compare, plot, floor, sandbox):
        module.add_parser(subcommands)
    parser.set_defaults(run=run)
    return subcommands


def run(args: argparse.Namespace) -> int:
    """Runs the chosen subcommand; returns the exit code: 0, 1 for a failure, 2 for wrong usage."""
    evaluate: Callable[[argparse.Namespace], int] = args.evaluate
    try:
        with progress_bar():
            return evaluate(args)
    except (ModelRuntimeError, OSError) as error:  # such as a full disk, a folder without rights
        warn(str(error))
        return 1
    except KeyboardInterrupt:
        print("\nbroken off; the same command goes on from here", file=sys.stderr)
        return 130
