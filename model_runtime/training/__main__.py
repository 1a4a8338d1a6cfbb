"""`python -m model_runtime.training RECIPE --out FOLDER`: from wheels to a model."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from model_runtime.training.pipeline import train_stage
from model_runtime.training.recipe import read_recipe


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m model_runtime.training", description=__doc__)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--stage", choices=("train",), required=True)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    train_stage(read_recipe(arguments.recipe), arguments.out, arguments.device)


if __name__ == "__main__":  # also keeps loader workers from starting a training of their own
    main()
