"""The command `fim-runtime evaluate ablation`, which trains models and scores them.

The other commands of `evaluate` know nothing of training, so the caller adds this one to them.
Nothing heavy is imported before `run`.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from pathlib import Path

from model_runtime.engines import registry
from model_runtime.engines.kind import AUTO
from model_runtime.errors import ModelRuntimeError
from model_runtime.evaluation.commands.arguments import positive, warn
from model_runtime.evaluation.harness_tasks import TASKS
from model_runtime.evaluation.splits import SPLITS
from model_runtime.training.recipe_files import find_recipe
from model_runtime.training.stop_signal import TrainingStopped

_DEFAULT_RECIPES = ("ablation-ar", "ablation-fim", "ablation-alibi")
_DESCRIPTION = """\
Trains variants with several seeds, scores them on the same holes and rows, and
prints a table with paired differences.  The same command goes on."""
_EXAMPLES = """\
examples:
  fim-runtime evaluate ablation --root CODE --seeds 3 --infilling DATA"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `ablation` to the commands of `evaluate`."""
    parser = commands.add_parser(
        "ablation", help="train variants of a model with several seeds and score them"
    )
    add_arguments(parser)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of an ablation to a parser, and what it runs."""
    parser.description, parser.epilog = _DESCRIPTION, _EXAMPLES
    add = parser.add_argument
    add("recipes", nargs="*", metavar="RECIPE", help="a variant each")
    add("--seeds", type=positive, default=1, metavar="N", help="of each variant (default 1)")
    add("--out", type=Path, default=Path("runs/ablation"), metavar="DIR", help="where to keep it")
    add("--json", action="store_true", help="print JSON for a program")
    add("--steps", type=positive, metavar="N", help="in place of each recipe's budget")
    add("--root", type=Path, action="append", default=[], metavar="CODE", help="as `train --root`")
    add("--benchmarks", type=Path, metavar="FOLDER", help="with tasks that must not leak")
    add("--data-of", type=Path, metavar="RUN", help="take corpus and tokenizer of a run of `train`")
    add("--device", default="cpu", help="as torch names it")
    add(
        "--points",
        type=positive,
        default=1,
        metavar="N",
        help="score N times along each run (default 1)",
    )
    scoring = parser.add_argument_group("scoring")
    add = scoring.add_argument
    add("--infilling", type=Path, metavar="DATA", help="folder of HumanEval-infilling")
    add("--allow-code-execution", action="store_true", help="run what the models write, sandboxed")
    add("--split", choices=list(SPLITS), default="single-line", help="of infilling")
    add("--tasks", type=positive, metavar="N", help="so many, of all problems")
    add("--samples", type=positive, default=1, metavar="N", help="of each task (default 1)")
    add("--temperature", type=float, default=0.0, metavar="T", help="0, the default, is greedy")
    add("--top-p", type=float, default=1.0, metavar="P", help="default 1: no limit")
    add("--harness", type=Path, metavar="ROWS", help="folder with the language tasks' rows")
    add("--harness-tasks", nargs="+", choices=list(TASKS), metavar="TASK", help="some of them")
    add("--limit", type=positive, metavar="N", help="only the first rows of each language task")
    add("--engine", choices=(AUTO, *registry.names()), default="", help="what runs them")
    add("--threads", type=int, default=0, metavar="N", help="of the engine; 0 lets it choose")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Runs the ablation; returns the exit code: 0, 1 for a failure, 130 after Ctrl-C."""
    try:
        from model_runtime.training.display import set_up_logging

        set_up_logging(logging.INFO)
        return _run(args)
    except TrainingStopped as stopped:
        warn(str(stopped))
        return 130 if stopped.number == signal.SIGINT else 0
    except (ModelRuntimeError, OSError) as error:
        warn(str(error))
        return 1
    except ModuleNotFoundError as error:
        warn(f"an ablation needs {error.name}; run `pip install 'fim-lsp[train,eval]'`")
        return 1
    except KeyboardInterrupt:
        print("\nbroken off; the same command goes on from here", file=sys.stderr)
        return 130


def _run(args: argparse.Namespace) -> int:
    from model_runtime.evaluation.harness import HarnessOptions
    from model_runtime.evaluation.infilling import DrawSettings
    from model_runtime.evaluation.run import InfillingOptions
    from model_runtime.evaluation.sandbox import Sandbox
    from model_runtime.training.ablation.options import AblationOptions
    from model_runtime.training.ablation.run import run_ablation

    infilling = harness = sandbox = None
    if args.infilling is not None:
        draw = DrawSettings(
            samples=args.samples,
            temperature=args.temperature,
            top_p=args.top_p,
            max_new_tokens=SPLITS[args.split].max_new_tokens,
        )
        infilling = InfillingOptions(args.infilling, args.out, args.split, args.tasks, draw)
        if args.allow_code_execution:  # before hours of training: is there one?
            sandbox = Sandbox.open()
    if args.harness is not None:
        chosen = tuple(args.harness_tasks or TASKS)
        harness = HarnessOptions(args.out, args.harness, chosen, args.limit)
    options = AblationOptions(
        recipes=tuple(find_recipe(name) for name in args.recipes or _DEFAULT_RECIPES),
        out=args.out,
        seeds=args.seeds,
        steps=args.steps,
        points=args.points,
        roots=tuple(args.root),
        benchmarks=args.benchmarks,
        data_of=args.data_of,
        device=args.device,
        engine=args.engine,
        threads=args.threads,
        infilling=infilling,
        harness=harness,
    )
    report = run_ablation(options, sandbox)
    print(report.to_json() if args.json else report.to_markdown(), end="")
    if infilling is not None and sandbox is None:
        warn(
            "nothing was executed, so there is no pass@k; the same command with "
            "--allow-code-execution runs the stored samples in a sandbox"
        )
    print(f"kept in {args.out}", file=sys.stderr)
    return 0
