"""The model card of an exported folder: README.md as the Hugging Face hub reads it.

All of it comes from files: the recipe, the export, the training log, the corpus and the judge's
reports.  Nothing is stated that was not measured.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from model_runtime.prompt.format import PromptFormat
from model_runtime.prompt.orders import FimTokens, Order
from model_runtime.training.card import last_validation, score_lines
from model_runtime.training.metrics import LOG
from model_runtime.training.network import Shape
from model_runtime.training.recipe import Recipe

CARD = "README.md"
_LICENCE = "apache-2.0"
_DATASET = {"name": "HumanEval-infilling", "type": "openai/human-eval-infilling"}


def folder_card(
    recipe: Recipe,
    shape: Shape,
    fim: Mapping[str, Any],
    state: Path,
    corpus: Path,
    reports: Sequence[Path] = (),
) -> str:
    """The card's text.

    Args:
        recipe: by which it was trained.
        shape: of the network.
        fim: the content of fim_config.json.
        state: folder of the train stage, for its log.
        corpus: folder with manifest.json.
        reports: of the judge; those of other weights are left out.
    """
    of_these = [path for path in reports if _is_of(path, fim)]
    template = PromptFormat.of_order(Order(fim["order"]), FimTokens(**fim["ids"]))
    names = {id_: fim["tokens"][role] for role, id_ in fim["ids"].items()}
    parts = " ".join(template.spelled(names.__getitem__))
    lines = [
        "---",
        *(f"{key}: {json.dumps(value)}" for key, value in _metadata(fim, of_these).items()),
        "---",
        "",
        f"# {fim['name']}",
        "",
        f"A GPT-NeoX model of {fim['parameters']:,} parameters (counted from the checkpoint) that "
        f"fills in the middle of Python code: {shape.layers} layers x {shape.width}, {shape.heads} "
        f"heads, vocabulary {shape.vocabulary:,}, context {shape.context} tokens, "
        f"{shape.positions} positions, input and output embedding "
        f"{'tied' if shape.tied else 'untied'}.",
        "",
        *_alibi(shape),
        "## Format",
        "",
        f"Order `{fim['order']}`: `{parts}` -> middle, `{fim['tokens']['end']}`. The three parts "
        "are encoded by themselves. Ids: "
        + ", ".join(f"`{fim['tokens'][role]}` {id_}" for role, id_ in fim["ids"].items())
        + ".",
        "",
        "## Data",
        "",
        *_data(corpus),
        "",
        "## Training",
        "",
        *_training(recipe, fim),
        "",
        *_held_out(state / LOG),
        "## Scores",
        "",
        *score_lines(of_these),
        "",
        "## Limits",
        "",
        "It sees only the text around the cursor and makes mistakes with confidence. Read what it "
        "writes.",
        "",
    ]
    return "\n".join(lines)


def _metadata(fim: Mapping[str, Any], reports: Sequence[Path]) -> dict[str, Any]:
    """What the hub reads; scores with their interval and number of rows in words."""
    found: dict[str, Any] = {
        "license": _LICENCE,
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["code", "fill-in-the-middle", "python", "gpt_neox"],
    }
    results = []
    for path in reports:
        report = json.loads(path.read_text(encoding="utf-8"))
        scores = {score["label"]: score["pass_at"] for score in report.get("scores", ())}
        for k, value in scores.get("raw", {}).items():
            told = (
                f"pass@{k}, {report['terms']['rows']} rows, 95 % {value['low']:.4f} to "
                f"{value['high']:.4f}, empty answers {scores['floor'][k]['mean']:.4f}"
            )
            metric = {"type": f"pass@{k}", "value": round(value["mean"], 4), "name": told}
            dataset = {**_DATASET, "split": report["terms"]["split"]}
            task = {"type": "text-generation"}
            results.append({"task": task, "dataset": dataset, "metrics": [metric]})
    if results:
        found["model-index"] = [{"name": fim["name"], "results": results}]
    return found


def _is_of(path: Path, fim: Mapping[str, Any]) -> bool:
    report = json.loads(path.read_text(encoding="utf-8"))
    seen = report.get("terms", {}).get("tokens_seen")
    return "scores" in report and (report["model"], seen) == (fim["name"], fim["tokens_seen"])


def _alibi(shape: Shape) -> list[str]:
    if shape.positions != "alibi":
        return []
    return [
        "`transformers` has no GPT-NeoX with ALiBi and refuses this folder; "
        "`fim-runtime models add FOLDER` makes a bundle of it that CTranslate2 and PyTorch run.",
        "",
    ]


def _data(corpus: Path) -> list[str]:
    path = corpus / "manifest.json"
    if not path.is_file():
        return ["Not stated."]
    facts = json.loads(path.read_text(encoding="utf-8"))
    if "bytes" not in facts:
        return ["Not stated."]
    return [
        f"{facts['bytes'] / 1e6:.1f} MB in {facts['files']:,} files of {facts['packages']} "
        f"packages; {facts.get('benchmark_programs', 0)} benchmark programs were looked for and "
        "left out. `corpus_manifest.json` counts what was thrown away and why, and `licences.tsv` "
        "has the licence of each package and what it rests on."
    ]


def _training(recipe: Recipe, fim: Mapping[str, Any]) -> list[str]:
    data, optimiser, train = recipe.data, recipe.optimiser, recipe.train
    training = fim["training"]
    mix = ", ".join(f"{name} {share:g}" for name, share in data.orders.items())
    spans = ", ".join(f"{name} {share:g}" for name, share in data.spans.items())
    rows = (
        ("steps", f"{fim['step']:,} ({training['share_of_budget']:.0%} of the budget)"),
        ("tokens", f"{fim['tokens_seen']:,}"),
        ("rows a step", f"{train.rows_per_step}, of up to {recipe.network.context} tokens"),
        ("time", f"{training['seconds']:,} s"),
        ("windows with a hole", f"{data.fim_rate:.0%}"),
        ("orders", mix),
        ("holes", f"{spans}; {recipe.level} level"),
        (
            "optimiser",
            f"{optimiser.name}, learning rate {optimiser.learning_rate:g}, {optimiser.schedule}, "
            f"weight decay {optimiser.weight_decay:g}, clipping {optimiser.clip:g}",
        ),
        ("numbers", train.dtype),
        ("seed", str(train.seed)),
    )
    return ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]


def _held_out(log: Path) -> list[str]:
    found = last_validation(log) if log.is_file() else {}
    if not found:
        return []
    told = ", ".join(f"{name} {value:.3f}" for name, value in found.items())
    return [f"On held-out packages at the end: {told}.", ""]
