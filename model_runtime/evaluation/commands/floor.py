"""`fim-runtime evaluate floor`: runs empty and reference answers, to test the evaluation itself."""

from __future__ import annotations

import argparse

from model_runtime.evaluation.commands.arguments import add_data, warn


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the commands of `evaluate`."""
    parser = commands.add_parser(
        "floor", help="test the evaluation itself: run empty and reference answers"
    )
    add_data(parser)
    parser.set_defaults(evaluate=run)


def run(args: argparse.Namespace) -> int:
    """Prints how many answers of both kinds pass; returns 1 if that is not what is known."""
    from concurrent.futures import ThreadPoolExecutor

    from model_runtime.evaluation.progress import tracked
    from model_runtime.evaluation.sandbox import Sandbox
    from model_runtime.evaluation.splits import SPLITS
    from model_runtime.evaluation.tasks import choose, read_split

    if not args.allow_code_execution:
        warn("the benchmark's programs are executed only with --allow-code-execution")
        return 2
    split = SPLITS[args.split]
    tasks = choose(read_split(args.data, split), args.tasks)
    sandbox = Sandbox.open(allow_unsandboxed=args.allow_unsandboxed)
    programs = [task.program("") for task in tasks] + [task.program(task.middle) for task in tasks]
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(tracked(pool.map(sandbox.run, programs), "executing", len(programs)))
    empty, reference = (
        sum(outcome.passed for outcome in half)
        for half in (outcomes[: len(tasks)], outcomes[len(tasks) :])
    )
    known = f" ({split.empty_passes} is the known answer)" if len(tasks) == split.rows else ""
    print(f"empty answers that pass      {empty} of {len(tasks)}{known}")
    print(f"reference answers that pass  {reference} of {len(tasks)}")
    is_right = reference == len(tasks) and (not known or empty == split.empty_passes)
    return 0 if is_right else 1
