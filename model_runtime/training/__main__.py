"""Trains a model as `python -m model_runtime.training RECIPE`, on one process or on several.

    torchrun --nproc-per-node N -m model_runtime.training RECIPE

`fim-runtime train` does the same on one process.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from model_runtime.training.command import add_arguments, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Parses the arguments and trains; returns the exit code."""
    parser = argparse.ArgumentParser(prog="fim-runtime train")
    add_arguments(parser)
    return run(parser.parse_args(arguments))


if __name__ == "__main__":  # also keeps loader workers from starting a training of their own
    sys.exit(main())
