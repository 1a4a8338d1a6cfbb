"""The judge's command line: `fim-runtime evaluate`, or `python -m model_runtime.evaluation`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from model_runtime.errors import ModelRuntimeError
from model_runtime.progress_bar import progress_bar

_DESCRIPTION = """\
Scores a fill-in-the-middle model by running what it writes.

A score is shown with its interval, its terms, and its floor: an empty answer passes 2.6 % of the
single-line benchmark.  Code that a model wrote is executed only with --allow-code-execution, each
program in a fresh sandbox without network, files or environment."""

_EXAMPLES = """\
examples:
  fim-runtime evaluate infilling default --data DATA --allow-code-execution
  fim-runtime evaluate infilling ./my-bundle --data DATA --tasks 300
                                                  a quick look at 300 holes, nothing executed
  fim-runtime evaluate infilling default --data DATA --allow-code-execution \\
      --samples 20 --temperature 0.8              pass@1 and pass@10
  fim-runtime evaluate harness default --data ROWS
                                                  arc, lambada, piqa, sciq, wsc, winogrande
  fim-runtime evaluate compare runs/a runs/b      paired differences of two evaluations
  fim-runtime evaluate ablation --root CODE --seeds 3 --infilling DATA --out runs/ablation
                                                  train and score three arms
  fim-runtime evaluate plot AR=runs/ar FIM=runs/fim --out curves
  fim-runtime evaluate floor --data DATA --allow-code-execution
                                                  test the judge itself
  fim-runtime evaluate sandbox                    what confines programs on this machine

DATA is the folder data/ of https://github.com/openai/human-eval-infilling (MIT licence)."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code: 0, 1 for a failure, 2 for wrong usage."""
    args = _parser().parse_args(sys.argv[1:] if arguments is None else arguments)
    run: Callable[[argparse.Namespace], int] = args.run
    try:
        with progress_bar():
            return run(args)
    except ModelRuntimeError as error:
        print(f"fim-runtime evaluate: {error}", file=sys.stderr)
        return 1
    except OSError as error:  # a full disk, a folder without rights
        print(f"fim-runtime evaluate: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nbroken off; the same command goes on from here", file=sys.stderr)
        return 130


