"""Runs an ablation as `python -m model_runtime.training.ablation`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from model_runtime.training.ablation.command import add_arguments, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Parses the arguments and runs the ablation; returns the exit code."""
    parser = argparse.ArgumentParser(prog="fim-runtime evaluate ablation")
    add_arguments(parser)
    return run(parser.parse_intermixed_args(arguments))


if __name__ == "__main__":  # also keeps loader workers from starting an ablation of their own
    sys.exit(main())
