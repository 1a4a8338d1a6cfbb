"""Runs the reference model's seven language tasks by lm-evaluation-harness, from local files.

The harness's own task files supply prompts, metrics and answers; where a folder of rows is given,
only their source is replaced, by a YAML file that includes the harness's, and the hub is forbidden.
Rows are not shipped: their licences differ (docs/evaluation.md names the sources).

The harness takes rows as independent for its errors and says that they are biased; it is told to
leave them out, and ours are computed here.
"""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_runtime.engines.protocol import Engine
from model_runtime.evaluation.errors import DataError, EvaluationError
from model_runtime.evaluation.harness_report import (
    LOG_LIKELIHOOD,
    PERPLEXITY,
    HarnessReport,
    Measured,
)
from model_runtime.evaluation.harness_tasks import TASKS, HarnessTask
from model_runtime.evaluation.metrics import Interval, wilson
from model_runtime.evaluation.records import JsonLines, RunFolder, write_text
from model_runtime.evaluation.reference_table import INFILLING
from model_runtime.evaluation.rows import MeasuredRows
from model_runtime.models.bundle import ModelBundle
from model_runtime.telemetry import import_silenced

Measures = dict[str, dict[str, list[float]]]
"""Task -> measure -> its value for each row."""


@dataclass(frozen=True, slots=True)
class HarnessOptions:
    """Settings of an evaluation on language tasks."""

    out: Path
    """Folder for scores and the report; a run found there is resumed."""
    data: Path | None
    """Folder with the rows; None takes them from the Hugging Face hub."""
    tasks: tuple[str, ...] = tuple(TASKS)
    limit: int | None = None
    """Number of rows of each task, from the first one; None: all."""
    infilling: Path | None = None
    """Folder of an infilling run whose score completes the table."""


def evaluate_harness(bundle: ModelBundle, engine: Engine, options: HarnessOptions) -> HarnessReport:
    """Runs the tasks, and writes the report into `options.out`.

    Raises:
        EvaluationError: lm-eval is not installed, or the folder cannot be used.
        DataError: rows are missing.
        EngineError: the engine broke; the same call goes on where this one ended.
    """
    terms = _terms(bundle, engine, options)
    infilling = _infilling(options.infilling, bundle) if options.infilling else ()
    files = _files(options)
    folder = RunFolder(options.out, terms)
    _prepare(options)
    try:
        from model_runtime.evaluation.harness_model import EngineLM, UniformBytes
    except ImportError as error:
        raise EvaluationError(
            f"the harness needs lm-eval ({error}); install it with: pip install 'fim-lsp[eval]'"
        ) from error
    store = JsonLines(folder.folder / "likelihoods.jsonl")
    ours = _run(EngineLM(bundle, engine, store), options, files)
    floor = _run(UniformBytes(), options, files)
    _rows(ours).write(options.out)
    measured = [
        Measured(
            task,
            measure,
            _summary(measure, values),
            _summary(measure, floor[task][measure]).mean,
            len(values),
        )
        for task, measures in ours.items()
        for measure, values in measures.items()
    ]
    report = HarnessReport(
        bundle.manifest.name,
        (*infilling, *measured),
        {**terms, "source": "local files" if options.data else "the Hugging Face hub"},
    )
    write_text(options.out / "report.json", report.to_json())
    write_text(options.out / "report.md", report.to_markdown())
    return report


def _rows(measured: Measures) -> MeasuredRows:
    rows = MeasuredRows()
    for task, measures in measured.items():
        for measure, values in measures.items():
            name = f"{task}, {LOG_LIKELIHOOD if measure == PERPLEXITY else measure}"
            for number, value in enumerate(values):
                rows.add(name, f"{task}/{number}", value, cluster=f"{task}/{number}")
    return rows


def _prepare(options: HarnessOptions) -> None:
    """Sets what the harness and datasets read when they are first imported."""
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    os.environ.update(TOKENIZERS_PARALLELISM="false", TQDM_DISABLE="1")  # we show progress
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    if options.data is not None:
        os.environ.update(
            HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", HF_HOME=str(options.out / "cache")
        )


