"""The last stage: scores how well the bundle fills holes, on the engine that the server uses.

    OUT/score/held-out       lines of the corpus's held-out documents; nothing is executed
    OUT/score/single-line    HumanEval-infilling, where the folder of benchmarks has it; executed in
                             the sandbox if that is allowed
    OUT/score/report.md      both

Held-out lines are the documents' own: exact match and edit similarity say how often the text is
what its author wrote, not whether it is right.
"""

from __future__ import annotations

import logging
import random
import shutil
from pathlib import Path

from model_runtime.engines import open_engine, registry
from model_runtime.evaluation.records import write_text
from model_runtime.evaluation.report import InfillingReport
from model_runtime.evaluation.run import InfillingOptions, evaluate_infilling, evaluate_tasks
from model_runtime.evaluation.sandbox import Sandbox
from model_runtime.evaluation.splits import SPLITS, Split
from model_runtime.evaluation.tasks import Task
from model_runtime.models.bundle import ModelBundle
from model_runtime.prompt.encoder import Hole
from model_runtime.training import windows
from model_runtime.training.documents import Documents, unpack

logger = logging.getLogger(__name__)
TASKS = 200
WINDOW_TOKENS = (100, 400)
MIN_CHARACTERS = 8
"""Fewest characters of a line that is worth asking for."""
OF = "weights.txt"


def score_bundle(
    bundle_folder: Path, corpus: Path, benchmarks: Path | None, out: Path, sandbox: Sandbox | None
) -> None:
    """Writes the reports.

    Args:
        bundle_folder: the model.
        corpus: folder of a corpus with its held-out part.
        benchmarks: may hold HumanEval-infilling; None scores held-out lines alone.
        out: the folder to write; what it holds of other weights is removed.
        sandbox: runs model-written code; None: it is not run.
    """
    bundle = ModelBundle.open(bundle_folder)
    weights = bundle.manifest.weights.sha256
    known = out / OF
    if not known.exists() or known.read_text("utf-8") != weights:
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        known.write_text(weights, encoding="utf-8")
    tasks = held_out_tasks(corpus, out / "documents")
    engine = open_engine(bundle, engine=registry.reference())
    try:
        reports = [
            evaluate_tasks(
                bundle,
                engine,
                Split("held-out lines", "", "", len(tasks), is_whole_lines=True, empty_passes=0),
                tasks,
                InfillingOptions(corpus, out / "held-out", cuts=("server",)),
                None,
                benchmark="Corpus",
            )
        ]
        split = SPLITS["single-line"]
        if benchmarks is not None and (found := sorted(benchmarks.rglob(split.file))):
            options = InfillingOptions(found[0].parent, out / split.name)
            reports.append(evaluate_infilling(bundle, engine, options, sandbox))
    finally:
        engine.close()
    write_text(out / "report.md", "\n".join(report.to_markdown() for report in reports))
    for report in reports:
        logger.info("%s: %s", report.benchmark, summary(report))


def held_out_tasks(corpus: Path, folder: Path) -> list[Task]:
    """Returns single lines of held-out documents, the same for every model of a corpus."""
    unpack(corpus, folder)
    documents, rng = Documents(folder, "valid"), random.Random(0)
    tasks: list[Task] = []
    for attempt in range(20 * TASKS):
        number = rng.randrange(len(documents))
        text = documents.text(number)
        start, end = rng.choice(list(windows.whole(text, WINDOW_TOKENS, rng)))
        lines = text[start:end].splitlines(keepends=True)
        line = rng.randrange(len(lines))
        if len(lines[line].strip()) >= MIN_CHARACTERS:
            hole = Hole("".join(lines[:line]), "".join(lines[line + 1 :]))
            tasks.append(Task(f"held-out/{attempt}", number, hole, lines[line], "", ""))
        if len(tasks) == TASKS:
            break
    return tasks


def summary(report: InfillingReport) -> str:
    """Returns one line for the log: the floor against what the server would show."""
    floor, shown = report.scores[0], report.scores[-1]
    parts = []
    if 1 in shown.pass_at:
        parts.append(f"pass@1 {shown.pass_at[1].mean:.2%} (floor {floor.pass_at[1].mean:.2%})")
    parts.append(f"exact match {shown.exact_match.mean:.2%}")
    parts.append(f"edit similarity {shown.edit_similarity.mean:.3f}")
    return ", ".join(parts)
