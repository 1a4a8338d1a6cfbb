"""The table of the reference model's card with a model of ours beside it, as JSON and Markdown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from model_runtime.evaluation.metrics import Interval
from model_runtime.evaluation.reference_table import REFERENCE_MODELS, ROWS

PERPLEXITY, LOG_LIKELIHOOD = "perplexity", "log-likelihood"
"""Names of measures.  The harness gives each row's log-likelihood as its perplexity; that of all
rows is exp of minus the mean.
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """One measure of one task."""

    task: str
    measure: str
    value: Interval
    floor: float
    """Figure of a model that gives every byte the same probability, on the same rows."""
    rows: int


@dataclass(frozen=True, slots=True)
class HarnessReport:
    """The table of the reference model, and a model beside it."""

    model: str
    measured: tuple[Measured, ...]
    terms: Mapping[str, Any]

    def to_json(self) -> str:
        """Returns everything, for programs."""
        content = asdict(self)
        content["measured"] = [
            {**asdict(entry), "value": entry.value._asdict()} for entry in self.measured
        ]
        content["reference"] = {
            row.name: {**asdict(row), "card": dict(zip(REFERENCE_MODELS, row.card, strict=True))}
            for row in ROWS
        }
        return json.dumps(content, indent=1) + "\n"

    def to_markdown(self) -> str:
        """Returns the table and its terms, for people."""
        found = {(entry.task, entry.measure): entry for entry in self.measured}
        names = [
            "",
            *REFERENCE_MODELS,
            "chance",
            "floor",
            f"{self.model} (95 % interval)",
            "rows",
            "",
        ]
        lines = [f"# The reference table: {self.model}", ""]
        lines += [f"| {' | '.join(names)} |", f"|---|{'---:|' * 7}---|"]
        for row in ROWS:
            own = [entry for (task, _), entry in found.items() if task == row.name]
            best = [entry for entry in own if entry.measure == row.measure] or own[:1]
            shown: list[Measured | None] = [*best] or [None]
            for entry in shown:
                label = f"{row.name}, {entry.measure if entry else row.measure}"
                card = [_short(figure) for figure in row.card]
                lines.append(_line(label, card, row.chance, entry, row.note))
            for entry in own:
                if entry not in best:
                    lines.append(_line(f"{row.name}, {entry.measure}", [""] * 3, None, entry, ""))
        lines += [
            "",
            "The first three columns are the card's figures (another harness, other splits): they "
            "stand there for comparison, not to be beaten by decimals. The floor is a model that "
            "gives every byte the same probability; for infilling, the empty answer. A score whose "
            "interval reaches the floor or chance shows nothing.",
            "",
            "## Terms",
            "",
            *(f"- {name.replace('_', ' ')}: {value}" for name, value in self.terms.items()),
        ]
        return "\n".join(lines) + "\n"


def _line(
    label: str, card: Sequence[str], chance: float | None, entry: Measured | None, note: str
) -> str:
    cells = [label, *card, "" if chance is None else _short(chance)]
    if entry is None:
        cells += ["", "not run", ""]
    else:
        value = entry.value
        shown = f"{_short(value.mean)} ({_short(value.low)} to {_short(value.high)})"
        cells += [_short(entry.floor), shown, f"{entry.rows:,}"]
    return f"| {' | '.join([*cells, note])} |"


def _short(figure: float) -> str:
    if figure >= 1e5:
        return f"{figure:.2e}"
    return f"{figure:.4f}" if figure <= 1 else f"{figure:,.2f}"
