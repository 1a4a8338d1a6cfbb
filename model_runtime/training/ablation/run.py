"""Runs one ablation from recipes to a report; what an earlier call did is not done again."""

from __future__ import annotations

from typing import Any

from model_runtime.evaluation.plots import draw
from model_runtime.evaluation.records import write_text
from model_runtime.evaluation.sandbox import Sandbox
from model_runtime.evaluation.training_curve import read_curve
from model_runtime.evaluation.variants import (
    AblationReport,
    TrainedRun,
    Variant,
    compare_variants,
)
from model_runtime.training.ablation.options import AblationOptions
from model_runtime.training.ablation.scores import held_out_figures, read_run, score
from model_runtime.training.ablation.training_runs import make_bundle, train, write_recipes


def run_ablation(options: AblationOptions, sandbox: Sandbox | None) -> AblationReport:
    """Trains, scores and compares; the report is written into `options.out` as well.

    Raises:
        RecipeError: a recipe is wrong; nothing was trained.
        TrainingStopped: a signal ended it; the same call goes on.
        ModelRuntimeError: training or an evaluation cannot go on; the message says why.
    """
    recipes = {path.stem: write_recipes(path, options) for path in options.recipes}
    trained: dict[str, list[TrainedRun]] = {name: [] for name in recipes}
    for seed in range(options.seeds):  # so that all can be compared after the first round
        for name, files in recipes.items():
            train(files[seed], options)
            folder = files[seed].parent
            for place in (*sorted(folder.glob("points/*")), folder):
                if score(place, options, sandbox) and place is folder:
                    make_bundle(files[seed], options)  # its card has the scores now
            trained[name].append(read_run(folder, seed))
    variants = [Variant(name, tuple(runs)) for name, runs in trained.items()]
    curves = [read_curve(name, file.parent) for name, files in recipes.items() for file in files]
    _, picture = draw(curves, options.out / "curves")
    report = AblationReport(
        variants=tuple(recipes),
        lines=compare_variants(variants),
        held_out=held_out_figures(variants),
        terms=_terms(options, sandbox),
        picture=picture.with_suffix(".svg").name,
        warnings=_warnings(options),
    )
    write_text(options.out / "report.json", report.to_json())
    write_text(options.out / "report.md", report.to_markdown())
    return report


def _terms(options: AblationOptions, sandbox: Sandbox | None) -> dict[str, Any]:
    infilling, harness = options.infilling, options.harness
    terms: dict[str, Any] = {
        "variants": ", ".join(path.stem for path in options.recipes),
        "seeds": options.seeds,
        "steps": options.steps or "each recipe's budget",
        "engine": options.scoring_engine,
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
        found.append(
            f"the variants were trained for {options.steps} steps, not their recipes' budgets"
        )
    return tuple(found)
