"""Runs one infilling evaluation, from a bundle to a report; breaking it off loses nothing.

tasks -> samples (infilling), bits (likelihood) -> cuts (cutting) -> verdicts (scoring, sandbox)
-> report
"""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from model_runtime.engines import registry
from model_runtime.engines.protocol import Engine
from model_runtime.evaluation import cutting
from model_runtime.evaluation.infilling import DrawSettings, Sample, draw_samples
from model_runtime.evaluation.labels import CUT_RULES, FLOOR, RAW
from model_runtime.evaluation.likelihood import Scored, plan, score_texts, summarize
from model_runtime.evaluation.progress import tracked
from model_runtime.evaluation.records import RunFolder, write_text
from model_runtime.evaluation.report import InfillingReport
from model_runtime.evaluation.rows import MeasuredRows
from model_runtime.evaluation.sandbox import Limits, Sandbox
from model_runtime.evaluation.scorer import scorer_of
from model_runtime.evaluation.scoring import ProgramChecker, Score, score
from model_runtime.evaluation.splits import SPLITS, Split
from model_runtime.evaluation.tasks import Task, choose, read_split
from model_runtime.models.bundle import ModelBundle

BENCHMARK = "HumanEval-infilling"
_MIN_SAMPLES = 20  # for pass@10; with as few as k samples the estimate varies most


@dataclass(frozen=True, slots=True)
class InfillingOptions:
    """Settings of an infilling evaluation."""

    data: Path
    """Folder with the benchmark's files."""
    out: Path
    """Folder for samples, verdicts and the report; a run found there is resumed."""
    split: str = "single-line"
    tasks: int | None = None
    """Number of tasks, spread over the problems; None: all."""
    draw: DrawSettings = field(default_factory=DrawSettings)
    cuts: tuple[str, ...] = CUT_RULES
    """Rules to score by as well; see `cutting`."""
    limits: Limits = field(default_factory=Limits)
    batch: int = 16
    """Number of prompts decoded at once; changes the time alone, not the tokens (in float32)."""


def evaluate_infilling(
    bundle: ModelBundle, engine: Engine, options: InfillingOptions, sandbox: Sandbox | None
) -> InfillingReport:
    """Draws samples, executes them where a sandbox is given, and writes the report into
    `options.out`.

    Raises:
        EvaluationError: the data, the folder or the settings cannot be used.
        EngineError: the engine broke; the same call goes on where this one ended.
    """
    split = SPLITS[options.split]
    tasks = choose(read_split(options.data, split), options.tasks, options.draw.seed)
    return evaluate_tasks(bundle, engine, split, tasks, options, sandbox)


def evaluate_tasks(
    bundle: ModelBundle,
    engine: Engine,
    split: Split,
    tasks: Sequence[Task],
    options: InfillingOptions,
    sandbox: Sandbox | None,
    benchmark: str = BENCHMARK,
) -> InfillingReport:
    """Evaluates tasks of any origin; those without tests go without a sandbox.

    Raises:
        EvaluationError: the folder or the settings cannot be used.
        EngineError: the engine broke; the same call goes on where this one ended.
    """
    scorer = scorer_of(engine)
    terms = _terms(bundle, engine, split, options)
    folder = RunFolder(options.out, terms)
    drawn = draw_samples(bundle, engine, tasks, options.draw, folder.samples, options.batch)
    samples = list(tracked(drawn, "filling", len(tasks) * options.draw.samples))
    scorings = score_texts(bundle, scorer, tasks, folder.bits)
    texts = list(tracked(scorings, "expecting", len(plan(tasks))))
    answers_by_label = {FLOOR: {task.id: [""] * options.draw.samples for task in tasks}}
    for rule in (RAW, *options.cuts):
        answers_by_label[rule] = _cut(rule, bundle, split, tasks, samples)
    checker = None
    if sandbox is not None:
        checker = ProgramChecker(sandbox, folder.verdicts)
        answers = [
            (task, text)
            for by_task in answers_by_label.values()
            for task in tasks
            for text in by_task[task.id]
        ]
        for _ in tracked(checker.run(answers), "executing", len(checker.pending(answers))):
            pass
    scores = tuple(
        score(label, tasks, by_task, checker) for label, by_task in answers_by_label.items()
    )
    report = InfillingReport(
        benchmark=f"{benchmark}, {split.name}",
        model=bundle.manifest.name,
        scores=scores,
        bits=summarize(texts),
        terms={
            "rows": f"{len(tasks)} of {split.rows}",
            "problems": len({task.problem for task in tasks}),
            "samples": options.draw.samples,
            **terms,
            "tokens_seen": bundle.manifest.training.get("tokens_seen"),
            "batch": options.batch,
            **_circumstances(),
            "isolation": sandbox.isolation.value if sandbox else "nothing was executed",
            "known_floor": f"{split.empty_passes} of {split.rows} empty answers pass",
        },
        cost=_cost(samples),
        warnings=_warnings(split, tasks, samples, scores, engine, options),
    )
    _rows(tasks, scores, texts).write(options.out)
    write_text(options.out / "report.json", report.to_json())
    write_text(options.out / "report.md", report.to_markdown())
    return report


