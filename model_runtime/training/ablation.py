"""Trains the arms of an ablation with several seeds, scores them, and sets them side by side.

    OUT/data/KEY               corpus, tokenizer and selection, shared by all that ask for the same
    OUT/ARM/seed-N             a run of `fim-runtime train`, its recipe.toml beside it
    OUT/ARM/seed-N/points/I    bundles on the way there, if there are several points
    .../infilling, .../harness what the judge keeps, beside each bundle
    OUT/report.json, report.md, curves.svg, curves.png

An arm that no engine serves (ALiBi that begins again in each part) is trained and compared by its
figures on held-out packages alone.  What is trained and scored already is skipped, so that the same
command goes on where it was broken off, and more seeds or another recipe extend an ablation.  An
arm may as well be trained elsewhere, under torchrun, into its folder.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from model_runtime.engines import open_engine, registry
from model_runtime.errors import ModelRuntimeError
from model_runtime.evaluation.arms import AblationReport, Arm, Trained, compare_arms
from model_runtime.evaluation.harness import HarnessOptions, evaluate_harness
from model_runtime.evaluation.plots import draw, read_course
from model_runtime.evaluation.records import write_text
from model_runtime.evaluation.rows import Rows, read_rows
from model_runtime.evaluation.run import InfillingOptions, evaluate_infilling
from model_runtime.evaluation.sandbox import Sandbox
from model_runtime.models.bundle import MANIFEST, ModelBundle
from model_runtime.training import pipeline
from model_runtime.training.interrupt import TrainingStopped
from model_runtime.training.metrics import LOG
from model_runtime.training.recipe import Recipe, read_recipe

logger = logging.getLogger(__name__)
DATA_STAGES = tuple(
    stage.name
    for stage in pipeline.STAGES[: [stage.name for stage in pipeline.STAGES].index("train")]
)
INFILLING, HARNESS = "infilling", "harness"


class AblationError(ModelRuntimeError):
    """An ablation that cannot be made."""


@dataclass(frozen=True)
class AblationOptions:
    """Which arms, and how they are trained and scored."""

    recipes: tuple[Path, ...]
    """One for each arm; the others are compared with the first."""
    out: Path
    seeds: int = 1
    steps: int | None = None
    """In place of each recipe's budget."""
    points: int = 1
    """How many bundles are scored along each run, the last one included."""
    roots: tuple[Path, ...] = ()
    benchmarks: Path | None = None
    data_of: Path | None = None
    """Another run, whose corpus and tokenizer are taken."""
    device: str = "cpu"
    engine: str = ""
    """Engine of the scores; empty for the registry's reference engine."""
    threads: int = 0
    infilling: InfillingOptions | None = None
    """Its `out` is not used."""
    harness: HarnessOptions | None = None
    """Likewise."""

    def __post_init__(self) -> None:
        names = [path.stem for path in self.recipes]
        if len(set(names)) < len(names):
            raise AblationError(f"two recipes have one name: {', '.join(names)}")
        if not names or self.seeds < 1 or self.points < 1 or (self.steps or 1) < 1:
            raise AblationError("an ablation needs a recipe, and at least one seed, step and point")


