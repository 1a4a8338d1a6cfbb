"""Asks whether more than its probability tells if a suggestion is wanted.

    python -m benchmarks.show_filter --model NAME

Two kinds of models (logistic regression, boosted trees) learn from the suggestions of the held-out
files which of them are right, and are asked about the frozen set; `recorded_keys` has recorded
both.  scikit-learn comes with the extra `eval`.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from typing import Any

from benchmarks import record
from benchmarks.recorded_keys import path_of, read
from benchmarks.where_to_end import Shown, cleaned, text_of, typed
from fim_lsp.replay import user
from model_runtime.decoding.confidence import ConfidenceCutoff
from model_runtime.store import installed
from model_runtime.syntax.brackets import scan_prefix
from model_runtime.syntax.languages import language

LEASTS = (0.1, 0.25)
"""Probabilities that a line needs to be among the suggestions."""
GROUPS: Mapping[str, int] = {
    "probability alone": 1,
    "and of its tokens, length": 8,
    "and the place": 19,
    "and what came of the last ones": 20,
}
"""Maps names to the number of leading features that are used."""


def features(shown: Shown) -> list[float]:
    """Returns what could tell whether a suggestion is wanted, its log-probability first."""
    place, line = shown.place, user.first_line(shown.text)
    tokens, at = [], 0
    for end, logprob in zip(place.ends, place.logprobs, strict=True):
        if at >= len(line):
            break
        tokens.append(logprob)
        at = end
    before = text_of(place.file)[: place.offset]
    head = before.rpartition("\n")[2]
    scanned = scan_prefix(before[-8000:], language(place.language))
    last, ends_with = before[-1:], line.strip()[-1:]
    return [
        sum(tokens),
        min(tokens, default=0.0),
        sum(tokens) / max(1, len(tokens)),
        tokens[0] if tokens else 0.0,
        math.log(1 + len(tokens)),
        math.log(1 + len(line.strip())),
        "\n" in shown.text.lstrip("\n"),
        len(shown.text) >= len(place.kept.rstrip()),
        math.log(1 + len(head.strip())),
        last.isalnum(),
        last == ".",
        last in "([{",
        last.isspace(),
        scanned.is_code,
        bool(scanned.quote),
        math.log(1 + before.count("\n")),
        ends_with.isalnum(),
        ends_with in ":;{",
        ends_with in ")]}\"'",
        min(shown.rejected, 5),
    ]


def rows(model: str, files: str, least: float) -> tuple[list[list[float]], list[bool]]:
    """Returns the features of each suggestion that comes up, and whether it was right."""
    found: list[Shown] = []
    cutoff = ConfidenceCutoff(least)
    for window in read(path_of(model, files)):
        typed(window, lambda place: cleaned(place, cutoff), found.append)
    return [features(shown) for shown in found], [shown.is_right for shown in found]


def compare(model: str, least: float) -> dict[str, Any]:
    """Returns how well each kind of model tells right from wrong on the frozen set."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss, roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    learned, wanted = rows(model, "held-out", least)
    asked, right = rows(model, "frozen", least)
    figures: dict[str, Any] = {"learned_from": len(wanted), "asked": len(right)}
    for name, number in GROUPS.items():
        kinds = {
            "logistic": make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000)),
            "trees": HistGradientBoostingClassifier(
                max_iter=60, learning_rate=0.08, max_leaf_nodes=6, min_samples_leaf=30,
                l2_regularization=1.0, random_state=0,
            ),
        }  # fmt: skip
        for kind, learner in kinds.items():
            learner.fit([row[:number] for row in learned], wanted)
            told = learner.predict_proba([row[:number] for row in asked])[:, 1]
            figures[f"{name}, {kind}"] = {
                "area_under_roc": round(float(roc_auc_score(right, told)), 3),
                "log_loss": round(float(log_loss(right, told)), 3),
            }
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default=installed.DEFAULT, metavar="NAME")
    args = parser.parse_args()
    found = {str(least): compare(args.model, least) for least in LEASTS}
    for least, figures in found.items():
        for name, value in figures.items():
            print(least, name, value)
    record.write(
        f"show_filter_{args.model}", found, f"python -m benchmarks.show_filter --model {args.model}"
    )


if __name__ == "__main__":
    main()
