"""Runs the stages of a model in order, and skips those that are up to date.

A stage is skipped if its folder holds the mark of the same recipe and of the same earlier stages.
The mark is written before the stage begins, and again when it has ended; so a stage that was ended
by force is begun anew.  A folder with the right files and no mark at all was made elsewhere, and is
taken as it is.

Under torchrun all processes train together; the other stages are the first one's work.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from model_runtime.evaluation.records import write_text
from model_runtime.evaluation.sandbox import Sandbox
from model_runtime.training.corpus.decontamination import task_files
from model_runtime.training.recipe import read_recipe
from model_runtime.training.stages import REPEATED, STAGES, PipelineError, Run

logger = logging.getLogger(__name__)
MARK = "stage.json"


def run(
    recipe_path: Path,
    out: Path,
    stage: str | None = None,
    *,
    roots: Sequence[str | Path] = (),
    benchmarks: Path | None = None,
    device: str = "cpu",
    initial: Path | None = None,
    max_steps: int | None = None,
    execute: bool = False,
) -> Path:
    """Runs all stages, or one; returns the folder of the bundle, or of the one stage.

    Raises:
        RecipeError: the recipe is wrong.
        PipelineError: a stage lacks what an earlier one makes.
        SandboxUnavailable: code may be executed, but nothing here can confine it.
        TrainingStopped: a signal, or `max_steps`, ended the training before its budget did.
    """
    recipe = read_recipe(recipe_path)
    # Before hours of training: is there a sandbox?
    sandbox = Sandbox.open() if execute else None
    named = tuple(map(str, roots))
    given = Run(recipe, out, named, benchmarks, device, initial, max_steps, sandbox)
    if stage is not None and stage not in [entry.name for entry in STAGES]:
        raise PipelineError(
            f"there is no stage {stage!r}; the stages are "
            + ", ".join(entry.name for entry in STAGES)
        )
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        from model_runtime.training.parallel import Processes

        given = replace(given, training=Processes.join(recipe.parallel, device))
    for number, entry in enumerate(STAGES):
        if stage is None or entry.name == stage:
            if given.is_main or entry.name == "train":
                _run_stage(given, number)
            if given.training is not None:
                given.training.wait_long(entry.name)
    return given.folder(stage or "bundle")


def _run_stage(given: Run, number: int) -> None:
    stage = STAGES[number]
    folder, mark = given.folder(stage.name), given.folder(stage.name) / MARK
    for earlier in STAGES[:number]:
        if not (given.folder(earlier.name) / earlier.result).exists():
            missing = given.folder(earlier.name) / earlier.result
            raise PipelineError(f"{missing} is missing; run the stage {earlier.name} first")
    key = stage_key(given, number)
    found = json.loads(mark.read_text("utf-8")) if mark.exists() else None
    if (folder / stage.result).exists() and stage.name not in REPEATED:
        made_elsewhere = found is None and stage.name != "train"
        if made_elsewhere or (found and found["key"] == key and found["ended"]):
            logger.info("%s is up to date", stage.name)
            return

    def write_mark(ended: bool) -> None:
        if given.is_main:
            folder.mkdir(parents=True, exist_ok=True)
            text = json.dumps({"key": key, "ended": ended, "given": _corpus_arguments(given)})
            write_text(mark, text + "\n")  # at once: other processes may be reading it

    logger.info("%s begins", stage.name)
    write_mark(ended=False)
    stage.work(given)
    write_mark(ended=True)


def stage_key(given: Run, number: int) -> str:
    """Returns a hash of all that the results of a stage depend on.

    The files below a root count by their names alone: `corpus/manifest.json` says what was read,
    and training refuses another corpus than the one it began with.
    """
    settings: list[Any] = [entry.settings(given.recipe) for entry in STAGES[: number + 1]]
    text = json.dumps([*settings, _corpus_arguments(given)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _corpus_arguments(given: Run) -> dict[str, Any]:
    """Returns roots and benchmarks of the command line, or of the start that made the corpus.

    A run is thus continued without saying them again.
    """
    mark = given.folder("corpus") / MARK
    if not given.roots and not given.benchmarks and mark.exists():
        known: dict[str, Any] = json.loads(mark.read_text("utf-8")).get("given", {})
        return known
    tasks = task_files(given.benchmarks) if given.benchmarks else []
    return {
        "roots": sorted(given.roots),
        "benchmarks": [[path.name, path.stat().st_size] for path in tasks],
    }