def run_ablation(options: AblationOptions, sandbox: Sandbox | None) -> AblationReport:
    """Train, score and compare; the report is written into `options.out` as well.

    Raises:
        RecipeError: a recipe is wrong; nothing was trained.
        TrainingStopped: a signal ended it; the same call goes on.
        ModelRuntimeError: training or an evaluation cannot go on; the message says why.
    """
    first = read_recipe(options.recipes[0])
    if not first.network.is_servable and (options.infilling or options.harness):
        raise AblationError(
            f"no engine serves {first.name}, so nothing can be compared with its "
            "scores; name another recipe first"
        )
    recipes = {path.stem: _recipes(path, options) for path in options.recipes}
    trained: dict[str, list[Trained]] = {name: [] for name in recipes}
    for seed in range(options.seeds):  # so that all arms can be compared after the first round
        for name, files in recipes.items():
            folder = files[seed].parent
            _train(files[seed], folder, options)
            is_servable = read_recipe(files[seed]).network.is_servable
            for place in (*sorted(folder.glob("points/*")), folder) if is_servable else ():
                if _score(place, options, sandbox) and place is folder:
                    _make_bundle(files[seed], folder, options)  # its card has the scores now
            trained[name].append(_read(folder, seed))
    arms = [Arm(name, tuple(runs)) for name, runs in trained.items()]
    courses = [read_course(name, file.parent) for name, files in recipes.items() for file in files]
    _, picture = draw(courses, options.out / "curves")
    report = AblationReport(
        arms=tuple(recipes),
        lines=compare_arms(arms),
        held_out=_held_out(arms),
        terms=_terms(options, sandbox),
        picture=picture.with_suffix(".svg").name,
        warnings=_warnings(options),
    )
    write_text(options.out / "report.json", report.to_json())
    write_text(options.out / "report.md", report.to_markdown())
    return report


def _recipes(path: Path, options: AblationOptions) -> list[Path]:
    """The recipe of every seed, written where it will be trained; all are read before any is."""
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


def _train(file: Path, folder: Path, options: AblationOptions) -> None:
    """All stages of one run, unless they were done for this recipe."""
    recipe = read_recipe(file)
    asked = {"recipe": asdict(recipe), "points": options.points, **_data_asked(options)}
    mark = folder / "trained.json"
    is_servable = recipe.network.is_servable
    is_there = not is_servable or (folder / "bundle" / MANIFEST).exists()
    if is_there and _read_json(mark) == _as_json(asked):
        logger.info("%s is trained", recipe.name)
        return
    _lay_out_data(recipe, file, folder, options)
    points = options.points if is_servable else 1
    for number, most_steps in enumerate(_legs(recipe, folder, points), 1):
        place = folder / "points" / f"{number}"
        is_last = number == points
        if not is_last and (most_steps <= 0 or (place / "bundle" / MANIFEST).exists()):
            continue  # training has gone past it
        try:
            _run(file, folder, "train", options, None if is_last else most_steps)
        except TrainingStopped as stopped:
            if stopped.number or is_last:
                raise
        if is_servable:
            _make_bundle(file, folder, options)
        if not is_last:
            shutil.copytree(folder / "bundle", place / "bundle", dirs_exist_ok=True)
    write_text(mark, json.dumps(asked) + "\n")


def _make_bundle(file: Path, folder: Path, options: AblationOptions) -> None:
    for stage in ("export", "bundle"):
        _run(file, folder, stage, options)


def _legs(recipe: Recipe, folder: Path, points: int) -> Iterator[int]:
    """Steps to train until each point, computed when it is asked for."""
    from model_runtime.training import checkpoint

    total = _steps(recipe)
    for number in range(1, points + 1):
        newest = checkpoint.newest(folder / "train" / "checkpoints")
        done = checkpoint.read_progress(newest)[0].step if newest else 0
        yield round(total * number / points) - done