def _infilling(args: argparse.Namespace) -> int:
    from model_runtime.engines import open_engine
    from model_runtime.engines.registry import reference
    from model_runtime.evaluation.cutting import RULES
    from model_runtime.evaluation.infilling import DrawSettings
    from model_runtime.evaluation.run import InfillingOptions, evaluate_infilling
    from model_runtime.evaluation.sandbox import Sandbox
    from model_runtime.store import catalogue

    max_new_tokens = args.max_new_tokens
    if max_new_tokens is None:
        max_new_tokens = 64 if args.split == "single-line" else 256
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
    bundle = catalogue.find(args.model)
    out = args.out or Path("runs") / f"infilling-{bundle.manifest.name}-{args.split}"
    options = InfillingOptions(
        data=args.data,
        out=out,
        split=args.split,
        tasks=args.tasks,
        draw=draw,
        cuts=tuple(args.cut or RULES),
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
        print(
            "fim-runtime evaluate: nothing was executed, so there is no pass@k; "
            "add --allow-code-execution to run the stored samples in a sandbox",
            file=sys.stderr,
        )
    print(f"kept in {out}", file=sys.stderr)
    return 0


def _harness(args: argparse.Namespace) -> int:
    from model_runtime.engines import open_engine
    from model_runtime.engines.registry import reference
    from model_runtime.evaluation.harness import TASKS, HarnessOptions, evaluate_harness
    from model_runtime.store import catalogue

    if (args.data is None) == (not args.online):
        print(
            "fim-runtime evaluate: say where the rows come from: --data FOLDER for local files, "
            "or --online for the Hugging Face hub",
            file=sys.stderr,
        )
        return 2
    bundle = catalogue.find(args.model)
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


def _compare(args: argparse.Namespace) -> int:
    from model_runtime.evaluation.compare import compare

    comparison = compare(args.runs, args.measure or ())
    if args.json:
        print(comparison.to_json(), end="")
        return 0
    from model_runtime.evaluation.terminal import show_comparison

    show_comparison(comparison)
    return 0


def _ablation(_: argparse.Namespace) -> int:
    print("fim-runtime evaluate: run it as `fim-runtime evaluate ablation`", file=sys.stderr)
    return 2


def _plot(args: argparse.Namespace) -> int:
    from model_runtime.evaluation.plots import draw, read_course

    courses = []
    for given in args.runs:
        label, _, folder = given.rpartition("=")
        courses.append(read_course(label or Path(folder).name, Path(folder)))
    for picture in draw(courses, args.out, args.title):
        print(picture)
    return 0


def _floor(args: argparse.Namespace) -> int:
    from concurrent.futures import ThreadPoolExecutor

    from model_runtime.evaluation.progress import tracked
    from model_runtime.evaluation.sandbox import Sandbox
    from model_runtime.evaluation.tasks import SPLITS, choose, read_split

    if not args.allow_code_execution:
        print(
            "fim-runtime evaluate: the benchmark's programs are executed only with "
            "--allow-code-execution",
            file=sys.stderr,
        )
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


def _sandbox(_: argparse.Namespace) -> int:
    from model_runtime.evaluation.sandbox import Sandbox

    sandbox = Sandbox.open()
    number = 20
    started = time.perf_counter()
    for _round in range(number):
        sandbox.run("")
    rate = number / (time.perf_counter() - started)
    print(f"confined by {sandbox.isolation.value}; {rate:.0f} programs start and end per second")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fim-runtime evaluate",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_infilling(commands)
    _add_harness(commands)
    # For --help only: it trains as well, so `fim-runtime` hands it to the pipeline.
    ablation = commands.add_parser("ablation", help="train arms with several seeds and score them")
    ablation.set_defaults(run=_ablation)
    _add_compare(commands)
    _add_plot(commands)
    floor = commands.add_parser("floor", help="test the judge: run empty and reference answers")
    _add_data(floor)
    floor.set_defaults(run=_floor)
    sandbox = commands.add_parser("sandbox", help="say what confines programs on this machine")
    sandbox.set_defaults(run=_sandbox)
    return parser


def _add_harness(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from model_runtime.evaluation.harness import TASKS

    harness = commands.add_parser(
        "harness",
        help="the seed's seven language tasks, by lm-evaluation-harness",
        description="Runs arc, lambada, piqa, sciq, wsc and winogrande with the prompts and "
        "metrics of lm-evaluation-harness (extra `eval`), and prints the seed's table with this "
        "model beside it.  With --data nothing is fetched.  Breaking it off loses nothing.",
    )
    add = harness.add_argument
    add("model", metavar="MODEL", help="name of a model, or the path of a bundle")
    add("--data", type=Path, metavar="FOLDER", help="with the rows as .jsonl; see docs")
    add("--online", action="store_true", help="take the rows from the Hugging Face hub")
    add("--tasks", nargs="+", choices=list(TASKS), metavar="TASK", help=f"of {', '.join(TASKS)}")
    add("--limit", type=_positive, metavar="N", help="only the first N rows of each task")
    add(
        "--infilling",
        type=Path,
        metavar="FOLDER",
        help="of an `evaluate infilling` run, to complete the table",
    )
    _add_engine(harness)
    add("--out", type=Path, metavar="FOLDER", help="default runs/harness-MODEL")
    add("--json", action="store_true", help="print JSON for a program")
    harness.set_defaults(run=_harness)


def _add_compare(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    compare = commands.add_parser(
        "compare",
        help="paired differences of evaluations that were kept",
        description="Compares runs of `evaluate infilling` or `evaluate harness` with the first "
        "one, row by row: the same holes filled by both.  Intervals resample problems.",
    )
    add = compare.add_argument
    add("runs", nargs="+", type=Path, metavar="RUN", help="a run's folder, or its report.json")
    add(
        "--measure",
        action="append",
        metavar="TEXT",
        help="only measures whose name contains this, such as `pass@1, raw`; may be repeated",
    )
    add("--json", action="store_true", help="print JSON for a program")
    compare.set_defaults(run=_compare)


def _add_plot(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    plot = commands.add_parser(
        "plot",
        help="loss, bits per byte and pass@k of training runs, against tokens",
        description="Draws training runs beside each other as .svg and .png.  Reports of "
        "`evaluate infilling` below a run's folder become points at the tokens its model had seen.",
    )
    add = plot.add_argument
    add(
        "runs",
        nargs="+",
        metavar="[LABEL=]RUN",
        help="folder of `fim-runtime train`, or a bundle with its training log; runs of one "
        "label share a colour",
    )
    add("--out", type=Path, default=Path("curves"), metavar="FILE", help="default curves")
    add("--title", default="", metavar="TEXT")
    plot.set_defaults(run=_plot)


def _add_engine(parser: argparse.ArgumentParser) -> None:
    from model_runtime.engines import registry

    add = parser.add_argument
    add(
        "--engine",
        choices=(registry.AUTO, *registry.names()),
        help=f"default {registry.reference()}, on a GPU {registry.reference('cuda')}; "
        "auto takes the one that is fastest here",
    )
    add("--device", choices=(registry.AUTO, *registry.DEVICES), default=registry.AUTO)
    add("--threads", type=int, default=0, metavar="N", help="0 lets the engine choose")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("it must be at least 1")
    return number


def _add_infilling(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from model_runtime.evaluation.cutting import RULES

    infilling = commands.add_parser(
        "infilling",
        help="HumanEval-infilling: fill holes in functions, and run the tests",
        description="Fills the holes of HumanEval-infilling and runs the tests.  Breaking it off "
        "loses nothing: the same command goes on, and more --tasks or --samples extend a run.",
    )
    add = infilling.add_argument
    add("model", metavar="MODEL", help="name of a model, or the path of a bundle")
    _add_data(infilling)
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
        choices=list(RULES),
        help="rules to score the same samples by as well, each in a row of its own (default: all); "
        "`line` keeps the first line, `server` ends where the language server would",
    )
    _add_engine(infilling)
    add("--out", type=Path, metavar="FOLDER", help="default runs/infilling-MODEL-SPLIT")
    add("--json", action="store_true", help="print JSON for a program")
    infilling.set_defaults(run=_infilling)


def _add_data(parser: argparse.ArgumentParser) -> None:
    from model_runtime.evaluation.tasks import SPLITS

    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="FOLDER", help="with the benchmark's .jsonl.gz")
    add("--split", choices=list(SPLITS), default="single-line")
    add("--tasks", type=int, metavar="N", help="only so many, spread over the problems")
    add(
        "--allow-code-execution",
        action="store_true",
        help="run model-written programs, each in a sandbox",
    )
    add(
        "--allow-unsandboxed",
        action="store_true",
        help="run them even where nothing can confine them; only on a machine to throw away",
    )


if __name__ == "__main__":
    sys.exit(main())
