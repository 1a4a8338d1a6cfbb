"""`fim-runtime evaluate santacoder`: fills single lines in Python, Java and JavaScript."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from model_runtime.evaluation.commands.arguments import add_engine, positive

if TYPE_CHECKING:
    from model_runtime.evaluation.santacoder import LanguageScore


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the commands of `evaluate`."""
    parser = commands.add_parser(
        "santacoder",
        help="SantaCoder-FIM: fill single lines in three languages, by exact match",
        description="Fills the 4,792 missing lines of SantaCoder-FIM and compares them with what "
        "stood there, as Qwen's harness does; nothing is executed.  Breaking it off loses nothing: "
        "the same command goes on.",
    )
    add = parser.add_argument
    add("model", metavar="MODEL", help="name of a model, or the path of a bundle")
    add(
        "--data",
        type=Path,
        required=True,
        metavar="FILE",
        help="train.parquet of qwencoder-eval/base/benchmarks/fim-bench/hm_fim/data, "
        "in github.com/QwenLM/Qwen2.5-Coder",
    )
    add("--tasks", type=positive, metavar="N", help="only about so many, spread over the problems")
    add("--batch", type=positive, default=16, metavar="N", help="prompts at once (default 16)")
    add_engine(parser)
    add("--out", type=Path, metavar="FOLDER", help="default runs/santacoder-MODEL")
    add("--json", action="store_true", help="print JSON for a program")
    parser.set_defaults(evaluate=run)


def run(args: argparse.Namespace) -> int:
    """Evaluates a model and prints its scores by language; returns the exit code."""
    from model_runtime.engines import open_engine
    from model_runtime.engines.registry import reference
    from model_runtime.evaluation import santacoder
    from model_runtime.evaluation.infilling import DrawSettings, draw_samples
    from model_runtime.evaluation.progress import tracked
    from model_runtime.evaluation.records import RunFolder, write_text
    from model_runtime.store import installed

    tasks = santacoder.choose(santacoder.read(args.data), args.tasks)
    rows = [task for of_language in tasks.values() for task in of_language]
    bundle = installed.find(args.model)
    manifest = bundle.manifest
    out = args.out or Path("runs") / f"santacoder-{manifest.name}"
    terms = {
        "benchmark": "SantaCoder-FIM",
        "data_sha256": santacoder.SHA256,
        "model": manifest.name,
        "weights_sha256": manifest.weights.sha256,
        "order": manifest.prompt.name,
        "hole_start": manifest.prompt.hole_start.value,
        "max_new_tokens": santacoder.MAX_NEW_TOKENS,
    }
    folder = RunFolder(out, terms)
    engine = open_engine(
        bundle,
        engine=args.engine or reference(args.device),
        device=args.device,
        threads=args.threads,
    )
    try:
        draw = DrawSettings(max_new_tokens=santacoder.MAX_NEW_TOKENS)
        drawn = draw_samples(bundle, engine, rows, draw, folder.samples, args.batch)
        answers = {sample.task: sample.text for sample in tracked(drawn, "filling", len(rows))}
    finally:
        engine.close()
    scores = santacoder.score(tasks, answers)
    report = {**terms, "engine": engine.name, "scores": [asdict(score) for score in scores]}
    text = json.dumps(report, indent=1) + "\n"
    write_text(out / "report.json", text)
    print(text if args.json else _table(scores), end="")
    print(f"kept in {out}", file=sys.stderr)
    return 0


def _table(scores: list[LanguageScore]) -> str:
    """Returns the scores as Markdown, with 95 % intervals."""
    lines = ["| language | rows | exact match |", "|---|---:|---:|"]
    for score in scores:
        found = score.exact_match
        lines.append(
            f"| {score.language} | {score.rows:,} "
            f"| {found.mean:.1%} ({found.low:.1%} to {found.high:.1%}) |"
        )
    return "\n".join(lines) + "\n"