def _steps(recipe: Recipe) -> int:
    """Of the whole run; about, where the budget is in tokens."""
    train = recipe.train
    if train.budget_steps:
        return train.budget_steps
    return max(1, train.budget_tokens // (train.rows_per_step * recipe.network.context))


def _run(
    file: Path, folder: Path, stage: str, options: AblationOptions, most_steps: int | None = None
) -> None:
    pipeline.run(
        file,
        folder,
        stage,
        roots=options.roots,
        benchmarks=options.benchmarks,
        device=options.device,
        most_steps=most_steps,
    )


def _lay_out_data(recipe: Recipe, file: Path, folder: Path, options: AblationOptions) -> None:
    """Corpus, tokenizer and selection: made once, and linked into every run that asks for them."""
    if options.data_of is None:
        parts = {name: asdict(getattr(recipe, name)) for name in DATA_STAGES}
        text = json.dumps({**parts, **_data_asked(options)}, sort_keys=True)
        source = options.out / "data" / hashlib.sha256(text.encode()).hexdigest()[:8]
        for stage in DATA_STAGES:
            _run(file, source, stage, options)
    else:
        source = options.data_of
        for stage, result in (("corpus", "manifest.json"), ("tokenizer", "tokenizer.json")):
            if not (source / stage / result).exists():
                raise AblationError(
                    f"{source / stage / result} is missing; --data-of takes the folder of a run of "
                    "`fim-runtime train`"
                )
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
        _run(file, folder, stage, options)


def _score(place: Path, options: AblationOptions, sandbox: Sandbox | None) -> bool:
    """All evaluations of one bundle, unless they were done; whether any was not."""
    is_new = False
    bundle = ModelBundle.open(place / "bundle")
    for name in (INFILLING, HARNESS):
        asked = getattr(options, name)
        if asked is None or (name == HARNESS and place.parent.name == "points"):
            continue  # the harness is for the finished arms
        out = place / name
        asked = replace(asked, out=out)
        terms = {
            "weights": bundle.manifest.weights.sha256,
            "asked": _as_json(asdict(asked)),
            "executed": sandbox is not None,
            "engine": _engine(options),
        }
        if (out / "report.json").exists() and _read_json(out / "asked.json") == terms:
            logger.info("%s is scored", out)
            continue
        logger.info("%s begins", out)
        engine = open_engine(
            bundle, engine=_engine(options), device=_device(options), threads=options.threads
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


def _read(folder: Path, seed: int) -> Trained:
    """What was kept of a run."""
    rows, floors = Rows(), dict[str, float]()
    for name in (INFILLING, HARNESS):
        if not (folder / name / "report.json").exists():
            continue
        found = read_rows(folder / name)
        rows.values |= found.values
        rows.clusters |= found.clusters
        for entry in _read_json(folder / name / "report.json").get("measured", ()):
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
    return Trained(seed, rows, floors, figures)


def _held_out(arms: list[Arm]) -> dict[str, dict[str, tuple[float, ...]]]:
    """Figure -> arm -> of each seed."""
    names = dict.fromkeys(name for arm in arms for run in arm.runs for name in run.held_out)
    return {
        name: {
            arm.label: tuple(run.held_out[name] for run in arm.runs if name in run.held_out)
            for arm in arms
        }
        for name in names
    }


def _terms(options: AblationOptions, sandbox: Sandbox | None) -> dict[str, Any]:
    infilling, harness = options.infilling, options.harness
    terms: dict[str, Any] = {
        "arms": ", ".join(path.stem for path in options.recipes),
        "seeds": options.seeds,
        "steps": options.steps or "each recipe's budget",
        "engine": _engine(options),
    }
    if infilling is not None:
        draw_settings = infilling.draw
        terms |= {
            "split": infilling.split,
            "tasks": infilling.tasks or "all",
            "samples": draw_settings.samples,
            "temperature": draw_settings.temperature,
            "top_p": draw_settings.top_p,
            "max_new_tokens": draw_settings.max_new_tokens,
            "isolation": sandbox.isolation.value if sandbox else "nothing was executed",
        }
    if harness is not None:
        terms |= {"harness tasks": ", ".join(harness.tasks), "limit": harness.limit or "none"}
    return terms


def _warnings(options: AblationOptions) -> tuple[str, ...]:
    found = []
    if options.seeds < 2:
        found.append("one seed says nothing of how much the seed matters")
    if options.steps is not None:
        found.append(f"the arms were trained for {options.steps} steps, not their recipes' budgets")
    return tuple(found)


def _data_asked(options: AblationOptions) -> dict[str, Any]:
    return {
        "roots": [str(root) for root in options.roots],
        "benchmarks": str(options.benchmarks),
        "data_of": str(options.data_of),
    }


def _device(options: AblationOptions) -> str:
    return "cuda" if options.device.startswith("cuda") else "auto"


def _engine(options: AblationOptions) -> str:
    return options.engine or registry.reference(_device(options))


def _as_json(value: Mapping[str, Any]) -> dict[str, Any]:
    """As it will be when it has been written and read."""
    return dict(json.loads(json.dumps(value, default=str)))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}
