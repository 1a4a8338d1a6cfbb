"""Writes the card of a bundle that was trained in several runs, with their loss curve.

python -m model_runtime.training.bundle_card BUNDLE --log LOG --corpus MANIFEST --report REPORT
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from model_runtime.evaluation.plots import draw_consecutive_runs
from model_runtime.evaluation.training_curve import read_consecutive_runs
from model_runtime.models.bundle import ModelBundle
from model_runtime.training.model_card import ModelFacts, card_of, last_validation
from model_runtime.training.network import Shape

CARD, CURVE = "MODEL_CARD.md", "loss_curve.svg"


def write_card(
    bundle_path: Path,
    logs: Sequence[Path],
    corpus: Path,
    reports: Sequence[Path],
    note: str = "",
) -> None:
    """Writes MODEL_CARD.md, the loss curve and the list of sources into a bundle's folder.

    Args:
        bundle_path: a bundle.
        logs: training_log.jsonl of each run, in the order in which they followed.
        corpus: manifest.json of the corpus; licences.tsv beside it is taken along.
        reports: report.json files of evaluations.
        note: a paragraph for people, behind the first one.

    Raises:
        EvaluationError: matplotlib is not installed, or the logs hold no figure.
    """
    bundle = ModelBundle.open(bundle_path)
    manifest = bundle.manifest
    runs = read_consecutive_runs(logs)
    draw_consecutive_runs(runs, bundle_path / CURVE, manifest.name)
    shutil.copyfile(corpus.with_name("licences.tsv"), bundle_path / "licences.tsv")
    decoder = manifest.decoder
    shape = Shape(
        layers=decoder.layers,
        width=decoder.hidden,
        heads=decoder.heads,
        vocabulary=decoder.vocab,
        context=manifest.context_length,
        positions=decoder.position_kind,
        tied=decoder.tied,
    )
    ids = {"end": manifest.prompt.end, **manifest.prompt.roles}
    ends = [f"{end / 1e6:.1f}" for end in runs.ends]
    weights = (
        f"The weights are stored as {manifest.weights.dtype}, {manifest.weights.size / 1e6:.1f} MB."
    )
    facts = ModelFacts(
        name=manifest.name,
        parameters=f"{manifest.parameters:,} parameters",
        shape=shape,
        prompt=manifest.prompt,
        tokens={role: bundle.tokenizer.token_of(id_) for role, id_ in ids.items()},
        ids=ids,
        corpus=corpus.parent,
        training=[
            f"{ends[-1]} M tokens in {len(logs)} run(s) that followed each other "
            f"({', '.join(ends)} M at their ends). The recipe of the last one is in "
            "`model_runtime/recipes`; `docs/training.md` says how to repeat it.",
            "",
            f"![bits per byte against tokens]({CURVE})",
        ],
        held_out=last_validation(logs[-1]),
        reports=reports,
        languages=manifest.languages,
        notes=[weights, *([note] if note else [])],
    )
    (bundle_path / CARD).write_text(card_of(facts), encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the arguments and writes the card of a bundle."""
    parser = argparse.ArgumentParser(prog="python -m model_runtime.training.bundle_card")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--log", type=Path, action="append", required=True)
    parser.add_argument("--corpus", type=Path, required=True, help="manifest.json of the corpus")
    parser.add_argument("--report", type=Path, action="append", default=[])
    parser.add_argument("--note", default="")
    given = parser.parse_args(arguments)
    write_card(given.bundle, given.log, given.corpus, given.report, given.note)


if __name__ == "__main__":
    main()
