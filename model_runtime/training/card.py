"""The model card of a bundle: data, licences, training, loss curve, scores, each from its file.

python -m model_runtime.training.card BUNDLE --log LOG... --corpus MANIFEST --report REPORT...
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from model_runtime.models.bundle import ModelBundle
from model_runtime.training.curve import draw, read_logs

CARD, CURVE = "MODEL_CARD.md", "loss_curve.svg"
LIMITS = (
    "So small a model, trained on so few tokens, knows the shapes of Python and little else. "
    "It sees only the text around the cursor, makes mistakes with confidence, and has learned "
    "no other language. Read what it writes."
)


def write_card(
    bundle_path: Path,
    logs: Sequence[Path],
    corpus: Path,
    reports: Sequence[Path],
    note: str = "",
) -> None:
    """Write MODEL_CARD.md, the loss curve and the list of sources into a bundle's folder.

    Args:
        bundle_path: a bundle.
        logs: training_log.jsonl of each run, in the order in which they followed.
        corpus: manifest.json of the corpus; licences.tsv beside it is taken along.
        reports: report.json files of the judge.
        note: a paragraph for people, behind the first one.
    """
    bundle = ModelBundle.open(bundle_path)
    manifest = bundle.manifest
    curve = read_logs(logs)
    (bundle_path / CURVE).write_text(draw(curve, manifest.name), encoding="utf-8")
    shutil.copyfile(corpus.with_name("licences.tsv"), bundle_path / "licences.tsv")
    facts = json.loads(corpus.read_text(encoding="utf-8"))
    shape = manifest.architecture
    last_valid = last_validation(logs[-1])
    parts = " ".join(manifest.prompt.spelled(bundle.tokenizer.token_of))
    lines = [
        f"# {manifest.name}",
        "",
        f"A GPT-NeoX model of {manifest.parameters:,} parameters that fills in the middle of "
        f"Python code: {shape.layers} layers x {shape.hidden}, {shape.heads} heads, vocabulary "
        f"{shape.vocab:,}, context {manifest.context_length} tokens, "
        f"{manifest.position_embedding} positions, input and output embedding "
        f"{'tied' if shape.tied else 'untied'}. Weights as {manifest.weights.dtype}, "
        f"{manifest.weights.size / 1e6:.1f} MB. Licence: {manifest.license}.",
        "",
        *([note, ""] if note else []),
        "## Format",
        "",
        f"Order `{manifest.prompt.name}`: `{parts}` -> middle, END. Each part is "
        "encoded by itself. The ids of the sentinels and a canary are in `manifest.json`.",
        "",
        "## Data",
        "",
        f"{facts['bytes'] / 1e6:.1f} MB of Python in {facts['files']:,} files of "
        f"{facts['packages']} packages: wheels and standard libraries under permissive licences "
        f"({facts['licences'].get('permissive', 0)} of them permissive; "
        + ", ".join(
            f"{n} {verdict}" for verdict, n in facts["licences"].items() if verdict != "permissive"
        )
        + " left out). The verdict for each package and what it rests on is in `licences.tsv`. "
        "Generated, minified and near-duplicate files are left out, and so is every file that "
        f"shares 13 words in a row with one of {facts['benchmark_programs']} programs of the "
        f"benchmarks ({facts['counts'].get('13-gram of a benchmark', 0)} files). No user data.",
        "",
        "## Training",
        "",
        f"{curve.ends[-1]:.1f} M tokens in {len(logs)} run(s) that followed each other "
        f"({', '.join(f'{end:.1f}' for end in curve.ends)} M at their ends). "
        "The recipe of the last one is in `model_runtime/recipes`; `docs/training.md` says how to "
        "repeat it and `docs/experiments.md` what else was tried.",
        "",
        f"![bits per byte against tokens]({CURVE})",
        "",
        "On held-out packages at the end: "
        + ", ".join(f"{name} {value:.3f}" for name, value in last_valid.items())
        + ". (`docs/training.md` explains the names.)",
        "",
        "## Scores",
        "",
        *score_lines(reports),
        "",
        "## Limits",
        "",
        LIMITS,
        "",
    ]
    (bundle_path / CARD).write_text("\n".join(lines), encoding="utf-8")


def last_validation(log: Path) -> dict[str, float]:
    """Figures on held-out packages at the end of a training log; none if there are none."""
    entries = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    valid = [entry for entry in entries if entry.get("event") == "valid"]
    names = ("ltr_bpb", "mid_bpb", "line_bpb", "eod", "exact_line", "exact_cursor")
    return {name: valid[-1][name] for name in names} if valid else {}


def score_lines(reports: Sequence[Path]) -> list[str]:
    """A table for each report of the judge."""
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


_LABELS = {
    "floor": "empty answer (the floor)",
    "raw": "uncut: the model stops by itself",
    "line": "cut after the first line end",
    "server": "cut by the server's stop rules",
}


def _score_row(score: dict[str, Any]) -> str:
    def interval(figures: dict[str, float]) -> str:
        return f"{figures['mean']:.2%} ({figures['low']:.2%} to {figures['high']:.2%})"

    passed = interval(score["pass_at"]["1"]) if score.get("pass_at") else "not run"
    similarity = score["edit_similarity"]["mean"]
    return (
        f"| {_LABELS.get(score['label'], score['label'])} | {passed} | "
        f"{interval(score['exact_match'])} | {similarity:.3f} |"
    )


def main() -> None:
    """Write the card of a bundle."""
    parser = argparse.ArgumentParser(prog="python -m model_runtime.training.card")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--log", type=Path, action="append", required=True)
    parser.add_argument("--corpus", type=Path, required=True, help="manifest.json of the corpus")
    parser.add_argument("--report", type=Path, action="append", default=[])
    parser.add_argument("--note", default="")
    given = parser.parse_args()
    write_card(given.bundle, given.log, given.corpus, given.report, given.note)


if __name__ == "__main__":
    main()
