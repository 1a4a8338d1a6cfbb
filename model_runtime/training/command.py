"""The command `fim-runtime train`, from files to a model.

Nothing heavy is imported before `run`.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from pathlib import Path

from model_runtime.errors import ModelRuntimeError
from model_runtime.training.recipe_files import find_recipe, names
from model_runtime.training.stages import STAGES
from model_runtime.training.stop_signal import TrainingStopped

_EXAMPLES = """\
examples:
  fim-runtime train tiny-cpu                             minutes on two cores
  fim-runtime train tiny-cpu --root ~/projects           with code of your own
  fim-runtime train my.toml --out runs/mine              again: it goes on
  torchrun --nproc-per-node 2 -m model_runtime.training tiny-cpu

SIGTERM and Ctrl-C end a run after the step in progress, with everything saved."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `train` to the commands of a program."""
    add_arguments(commands.add_parser("train", help="run the training pipeline of a recipe"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of a training to a parser, and what it runs."""
    parser.description = "From files to a model that the server opens."
    parser.epilog = _EXAMPLES
    add = parser.add_argument
    add("recipe", metavar="RECIPE", help="a .toml file, or a name: " + ", ".join(names()))
    add("--out", type=Path, metavar="DIR", help="folder of the run (default runs/RECIPE)")
    add("--stage", choices=[stage.name for stage in STAGES], help="only this one")
    add(
        "--root",
        action="append",
        default=[],
        metavar="CODE",
        help="for the corpus, in place of the recipe's: a folder of files, wheels, sdists or "
        "tables, a git work tree, one such file, `stdlib`, or `hf:NAME`",
    )
    add(
        "--benchmarks",
        type=Path,
        metavar="DIR",
        help="tasks that must not leak into the corpus: .jsonl tables, files of code",
    )
    add(
        "--allow-code-execution",
        action="store_true",
        help="run what it writes, in a sandbox, to score it",
    )
    add(
        "--initial",
        type=Path,
        metavar="WEIGHTS",
        help="begin with those of a run, a checkpoint, a snapshot or a bundle",
    )
    add(
        "--snapshot",
        type=Path,
        metavar="FILE",
        help="only write the run's newest weights into this .safetensors file",
    )
    add("--device", default="cpu", help="as torch names it")
    add("--steps", type=int, metavar="N", help="so many now; the next start goes on")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Runs the pipeline; returns the exit code: 0, 1 for a failure, 130 after Ctrl-C."""
    rank = int(os.environ.get("RANK", "0"))
    try:
        folder = _run(args, logging.WARNING if rank else logging.INFO)
    except ModelRuntimeError as error:
        where = f"process {rank}: " if int(os.environ.get("WORLD_SIZE", "1")) > 1 else ""
        print(f"fim-runtime: {where}{error}", file=sys.stderr, flush=True)
        return 1
    except ModuleNotFoundError as error:
        print(
            f"fim-runtime: training needs {error.name}; run `pip install 'fim-lsp[train]'`",
            file=sys.stderr,
        )
        return 1
    except TrainingStopped as stopped:
        if rank == 0:
            print(f"fim-runtime: {stopped}", file=sys.stderr, flush=True)
        return 130 if stopped.number == signal.SIGINT else 0
    if rank == 0:
        print(folder)
    return 0


def _run(args: argparse.Namespace, level: int) -> Path:
    from model_runtime.training.display import set_up_logging

    set_up_logging(level)
    out = args.out or Path("runs") / Path(args.recipe).stem
    if args.snapshot is not None:
        from model_runtime.training.snapshot import write_snapshot

        return write_snapshot(out, args.snapshot)
    from model_runtime.training import pipeline

    return pipeline.run(
        find_recipe(args.recipe),
        out,
        args.stage,
        roots=args.root,
        benchmarks=args.benchmarks,
        device=args.device,
        initial=args.initial,
        max_steps=args.steps,
        execute=args.allow_code_execution,
    )