def _files(options: HarnessOptions) -> dict[str, Path]:
    """Returns task -> its file of rows.

    Raises:
        DataError: one is missing.
    """
    if options.data is None:
        return {}
    files = {name: (options.data / TASKS[name].file).absolute() for name in options.tasks}
    for name, path in files.items():
        if not path.is_file():
            raise DataError(
                f"{path} is missing; leave {name} out with --tasks, or see docs/evaluation.md for "
                "where its rows come from"
            )
    return files


def _run(model: Any, options: HarnessOptions, files: Mapping[str, Path]) -> Measures:
    """Returns every measure of every row."""
    lm_eval = import_silenced("lm_eval")
    tasks = import_silenced("lm_eval.tasks")
    yaml_folder = options.out / "tasks"
    yaml_folder.mkdir(parents=True, exist_ok=True)
    names = {
        _local_task(TASKS[name], files[name], yaml_folder) if files else name: name
        for name in options.tasks
    }
    outcome = lm_eval.simple_evaluate(
        model=model,
        tasks=list(names),
        num_fewshot=0,
        limit=options.limit,
        # Reading the thousands of the harness's own task files takes longer than a short run, and
        # ours name what they include.
        task_manager=tasks.TaskManager(include_path=str(yaml_folder), include_defaults=not files),
        bootstrap_iters=0,
    )
    found: Measures = {}
    for local, samples in outcome["samples"].items():
        measures = found.setdefault(names[local], {})
        for sample in sorted(samples, key=lambda sample: sample["doc_id"]):
            for measure in sample["metrics"]:
                measures.setdefault(measure, []).append(float(sample[measure]))
    return found


def _local_task(task: HarnessTask, rows: Path, folder: Path) -> str:
    """Writes the task file that takes its rows from a local file; returns the new task's name."""
    included = Path(import_silenced("lm_eval.tasks").__file__).parent / task.yaml
    name = f"local_{task.name}"
    splits = dict.fromkeys(("training_split", "validation_split", "test_split"))
    override = {
        "include": str(included),
        "task": name,
        "tag": None,  # else the copy joins the harness's group of that tag
        "dataset_path": "json",
        "dataset_name": None,
        "dataset_kwargs": {"data_files": {task.split: str(rows)}},
        **splits,
        f"{task.split}_split": task.split,
    }
    write_text(folder / f"{name}.yaml", json.dumps(override, indent=1))  # JSON is YAML
    return name


def _summary(measure: str, values: Sequence[float]) -> Interval:
    """Returns a measure over rows that are independent of each other.

    Accuracies have Wilson's interval.  Perplexity is exp of minus the mean log-likelihood, with the
    normal interval of that mean.
    """
    if measure != PERPLEXITY:
        return wilson(round(sum(values)), len(values))
    mean = math.fsum(values) / len(values)
    spread = math.fsum((value - mean) ** 2 for value in values) / max(1, len(values) - 1)
    half = 1.959963984540054 * math.sqrt(spread / len(values))
    return Interval(*(_exp(-mean + shift) for shift in (0.0, -half, half)))


def _exp(value: float) -> float:
    return math.exp(min(value, 700.0))  # a perplexity beyond the floats is no more informative


def _terms(bundle: ModelBundle, engine: Engine, options: HarnessOptions) -> dict[str, Any]:
    manifest = bundle.manifest
    return {
        "model": manifest.name,
        "weights_sha256": manifest.weights.sha256,
        "engine": engine.name,
        "context": engine.context_length,
        "fewshot": 0,
        "limit": options.limit,
    }


def _infilling(folder: Path, bundle: ModelBundle) -> tuple[Measured, ...]:
    """Returns the score of an infilling run of the same model, its floor beside it."""
    path = folder / "report.json"
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        scores = {score["label"]: score for score in report["scores"]}
        terms, raw = report["terms"], scores["raw"]["pass_at"]
        floor = scores["floor"]["pass_at"]
    except (OSError, ValueError, KeyError) as error:
        raise EvaluationError(f"{path} is not the report of an infilling run ({error})") from error
    if terms["weights_sha256"] != bundle.manifest.weights.sha256:
        raise EvaluationError(f"{path} is the report of other weights")
    return tuple(
        Measured(
            INFILLING,
            f"pass@{k}",
            Interval(**raw[k]),
            floor[k]["mean"],
            int(str(terms["rows"]).partition(" ")[0]),
        )
        for k in raw
    )
