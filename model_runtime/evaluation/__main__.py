"""Runs evaluations as `python -m model_runtime.evaluation`, as `fim-runtime evaluate` does."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from model_runtime.evaluation.command import add_subcommands, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Parses the arguments and runs them; returns the exit code."""
    parser = argparse.ArgumentParser(prog="fim-runtime evaluate")
    add_subcommands(parser)
    return run(parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
