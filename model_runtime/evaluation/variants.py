"""Sets the variants of an ablation beside each other, and beside the reference model's table.

A value is the mean over a variant's seeds.  Its interval resamples problems, so it says how sure
the figure is for these weights; the seeds' own figures say how much the seed matters.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import exp
from typing import Any

from model_runtime.evaluation.harness_report import LOG_LIKELIHOOD, PERPLEXITY
from model_runtime.evaluation.metrics import Interval
from model_runtime.evaluation.reference_table import INFILLING, REFERENCE_MODELS, ROWS, ReferenceRow
from model_runtime.evaluation.rows import MeasuredRows, pooled

_UNCUT = ", raw"


@dataclass(frozen=True, slots=True)
class TrainedRun:
    """One variant trained with one seed."""

    seed: int
    rows: MeasuredRows
    """Rows of all its evaluations."""
    floors: Mapping[str, float]
    """Measure -> the figure of a model that knows nothing, on the same rows."""
    held_out: Mapping[str, float]
    """Figures of the last validation of its training."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One recipe, with a run for each seed."""

    label: str
    runs: tuple[TrainedRun, ...]

    @property
    def rows(self) -> MeasuredRows:
        """Rows of all seeds together."""
        return pooled([run.rows for run in self.runs])


@dataclass(frozen=True, slots=True)
class MeasureComparison:
    """One measure of every variant."""

    measure: str
    values: Mapping[str, Interval]
    """Variant -> the mean over its seeds; perplexities as such."""
    seeds: Mapping[str, tuple[float, ...]]
    """Variant -> the figure of each seed."""
    differences: Mapping[str, Interval]
    """Variant but the first -> its difference from the first one, on the same rows and seeds."""
    seed_differences: Mapping[str, tuple[float, ...]]
    floor: float | None = None


@dataclass(frozen=True, slots=True)
class AblationReport:
    """The result of an ablation, to be kept as JSON and read as Markdown."""

    variants: tuple[str, ...]
    lines: tuple[MeasureComparison, ...]
    held_out: Mapping[str, Mapping[str, tuple[float, ...]]]
    """Figure on held-out packages -> variant -> the figure of each seed."""
    terms: Mapping[str, Any]
    picture: str = ""
    """Name of a file beside the report."""
    warnings: tuple[str, ...] = field(default=())

    def to_json(self) -> str:
        """Returns everything, for programs; intervals are objects with mean, low and high."""
        content = {
            "variants": self.variants,
            "measures": {
                line.measure: {
                    "floor": line.floor,
                    "values": _plain(line.values),
                    "seeds": line.seeds,
                    "differences": {
                        variant: d._asdict() for variant, d in line.differences.items()
                    },
                    "seed_differences": line.seed_differences,
                }
                for line in self.lines
            },
            "held_out": self.held_out,
            "card": {row.name: dict(zip(REFERENCE_MODELS, row.card, strict=True)) for row in ROWS},
            "terms": self.terms,
            "warnings": self.warnings,
        }
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"

    def to_markdown(self) -> str:
        """Returns the reference table with the variants beside it, and their differences."""
        base, *others = self.variants
        lines = [f"# Ablation: {', '.join(self.variants)}", ""]
        lines += [f"> **{warning}**" for warning in self.warnings] + [""] * bool(self.warnings)
        lines += ["## The reference table", "", *self._reference_table(), ""]
        lines += [
            "The first three columns are the card's (another harness, other splits, 1.3 B weights):"
            " variants compare with each other, not with them. Ours are means over the seeds with "
            "95 % intervals that resample problems. The floor is the empty answer, or a model that"
            " gives every byte the same probability.",
            "",
        ]
        if self.picture:
            lines += [f"![loss, bits per byte and pass@k against tokens]({self.picture})", ""]
        if others:
            lines += [f"## Paired differences from {base}", "", *self._differences(others), ""]
            lines += [
                "Of the same rows and seeds; a star: the interval leaves out zero. Behind it stands"
                " for how many seeds the difference has the sign of the mean.",
                "",
            ]
        lines += ["## Every measure, seed by seed", "", *self._by_seed(), ""]
        lines += ["## Terms", ""]
        lines += [f"- {name.replace('_', ' ')}: {value}" for name, value in self.terms.items()]
        return "\n".join(lines) + "\n"

    def _reference_table(self) -> list[str]:
        names = ["", *REFERENCE_MODELS, "chance", "floor", *self.variants, ""]
        found = {line.measure: line for line in self.lines}
        rows = []
        for row in ROWS:
            for number, measure in enumerate(_measures(row, found)):
                line = found.get(measure)
                card = [figure_of(figure) for figure in row.card] if number == 0 else [""] * 3
                chance = "" if row.chance is None or number else figure_of(row.chance)
                floor = "" if line is None or line.floor is None else figure_of(line.floor)
                cells = [
                    _interval(line.values[variant])
                    if line and variant in line.values
                    else "not run"
                    for variant in self.variants
                ]
                note = row.note if number == 0 else ""
                label = measure
                if row.name == INFILLING:
                    label = f"{row.name}, {measure.removesuffix(_UNCUT)}"
                rows.append([label, *card, chance, floor, *cells, note])
        return _table(names, rows, last_is_text=True)

    def _differences(self, others: Sequence[str]) -> list[str]:
        rows = []
        for line in self.lines:
            cells = []
            for variant in others:
                found = line.differences[variant]
                star = "" if found.low <= 0.0 <= found.high else " *"
                agree = sum(d * found.mean > 0 for d in line.seed_differences[variant])
                cells.append(
                    f"{_signed(found)}{star} {agree}/{len(line.seed_differences[variant])}"
                )
            rows.append([_as_difference(line.measure), *cells])
        return _table(
            ["measure", *(f"{variant} less {self.variants[0]}" for variant in others)], rows
        )

    def _by_seed(self) -> list[str]:
        rows = [
            [
                line.measure,
                *(
                    ", ".join(map(figure_of, line.seeds.get(variant, ())))
                    for variant in self.variants
                ),
            ]
            for line in self.lines
        ]
        for name, figures in self.held_out.items():
            told = [
                ", ".join(map(figure_of, figures.get(variant, ()))) for variant in self.variants
            ]
            rows.append([f"held-out packages, {name}", *told])
        return _table(["measure", *self.variants], rows)


