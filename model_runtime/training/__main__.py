"""From wheels to a model: `fim-runtime train RECIPE`.

A recipe is a TOML file, or the name of one in `model_runtime/recipes`.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from model_runtime.errors import ModelRuntimeError
from model_runtime.training import pipeline

RECIPES = Path(__file__).parents[1] / "recipes"


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run; the exit code."""
    parser = argparse.ArgumentParser(
        prog="fim-runtime train", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("recipe", help="a .toml file, or a name: " + ", ".join(names()))
    parser.add_argument(
        "--out", type=Path, help="folder of all stages (default: runs/ and the recipe's name)"
    )
    parser.add_argument(
        "--stage", choices=[stage.name for stage in pipeline.STAGES], help="only this one"
    )
    parser.add_argument(
        "--root",
        type=Path,
        action="append",
        default=[],
        help="folder with wheels or with Python files",
    )
    parser.add_argument("--benchmarks", type=Path, help="folder with tasks that must not leak")
    parser.add_argument(
        "--initial", type=Path, help="state.pt of another run, whose weights this one begins with"
    )
    parser.add_argument("--device", default="cpu", help="as torch names it")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    path = (
        Path(given.recipe) if given.recipe.endswith(".toml") else RECIPES / f"{given.recipe}.toml"
    )
    try:
        folder = pipeline.run(
            path,
            given.out or Path("runs") / path.stem,
            given.stage,
            roots=given.root,
            benchmarks=given.benchmarks,
            device=given.device,
            initial=given.initial,
        )
    except ModelRuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    print(folder)
    return 0


def names() -> list[str]:
    """Of the recipes that come with this package."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


if __name__ == "__main__":  # also keeps loader workers from starting a training of their own
    sys.exit(main())
