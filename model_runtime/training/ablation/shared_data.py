"""Makes corpus, tokenizer and selection of an ablation once, and links them into every run."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import attrs

from model_runtime.training import pipeline
from model_runtime.training.ablation.options import AblationError, AblationOptions
from model_runtime.training.recipe import Recipe
from model_runtime.training.stages import STAGES

_NAMES = [stage.name for stage in STAGES]
DATA_STAGES = tuple(_NAMES[: _NAMES.index("train")])
"""Stages before training, whose results runs can share."""


def run_stage(
    recipe: Path, folder: Path, stage: str, options: AblationOptions, max_steps: int | None = None
) -> None:
    """Runs one stage of the pipeline, of a run in `folder`.

    Raises:
        TrainingStopped: a signal, or `max_steps`, ended the training.
        ModelRuntimeError: the stage failed.
    """
    pipeline.run(
        recipe,
        folder,
        stage,
        roots=options.roots,
        benchmarks=options.benchmarks,
        device=options.device,
        max_steps=max_steps,
    )


def link_data(recipe: Recipe, file: Path, folder: Path, options: AblationOptions) -> None:
    """Makes the data that a recipe asks for, unless it is there, and links it into a run's folder.

    Raises:
        AblationError: the run that `data_of` names has no corpus or no tokenizer.
    """
    source = _made(recipe, file, options) if options.data_of is None else _found(options.data_of)
    for stage in DATA_STAGES:
        if not (source / stage).is_dir():
            continue  # a run of its own makes it
        (folder / stage).mkdir(exist_ok=True)
        for entry in (source / stage).iterdir():
            link = folder / stage / entry.name
            # Without the mark a stage is taken as it is, so no run ever rebuilds what others use.
            if entry.name != pipeline.MARK and not link.exists():
                link.unlink(missing_ok=True)
                link.symlink_to(os.path.relpath(entry.resolve(), link.parent.resolve()))
    for stage in DATA_STAGES:
        run_stage(file, folder, stage, options)


def _made(recipe: Recipe, file: Path, options: AblationOptions) -> Path:
    parts = {name: attrs.asdict(getattr(recipe, name)) for name in DATA_STAGES}
    text = json.dumps({**parts, **options.data}, sort_keys=True)
    source = options.out / "data" / hashlib.sha256(text.encode()).hexdigest()[:8]
    for stage in DATA_STAGES:
        run_stage(file, source, stage, options)
    return source


def _found(source: Path) -> Path:
    for stage, result in (("corpus", "manifest.json"), ("tokenizer", "tokenizer.json")):
        if not (source / stage / result).exists():
            raise AblationError(
                f"{source / stage / result} is missing; --data-of takes the folder of a run of "
                "`fim-runtime train`"
            )
    return source
