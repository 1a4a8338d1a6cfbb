"""Writes model cards: README.md of an exported folder, MODEL_CARD.md of a bundle.

All of a card comes from files: the recipe or the manifest, the training log, the corpus and the
reports of evaluations.  Nothing is stated that was not measured.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_runtime.evaluation.labels import FLOOR, LABELS, RAW
from model_runtime.prompt.format import PromptFormat
from model_runtime.telemetry import import_silenced
from model_runtime.training.network import Shape

_LICENSE = "apache-2.0"


@dataclass(frozen=True)
class ModelFacts:
    """Everything that a card says of a model."""

    name: str
    parameters: str
    """Number of parameters, in words."""
    shape: Shape
    prompt: PromptFormat
    """Format of its prompts."""
    tokens: Mapping[str, str]
    """Role -> the string of its special token."""
    ids: Mapping[str, int]
    """Role -> the id of its special token."""
    corpus: Path
    """Folder with the corpus's manifest.json, which may be missing."""
    training: Sequence[str]
    """Lines of the section on training."""
    held_out: Mapping[str, float]
    """Figures on held-out packages at the end of the training."""
    reports: Sequence[Path]
    """`report.json` files of evaluations of these weights."""
    languages: Sequence[str]
    """Ids of the languages that it has learned; none where that is not known."""
    notes: Sequence[str] = ()
    """Paragraphs behind the first one."""


def card_of(facts: ModelFacts) -> str:
    """Returns a card as the Hugging Face hub reads it: metadata in YAML, then Markdown."""
    shape = facts.shape
    names = {id_: facts.tokens[role] for role, id_ in facts.ids.items()}
    template = " ".join(facts.prompt.spelled(names.__getitem__))
    held_out = ", ".join(f"{name} {value:.3f}" for name, value in facts.held_out.items())
    lines = [
        "---",
        _metadata(facts),
        "---",
        "",
        f"# {facts.name}",
        "",
        f"A GPT-NeoX model of {facts.parameters} that fills in the middle of code"
        f"{' (' + ', '.join(facts.languages) + ')' if facts.languages else ''}: "
        f"{shape.layers} layers x {shape.width}, {shape.heads} heads, vocabulary "
        f"{shape.vocabulary:,}, context {shape.context} tokens, {shape.positions} positions, "
        f"input and output embedding {'tied' if shape.tied else 'untied'}.",
        "",
        *(line for note in facts.notes for line in (note, "")),
        "## Format",
        "",
        f"Order `{facts.prompt.name}`: `{template}` -> middle, "
        f"`{facts.tokens['end']}`. The three parts are encoded by themselves. Ids: "
        + ", ".join(f"`{facts.tokens[role]}` {id_}" for role, id_ in facts.ids.items())
        + ".",
        "",
        "## Data",
        "",
        _data(facts.corpus),
        "",
        "## Training",
        "",
        *facts.training,
        "",
        *([f"On held-out packages at the end: {held_out}.", ""] if held_out else []),
        "## Scores",
        "",
        *_score_lines(facts.reports),
        "",
        "## Limits",
        "",
        "A model that is so small, trained on so few tokens, knows the shapes of code and little "
        "else. It sees only the text around the cursor and makes mistakes with confidence. Read "
        "what it writes.",
        "",
    ]
    return "\n".join(lines)


def last_validation(log: Path) -> dict[str, float]:
    """Returns the last figures on held-out packages of a training log; none if it has none."""
    if not log.is_file():
        return {}
    entries = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    valid = [entry for entry in entries if entry.get("event") == "valid"]
    names = ("ltr_bpb", "mid_bpb", "line_bpb", "eod", "exact_line", "exact_cursor")
    return {name: valid[-1][name] for name in names} if valid else {}


def reports_of(paths: Sequence[Path], name: str, tokens_seen: int) -> list[Path]:
    """Returns those of the reports that are of a model after so many tokens."""
    found = []
    for path in paths:
        report = json.loads(path.read_text(encoding="utf-8"))
        seen = report.get("terms", {}).get("tokens_seen")
        if "scores" in report and (report["model"], seen) == (name, tokens_seen):
            found.append(path)
    return found


def _metadata(facts: ModelFacts) -> str:
    """Returns the YAML for the hub; scores have their interval and number of rows in words."""
    hub = import_silenced("huggingface_hub")
    results = []
    for path in facts.reports:
        report = json.loads(path.read_text(encoding="utf-8"))
        scores = {score["label"]: score["pass_at"] for score in report.get("scores", ())}
        for k, value in scores.get(RAW, {}).items():
            told = (
                f"pass@{k}, {report['terms']['rows']} rows, 95 % {value['low']:.4f} to "
                f"{value['high']:.4f}, empty answers {scores[FLOOR][k]['mean']:.4f}"
            )
            results.append(
                hub.EvalResult(
                    task_type="text-generation",
                    dataset_type="openai/human-eval-infilling",
                    dataset_name="HumanEval-infilling",
                    dataset_split=report["terms"]["split"],
                    metric_type=f"pass@{k}",
                    metric_value=round(value["mean"], 4),
                    metric_name=told,
                )
            )
    data = hub.ModelCardData(
        license=_LICENSE,
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=["code", "fill-in-the-middle", *facts.languages, "gpt_neox"],
        model_name=facts.name if results else None,
        eval_results=results or None,
    )
    return str(data.to_yaml())


def _data(corpus: Path) -> str:
    path = corpus / "manifest.json"
    facts = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if "bytes" not in facts:
        return "Not stated."
    licences = facts.get("licences", {})
    others = ", ".join(f"{n} {kind}" for kind, n in licences.items() if kind != "permissive")
    return (
        f"{facts['bytes'] / 1e6:.1f} MB in {facts['files']:,} files of {facts['packages']} "
        f"packages under permissive licences ({licences.get('permissive', 0)} permissive; "
        f"left out: {others or 'none'}). The verdict for each package and what it rests on is in "
        "`licences.tsv`. Generated, minified and near-duplicate files are left out, and so is "
        "every file that shares 13 words in a row with one of "
        f"{facts.get('benchmark_programs', 0)} programs of the benchmarks. No user data."
    )


def _score_lines(reports: Sequence[Path]) -> list[str]:
    """Returns a table for each report."""
    if not reports:
        return ["Not measured."]
    lines: list[str] = []
    for path in reports:
        report = json.loads(path.read_text(encoding="utf-8"))
        terms = report["terms"]
        lines += [
            f"{report['benchmark']}, {terms['rows']} tasks, {terms['samples']} sample(s) a task, "
            f"temperature {terms['temperature']}, at most {terms['max_new_tokens']} new tokens, "
            f"engine {terms['engine']}; by execution, 95 % intervals over problems:",
            "",
            "| completions | pass@1 | exact match | edit similarity |",
            "|---|---:|---:|---:|",
        ]
        lines += [_score_row(score) for score in report["scores"]]
        stopped = report.get("cost", {}).get("stopped_by_itself")
        if stopped is not None:
            lines += ["", f"Stops by itself in {stopped:.0%} of the tasks."]
        lines.append("")
    return lines[:-1]


def _score_row(score: Mapping[str, Any]) -> str:
    def interval(figures: Mapping[str, float]) -> str:
        return f"{figures['mean']:.2%} ({figures['low']:.2%} to {figures['high']:.2%})"

    passed = interval(score["pass_at"]["1"]) if score.get("pass_at") else "not run"
    similarity = score["edit_similarity"]["mean"]
    return (
        f"| {LABELS.get(score['label'], score['label'])} | {passed} | "
        f"{interval(score['exact_match'])} | {similarity:.3f} |"
    )
