"""Trains the runs of an ablation, one for each variant and seed."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from model_runtime.evaluation.records import write_text
from model_runtime.models.bundle import MANIFEST
from model_runtime.training.ablation.options import AblationError, AblationOptions
from model_runtime.training.ablation.shared_data import link_data, run_stage
from model_runtime.training.recipe import Recipe, read_recipe
from model_runtime.training.stop_signal import TrainingStopped

logger = logging.getLogger(__name__)


def write_recipes(path: Path, options: AblationOptions) -> list[Path]:
    """Writes the recipe of every seed into the folder of its run, and returns the files.

    Raises:
        RecipeError: the recipe is wrong.
        AblationError: the recipe has a budget in seconds, along which no points can be set.
    """
    if read_recipe(path).train.budget_seconds and options.points > 1 and options.steps is None:
        raise AblationError(
            f"{path.name} has a budget in seconds, along which no points can be set; give --steps"
        )
    files = []
    for seed in range(options.seeds):
        folder = options.out / path.stem / f"seed-{seed}"
        folder.mkdir(parents=True, exist_ok=True)
        base = json.dumps(str(path.resolve().with_suffix("")))
        lines = [f"extends = {base}", f'name = "{path.stem}-seed-{seed}"', "", "[train]"]
        lines += [f"seed = {seed}"]
        if options.steps is not None:
            lines += [f"budget_steps = {options.steps}", "budget_tokens = 0", "budget_seconds = 0"]
        file = folder / "recipe.toml"
        write_text(file, "\n".join(lines) + "\n")
        read_recipe(file)
        files.append(file)
    return files


def train(file: Path, options: AblationOptions) -> None:
    """Runs all stages of one run in the folder of its recipe, unless they were run for it.

    Raises:
        TrainingStopped: a signal ended the training; the same call goes on.
        ModelRuntimeError: a stage failed.
    """
    recipe, folder = read_recipe(file), file.parent
    asked = {"recipe": attrs.asdict(recipe), "points": options.points, **options.data}
    mark = folder / "trained.json"
    if (folder / "bundle" / MANIFEST).exists() and read_json(mark) == as_json(asked):
        logger.info("%s is trained", recipe.name)
        return
    link_data(recipe, file, folder, options)
    for number, max_steps in enumerate(_steps_to_points(recipe, folder, options.points), 1):
        place = folder / "points" / f"{number}"
        is_last = number == options.points
        if not is_last and (max_steps <= 0 or (place / "bundle" / MANIFEST).exists()):
            continue  # training has gone past it
        try:
            run_stage(file, folder, "train", options, None if is_last else max_steps)
        except TrainingStopped as stopped:
            if stopped.number or is_last:
                raise
        make_bundle(file, options)
        if not is_last:
            shutil.copytree(folder / "bundle", place / "bundle", dirs_exist_ok=True)
    write_text(mark, json.dumps(asked) + "\n")


def make_bundle(file: Path, options: AblationOptions) -> None:
    """Exports the newest checkpoint of a run and makes a bundle of it."""
    for stage in ("export", "bundle"):
        run_stage(file, file.parent, stage, options)


def _steps_to_points(recipe: Recipe, folder: Path, points: int) -> Iterator[int]:
    """Yields the steps to train until each point, computed when each is asked for."""
    from model_runtime.training import checkpoint

    total = _num_steps(recipe)
    for number in range(1, points + 1):
        newest = checkpoint.newest(folder / "train" / "checkpoints")
        done = checkpoint.read_progress(newest)[0].step if newest else 0
        yield round(total * number / points) - done


def _num_steps(recipe: Recipe) -> int:
    """Returns the steps of a whole run; an estimate where the budget is in tokens."""
    train = recipe.train
    if train.budget_steps:
        return train.budget_steps
    return max(1, train.budget_tokens // (train.rows_per_step * recipe.network.context))


def as_json(value: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a value as it will be when it has been written and reads."""
    return dict(json.loads(json.dumps(value, default=str)))


def read_json(path: Path) -> dict[str, Any]:
    """Returns the object in a file; an empty one where there is no such file."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}
