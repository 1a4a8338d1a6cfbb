"""`fim-runtime evaluate infilling`: fills the holes of HumanEval-infilling and runs the tests."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from model_runtime.evaluation.commands.arguments import add_data, add_engine, warn
from model_runtime.evaluation.labels import CUT_RULES
from model_runtime.evaluation.splits import SPLITS


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the commands of `evaluate`."""
    parser = commands.add_parser(
        "infilling",
        help="HumanEval-infilling: fill holes in functions, and run the tests",
        description="Fills the holes of HumanEval-infilling and runs the tests.  Breaking it off "
        "loses nothing: the same command goes on, and more --tasks or --samples extend a run.",
    )
    add = parser.add_argument
    add("model", metavar="MODEL", help="name of a model, or the path of a bundle")
    add_data(parser)
    add("--samples", type=int, default=1, metavar="N", help="of each task (default 1)")
    add("--temperature", type=float, default=0.0, metavar="T", help="0, the default, is greedy")
    add("--top-p", type=float, default=1.0, metavar="P", help="default 1: no limit")
    add(
        "--max-new-tokens",
        type=int,
        metavar="N",
        help="default 64 for single lines, 256 for the other splits",
    )
    add("--batch", type=int, default=16, metavar="N", help="prompts decoded at once (default 16)")
    add("--seed", type=int, default=0, help="of the samples and of the choice of --tasks")
    add(
        "--cut",
        action="append",
        choices=list(CUT_RULES),
        help="rules to score the same samples by as well, each in a row of its own (default: all); "
        "`line` keeps the first line, `server` ends where the language server would",
    )
    add_engine(parser)
    add("--out", type=Path, metavar="FOLDER", help="default runs/infilling-MODEL-SPLIT")
    add("--json", action="store_true", help="print JSON for a program")
    parser.set_defaults(evaluate=run)


def run(args: argparse.Namespace) -> int:
    """Evaluates a model and prints the report; returns the exit code."""
    from model_runtime.engines import open_engine
    from model_runtime.engines.registry import reference
    from model_runtime.evaluation.infilling import DrawSettings
    from model_runtime.evaluation.run import InfillingOptions, evaluate_infilling
    from model_runtime.evaluation.sandbox import Sandbox
    from model_runtime.store import installed

    max_new_tokens = args.max_new_tokens
    if max_new_tokens is None:
        max_new_tokens = SPLITS[args.split].max_new_tokens
    draw = DrawSettings(
        samples=args.samples,
        temperature=args.temperature,
        top_p=args.top_p,
        max_new_tokens=max_new_tokens,
        seed=args.seed,
    )
    # Before hours of generating: is there a sandbox to run it in?
    sandbox = None
    if args.allow_code_execution:
        sandbox = Sandbox.open(allow_unsandboxed=args.allow_unsandboxed)
    bundle = installed.find(args.model)
    out = args.out or Path("runs") / f"infilling-{bundle.manifest.name}-{args.split}"
    options = InfillingOptions(
        data=args.data,
        out=out,
        split=args.split,
        tasks=args.tasks,
        draw=draw,
        cuts=tuple(args.cut or CUT_RULES),
        batch=args.batch,
    )
    engine = open_engine(
        bundle,
        engine=args.engine or reference(args.device),
        device=args.device,
        threads=args.threads,
    )
    try:
        report = evaluate_infilling(bundle, engine, options, sandbox)
    finally:
        engine.close()
    print(report.to_json() if args.json else report.to_markdown(), end="")
    if sandbox is None:
        warn(
            "nothing was executed, so there is no pass@k; "
            "add --allow-code-execution to run the stored samples in a sandbox"
        )
    print(f"kept in {out}", file=sys.stderr)
    return 0
