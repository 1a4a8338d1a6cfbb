"""`fim-runtime evaluate harness`: the language tasks of the reference model's card."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from model_runtime.evaluation.commands.arguments import add_engine, positive, warn
from model_runtime.evaluation.harness_tasks import TASKS


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the commands of `evaluate`."""
    parser = commands.add_parser(
        "harness",
        help="the reference model's seven language tasks, by lm-evaluation-harness",
        description="Runs arc, lambada, piqa, sciq, wsc and winogrande with the prompts and "
        "metrics of lm-evaluation-harness (extra `eval`), and prints the table of the reference "
        "model FIM-NeoX-1.3B with this model beside it.  With --data nothing is fetched.  Breaking "
        "it off loses nothing.",
    )
    add = parser.add_argument
    add("model", metavar="MODEL", help="name of a model, or the path of a bundle")
    add("--data", type=Path, metavar="FOLDER", help="with the rows as .jsonl; see docs")
    add("--online", action="store_true", help="take the rows from the Hugging Face hub")
    add("--tasks", nargs="+", choices=list(TASKS), metavar="TASK", help=f"of {', '.join(TASKS)}")
    add("--limit", type=positive, metavar="N", help="only the first N rows of each task")
    add(
        "--infilling",
        type=Path,
        metavar="FOLDER",
        help="of an `evaluate infilling` run, to complete the table",
    )
    add_engine(parser)
    add("--out", type=Path, metavar="FOLDER", help="default runs/harness-MODEL")
    add("--json", action="store_true", help="print JSON for a program")
    parser.set_defaults(evaluate=run)


def run(args: argparse.Namespace) -> int:
    """Evaluates a model and prints the table; returns the exit code."""
    from model_runtime.engines import open_engine
    from model_runtime.engines.registry import reference
    from model_runtime.evaluation.harness import HarnessOptions, evaluate_harness
    from model_runtime.store import installed

    if (args.data is None) == (not args.online):
        warn(
            "say where the rows come from: --data FOLDER for local files, "
            "or --online for the Hugging Face hub"
        )
        return 2
    bundle = installed.find(args.model)
    out = args.out or Path("runs") / f"harness-{bundle.manifest.name}"
    options = HarnessOptions(
        out=out,
        data=args.data,
        tasks=tuple(args.tasks or TASKS),
        limit=args.limit,
        infilling=args.infilling,
    )
    engine = open_engine(
        bundle,
        engine=args.engine or reference(args.device),
        device=args.device,
        threads=args.threads,
    )
    try:
        report = evaluate_harness(bundle, engine, options)
    finally:
        engine.close()
    print(report.to_json() if args.json else report.to_markdown(), end="")
    print(f"kept in {out}", file=sys.stderr)
    return 0
