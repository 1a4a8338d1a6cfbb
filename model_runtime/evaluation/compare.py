"""Compares evaluations by paired differences on the rows that they share.

Two intervals that overlap say little; the same holes filled by both models say more (Miller 2024,
arXiv:2411.00640, section 4).  Differences are those of the later runs from the first one, and their
intervals resample problems.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from model_runtime.evaluation.errors import EvaluationError
from model_runtime.evaluation.metrics import Interval
from model_runtime.evaluation.rows import MeasuredRows, read_rows

_EXPECTED_TO_DIFFER = (
    "model",
    "weights_sha256",
    "parameters",
    "tokens_seen",
    "batch",
    "fim_lsp",
    "machine",
    "date",
    "rows",
    "problems",
    "limit",
    "isolation",
)
"""Terms of a report that do not make two runs different questions."""
_FLOOR = ", floor"


@dataclass(frozen=True, slots=True)
class EvaluatedRun:
    """An evaluation that ended, as its folder keeps it."""

    label: str
    path: Path
    rows: MeasuredRows
    terms: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """One measure of one run, less that of the first run."""

    measure: str
    run: str
    base: Interval
    """Value of the first run, on the rows that both have."""
    value: Interval
    difference: Interval
    rows: int

    @property
    def is_sure(self) -> bool:
        """Whether the interval leaves out zero."""
        return not self.difference.low <= 0.0 <= self.difference.high


@dataclass(frozen=True, slots=True)
class Comparison:
    """All differences from the first of several runs."""

    runs: tuple[EvaluatedRun, ...]
    differences: tuple[Difference, ...]
    warnings: tuple[str, ...]

    def to_json(self) -> str:
        """Returns everything, for programs; intervals are objects with mean, low and high."""
        content = {
            "base": self.runs[0].label,
            "runs": [
                {"label": run.label, "path": str(run.path), "terms": dict(run.terms)}
                for run in self.runs
            ],
            "differences": [
                {
                    **asdict(entry),
                    **{
                        name: getattr(entry, name)._asdict()
                        for name in ("base", "value", "difference")
                    },
                    "is_sure": entry.is_sure,
                }
                for entry in self.differences
            ],
            "warnings": list(self.warnings),
        }
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def read_run(path: Path) -> EvaluatedRun:
    """Returns the evaluation in a folder, or beside a file in it such as its `report.json`.

    Raises:
        EvaluationError: there is no evaluation that ended.
    """
    folder = path.parent if path.suffix == ".json" else path
    rows = read_rows(folder)
    report = folder / "report.json"
    try:
        content = json.loads(report.read_text(encoding="utf-8"))
        return EvaluatedRun(str(content["model"]), folder, rows, dict(content["terms"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EvaluationError(f"{report} is not the report of an evaluation ({error})") from error


def compare(paths: Sequence[Path], measures: Sequence[str] = ()) -> Comparison:
    """Compares evaluations with the first one.

    Args:
        paths: folders of runs of the same benchmark.
        measures: only those whose name contains one of these; none means all but the floor's.

    Raises:
        EvaluationError: fewer than two, one cannot be read, or two have no row in common.
    """
    if len(paths) < 2:
        raise EvaluationError("a comparison needs the folders of two evaluations or more")
    runs = _labelled([read_run(path) for path in paths])
    base = runs[0]
    found = [
        difference
        for measure in base.rows.values
        if not measure.endswith(_FLOOR)
        and (not measures or any(part in measure for part in measures))
        for other in runs[1:]
        if (difference := difference_of(base, other, measure)) is not None
    ]
    for run in runs[1:]:
        if not any(entry.run == run.label for entry in found):
            known = ", ".join(name for name in base.rows.values if not name.endswith(_FLOOR))
            raise EvaluationError(
                f"{base.path} and {run.path} have no rows in common"
                + (f" for {' or '.join(measures)}; {base.path} has {known}" if measures else "")
            )
    warnings = [warning for run in runs[1:] if (warning := _other_terms(base, run))]
    return Comparison(tuple(runs), tuple(found), tuple(warnings))


def difference_of(base: EvaluatedRun, other: EvaluatedRun, measure: str) -> Difference | None:
    """Returns the difference in one measure; None where the two runs share no row of it."""
    shared = other.rows.shared_with(base.rows, measure)
    if not shared:
        return None
    return Difference(
        measure,
        other.label,
        base=base.rows.interval(measure, shared),
        value=other.rows.interval(measure, shared),
        difference=other.rows.difference(base.rows, measure),
        rows=len(shared),
    )


def _labelled(runs: Sequence[EvaluatedRun]) -> list[EvaluatedRun]:
    """Returns the runs with the folder's name behind a model that comes twice."""
    names = [run.label for run in runs]
    labels: list[str] = []
    for run in runs:
        label = run.label if names.count(run.label) == 1 else f"{run.label} ({run.path.name})"
        labels.append(label if label not in labels else f"{run.label} ({run.path})")
    return [
        EvaluatedRun(label, run.path, run.rows, run.terms)
        for label, run in zip(labels, runs, strict=True)
    ]


def _other_terms(base: EvaluatedRun, other: EvaluatedRun) -> str:
    """Says which terms make the two different questions; empty if none does."""
    names = [
        name
        for name in sorted(base.terms.keys() | other.terms.keys())
        if name not in _EXPECTED_TO_DIFFER and base.terms.get(name) != other.terms.get(name)
    ]
    if not names:
        return ""
    told = ", ".join(f"{name} {base.terms.get(name)} and {other.terms.get(name)}" for name in names)
    return f"{base.label} and {other.label} were measured on other terms: {told}"
