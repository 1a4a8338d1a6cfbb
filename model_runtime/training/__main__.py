"""From files to a model: `fim-runtime train RECIPE`.

A recipe is a TOML file, or the name of one in `model_runtime/recipes`.  On several processes:

    torchrun --nproc-per-node N -m model_runtime.training RECIPE
"""

from __future__ import annotations

import argparse
import difflib
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from model_runtime.errors import ModelRuntimeError
from model_runtime.training import pipeline
from model_runtime.training.display import set_up_logging
from model_runtime.training.interrupt import TrainingStopped
from model_runtime.training.recipe import RecipeError

RECIPES = Path(__file__).parents[1] / "recipes"
_EXAMPLES = """\
examples:
  fim-runtime train tiny-cpu                                     all stages, minutes on two cores
  fim-runtime train tiny-cpu --root ~/wheels --root ~/projects   with code of your own
  fim-runtime train my.toml --out runs/mine --stage train        one stage; again: it goes on
  fim-runtime train my.toml --out runs/mine --snapshot my.safetensors     weights of a run so far
  torchrun --nproc-per-node 2 -m model_runtime.training tiny-cpu

SIGTERM and Ctrl-C end a run after the step in progress, with everything saved."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run; the exit code."""
    parser = argparse.ArgumentParser(
        prog="fim-runtime train",
        description="From files to a model that the server opens.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
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
        action="append",
        default=[],
        help="what the corpus is made of, in place of the recipe's: a folder of Python files, of "
        "wheels, sdists or tables, a git work tree, one such file, `stdlib`, or `hf:NAME`",
    )
    parser.add_argument(
        "--benchmarks",
        type=Path,
        help="folder with tasks that must not leak into the corpus; HumanEval-infilling in it is "
        "scored, too",
    )
    parser.add_argument(
        "--allow-code-execution",
        action="store_true",
        help="run what the model writes, in a sandbox, to score it",
    )
    parser.add_argument(
        "--initial",
        type=Path,
        help="folder of another run (or of one of its checkpoints), or a .safetensors file, whose "
        "weights this one begins with",
    )
    parser.add_argument(
        "--snapshot",
        type=Path,
        metavar="FILE",
        help="only write the weights of the run's newest checkpoint into this .safetensors file, "
        "in bfloat16, for a later --initial; a run in progress is not disturbed",
    )
    parser.add_argument("--device", default="cpu", help="as torch names it")
    parser.add_argument(
        "--steps", type=int, help="train for so many steps now and save; the next start goes on"
    )
    given = parser.parse_args(arguments)
    rank = int(os.environ.get("RANK", "0"))
    set_up_logging(logging.WARNING if rank else logging.INFO)
    out = given.out or Path("runs") / Path(given.recipe).stem
    try:
        if given.snapshot is not None:
            from model_runtime.training.snapshot import write_snapshot  # torch, only when needed

            print(write_snapshot(out, given.snapshot))
            return 0
        folder = pipeline.run(
            find_recipe(given.recipe),
            out,
            given.stage,
            roots=given.root,
            benchmarks=given.benchmarks,
            device=given.device,
            initial=given.initial,
            most_steps=given.steps,
            execute=given.allow_code_execution,
        )
    except ModelRuntimeError as error:
        where = f"process {rank}: " if int(os.environ.get("WORLD_SIZE", "1")) > 1 else ""
        print(f"fim-runtime: {where}{error}", file=sys.stderr, flush=True)
        return 1
    except TrainingStopped as stopped:
        if rank == 0:
            print(f"fim-runtime: {stopped}", file=sys.stderr, flush=True)
        return 130 if stopped.number == signal.SIGINT else 0
    if rank == 0:
        print(folder)
    return 0


def find_recipe(name: str) -> Path:
    """A file, or one of those that come along.

    Raises:
        RecipeError: neither; names the nearest one.
    """
    if name.endswith(".toml") or Path(name).is_file():
        return Path(name)
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=1, cutoff=0.0)[0]
        raise RecipeError(f"there is no recipe {name!r}; the nearest is {near!r}, or give a file")
    return RECIPES / f"{name}.toml"


def names() -> list[str]:
    """Of the recipes that come with this package."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


if __name__ == "__main__":  # also keeps loader workers from starting a training of their own
    sys.exit(main())
