"""Scores the bundles of an ablation, and reads what was kept of each run."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, replace
from pathlib import Path

from model_runtime.engines import open_engine
from model_runtime.evaluation.harness import evaluate_harness
from model_runtime.evaluation.records import write_text
from model_runtime.evaluation.rows import MeasuredRows, read_rows
from model_runtime.evaluation.run import evaluate_infilling
from model_runtime.evaluation.sandbox import Sandbox
from model_runtime.evaluation.training_curve import LOG
from model_runtime.evaluation.variants import TrainedRun, Variant
from model_runtime.models.bundle import ModelBundle
from model_runtime.training.ablation.options import AblationOptions
from model_runtime.training.ablation.training_runs import as_json, read_json

logger = logging.getLogger(__name__)
INFILLING, HARNESS = "infilling", "harness"


def score(place: Path, options: AblationOptions, sandbox: Sandbox | None) -> bool:
    """Evaluates the bundle in a folder, unless that was done; tells whether any score is new."""
    is_new = False
    bundle = ModelBundle.open(place / "bundle")
    for name in (INFILLING, HARNESS):
        asked = getattr(options, name)
        if asked is None or (name == HARNESS and place.parent.name == "points"):
            continue  # the harness is for the finished variants
        out = place / name
        asked = replace(asked, out=out)
        terms = {
            "weights": bundle.manifest.weights.sha256,
            "asked": as_json(asdict(asked)),
            "executed": sandbox is not None,
            "engine": options.scoring_engine,
        }
        if (out / "report.json").exists() and read_json(out / "asked.json") == terms:
            logger.info("%s is scored", out)
            continue
        logger.info("%s begins", out)
        engine = open_engine(
            bundle,
            engine=options.scoring_engine,
            device=options.scoring_device,
            threads=options.threads,
        )
        try:
            if name == INFILLING:
                evaluate_infilling(bundle, engine, asked, sandbox)
            else:
                evaluate_harness(bundle, engine, asked)
        finally:
            engine.close()
        write_text(out / "asked.json", json.dumps(terms) + "\n")
        is_new = True
    return is_new


def read_run(folder: Path, seed: int) -> TrainedRun:
    """Returns the rows, floors and held-out figures that were kept of a run."""
    rows, floors = MeasuredRows(), dict[str, float]()
    for name in (INFILLING, HARNESS):
        if not (folder / name / "report.json").exists():
            continue
        found = read_rows(folder / name)
        rows.values |= found.values
        rows.clusters |= found.clusters
        for entry in read_json(folder / name / "report.json").get("measured", ()):
            floors[f"{entry['task']}, {entry['measure']}"] = entry["floor"]
    for measure in [measure for measure in rows.values if measure.endswith(", floor")]:
        for other in rows.values:
            if other.partition(", ")[0] == measure.partition(", ")[0]:
                floors[other] = rows.interval(measure).mean
    lines = (folder / "train" / LOG).read_text(encoding="utf-8").splitlines()
    valid = [entry for line in lines if (entry := json.loads(line)).get("event") == "valid"]
    figures = {
        name: float(value)
        for name, value in (valid[-1] if valid else {}).items()
        if name not in ("event", "step", "tokens", "seconds")
    }
    return TrainedRun(seed, rows, floors, figures)


def held_out_figures(variants: list[Variant]) -> dict[str, dict[str, tuple[float, ...]]]:
    """Returns figure -> variant -> the figure of each seed, on held-out packages."""
    names = dict.fromkeys(
        name for variant in variants for run in variant.runs for name in run.held_out
    )
    return {
        name: {
            variant.label: tuple(run.held_out[name] for run in variant.runs if name in run.held_out)
            for variant in variants
        }
        for name in names
    }