def compare_variants(variants: Sequence[Variant]) -> tuple[MeasureComparison, ...]:
    """Compares every measure that all runs of all variants have, in the order of the first one."""
    if not variants:
        return ()
    everyone = [run.rows.values.keys() for variant in variants for run in variant.runs]
    measures = [measure for measure in everyone[0] if all(measure in keys for keys in everyone)]
    together = {variant.label: variant.rows for variant in variants}
    base = variants[0]
    lines = []
    for measure in measures:
        if measure.endswith(", floor"):
            continue
        shown, show = _as_value(measure)
        floors = [
            run.floors[shown] for variant in variants for run in variant.runs if shown in run.floors
        ]
        lines.append(
            MeasureComparison(
                shown,
                values={label: show(rows.interval(measure)) for label, rows in together.items()},
                seeds={
                    variant.label: tuple(
                        show(_mean(run.rows, measure)).mean for run in variant.runs
                    )
                    for variant in variants
                },
                differences={
                    variant.label: together[variant.label].difference(together[base.label], measure)
                    for variant in variants[1:]
                },
                seed_differences={
                    variant.label: tuple(
                        _mean(ours.rows, measure).mean - _mean(theirs.rows, measure).mean
                        for ours, theirs in zip(variant.runs, base.runs, strict=True)
                    )
                    for variant in variants[1:]
                },
                floor=floors[0] if floors else None,
            )
        )
    return tuple(lines)


def figure_of(figure: float) -> str:
    """Returns a figure with four digits, fewer where it is large."""
    if abs(figure) >= 1e5:
        return f"{figure:.2e}"
    return f"{figure:.4f}" if abs(figure) < 10 else f"{figure:,.2f}"


def _measures(row: ReferenceRow, found: Mapping[str, MeasureComparison]) -> list[str]:
    """Returns our measures that belong beside a row of the card, its own first; one at least."""
    if row.name != INFILLING:
        own = [name for name in found if name.startswith(f"{row.name}, ")]
        first = f"{row.name}, {row.measure}"
    else:
        own = [name for name in found if name.startswith("pass@") and name.endswith(_UNCUT)]
        first = f"{row.measure}{_UNCUT}"
    return [first, *(name for name in own if name != first)]


def _mean(rows: MeasuredRows, measure: str) -> Interval:
    """Returns a mean without its interval, which takes a thousand times longer."""
    pairs = rows.values[measure].values()
    mean = sum(value for value, _ in pairs) / sum(weight for _, weight in pairs)
    return Interval(mean, mean, mean)


def _as_value(measure: str) -> tuple[str, Any]:
    """Returns the name and the transform under which a measure's rows are shown."""
    if measure.endswith(LOG_LIKELIHOOD):
        return measure.replace(LOG_LIKELIHOOD, PERPLEXITY), _perplexity
    return measure, lambda found: found


def _as_difference(measure: str) -> str:
    """Returns the name of a difference: one of perplexities is one of log-likelihoods, in nats a
    row.
    """
    return measure.replace(PERPLEXITY, LOG_LIKELIHOOD)


def _perplexity(found: Interval) -> Interval:
    mean, high, low = (exp(min(700.0, -part)) for part in found)
    return Interval(mean, low, high)


def _plain(intervals: Mapping[str, Interval]) -> dict[str, dict[str, float]]:
    return {name: interval._asdict() for name, interval in intervals.items()}


def _interval(found: Interval) -> str:
    return f"{figure_of(found.mean)} ({figure_of(found.low)} to {figure_of(found.high)})"


def _signed(found: Interval) -> str:
    mean, low, high = (f"{part:+.4f}" for part in found)
    return f"{mean} ({low} to {high})"


def _table(
    names: Sequence[str], rows: Sequence[Sequence[str]], *, last_is_text: bool = False
) -> list[str]:
    ruler = ["---", *["---:"] * (len(names) - 1)]
    if last_is_text:
        ruler[-1] = "---"
    return [f"| {' | '.join(row)} |" for row in (names, ruler, *rows)]