def _rows(tasks: Sequence[Task], scores: Sequence[Score], texts: Sequence[Scored]) -> MeasuredRows:
    rows = MeasuredRows()
    for found in scores:
        for measure, values in found.by_task.items():
            for task, value in zip(tasks, values, strict=True):
                rows.add(f"{measure}, {found.label}", task.id, value, cluster=task.problem)
    for text in texts:
        if not math.isnan(text.bits):
            rows.add(
                f"bits per byte, {text.kind}",
                text.id,
                text.bits,
                cluster=text.problem,
                weight=text.size,
            )
    return rows


def _terms(
    bundle: ModelBundle, engine: Engine, split: Split, options: InfillingOptions
) -> dict[str, Any]:
    """Returns all that a single sample or verdict depends on; not how many of them there are."""
    manifest = bundle.manifest
    draw = asdict(options.draw)
    del draw["samples"]
    return {
        "split": split.name,
        "split_sha256": split.sha256,
        "model": manifest.name,
        "weights_sha256": manifest.weights.sha256,
        "parameters": manifest.parameters,
        "order": manifest.prompt.name,
        "engine": engine.name,
        "context": engine.context_length,
        **draw,
        "program_seconds": options.limits.seconds,
        "program_memory_mb": options.limits.memory_mb,
        "program_python": platform.python_version(),
    }


def _circumstances() -> dict[str, str]:
    """Returns what the times depend on, and when they were taken."""
    try:
        version = metadata.version("fim-lsp")
    except metadata.PackageNotFoundError:
        version = "not installed"
    return {
        "fim_lsp": version,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
        "date": datetime.now(timezone.utc).date().isoformat(),
    }


def _cut(
    rule: str, bundle: ModelBundle, split: Split, tasks: Sequence[Task], samples: Sequence[Sample]
) -> dict[str, list[str]]:
    """Returns every sample's text under a rule, by task and in the order of their numbers."""
    places = {task.id: cutting.HoleContext(task.hole, split.is_whole_lines) for task in tasks}
    answers: dict[str, list[str]] = {task.id: [] for task in tasks}
    for sample in sorted(samples, key=lambda sample: sample.number):
        text = cutting.apply(rule, places[sample.task], bundle.tokenizer, sample.ids, sample.text)
        answers[sample.task].append(text)
    return answers


def _cost(samples: Sequence[Sample]) -> dict[str, float]:
    times = np.array([sample.milliseconds for sample in samples])
    return {
        "stopped_by_itself": round(float(np.mean([s.has_stopped for s in samples])), 4),
        "tokens_mean": round(float(np.mean([len(s.ids) for s in samples])), 2),
        "prompt_tokens_median": float(np.median([s.prompt_tokens for s in samples])),
        "ms_per_sample_mean": round(float(np.mean(times)), 1),
        "ms_per_sample_p95": round(float(np.quantile(times, 0.95)), 1),
    }


def _warnings(
    split: Split,
    tasks: Sequence[Task],
    samples: Sequence[Sample],
    scores: Sequence[Score],
    engine: Engine,
    options: InfillingOptions,
) -> tuple[str, ...]:
    """Returns what a reader of the scores has to know."""
    found = []
    floor = scores[0].pass_at
    if floor and len(tasks) == split.rows:
        passed = round(floor[1].mean * split.rows)
        if passed != split.empty_passes:
            found.append(
                f"the evaluation is off: {passed} empty answers pass in place of "
                f"{split.empty_passes}, so these scores compare with no others"
            )
    if cut := sum(sample.is_prompt_cut for sample in samples):
        found.append(f"{cut} of {len(samples)} prompts did not fit into the context whole")
    if options.draw.temperature and registry.ignores_seeds(engine.name):
        found.append(f"{engine.name} ignores seeds, so other runs will draw other samples")
    if 10 <= options.draw.samples < _MIN_SAMPLES:
        found.append(f"pass@10 from fewer than {_MIN_SAMPLES} samples a task varies most")
    return tuple(found)
