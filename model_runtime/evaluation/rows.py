"""Keeps every measure of every row of an evaluation, for paired comparisons of two models.

rows.json: {"rows": {measure: {row: [sum, weight]}}, "clusters": {row: cluster}}.  A measure is
sum(sums) / sum(weights): a mean where every weight is 1, bits per byte where it is bytes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from model_runtime.evaluation.errors import EvaluationError
from model_runtime.evaluation.metrics import Interval, cluster_ratio, paired_ratio_difference
from model_runtime.evaluation.records import write_text

FILE = "rows.json"


@dataclass(slots=True)
class MeasuredRows:
    """Measure -> row -> (sum, weight), and the cluster of each row."""

    values: dict[str, dict[str, tuple[float, float]]] = field(default_factory=dict)
    clusters: dict[str, Hashable] = field(default_factory=dict)

    def add(
        self, measure: str, row: str, value: float, *, cluster: Hashable, weight: float = 1.0
    ) -> None:
        """Notes one value."""
        self.values.setdefault(measure, {})[row] = (float(value), float(weight))
        self.clusters[row] = cluster

    def interval(self, measure: str, rows: Sequence[str] | None = None) -> Interval:
        """Returns a measure over some of its rows, or all of them."""
        values = self.values[measure]
        chosen = list(values if rows is None else rows)
        return cluster_ratio(
            [values[row][0] for row in chosen],
            [values[row][1] for row in chosen],
            [self.clusters[row] for row in chosen],
        )

    def difference(self, other: MeasuredRows, measure: str) -> Interval:
        """Returns a measure less that of another run, on the rows that both have.

        Raises:
            EvaluationError: they have none in common.
        """
        shared = self.shared_with(other, measure)
        if not shared:
            raise EvaluationError(f"the two runs have no rows of {measure!r} in common")
        ours, theirs = self.values[measure], other.values[measure]
        return paired_ratio_difference(
            [ours[row] for row in shared],
            [theirs[row] for row in shared],
            [self.clusters[row] for row in shared],
        )

    def shared_with(self, other: MeasuredRows, measure: str) -> list[str]:
        """Returns the rows of a measure that both have; none if one lacks it."""
        return sorted(self.values.get(measure, {}).keys() & other.values.get(measure, {}).keys())

    def write(self, folder: Path) -> None:
        """Writes `rows.json` into a run's folder."""
        content = {"rows": self.values, "clusters": self.clusters}
        write_text(folder / FILE, json.dumps(content) + "\n")


def pooled(runs: Sequence[MeasuredRows]) -> MeasuredRows:
    """Returns several runs of one question as one: what all of them measured, summed row by row.

    With equal weights a row's value is thus the mean over the runs, such as those of several seeds.
    """
    first, *others = runs
    found = MeasuredRows(clusters=dict(first.clusters))
    for measure, rows in first.values.items():
        for row in rows:
            pairs = [run.values.get(measure, {}).get(row) for run in runs]
            known = [pair for pair in pairs if pair is not None]
            if len(known) == 1 + len(others):
                found.add(
                    measure,
                    row,
                    math.fsum(value for value, _ in known),
                    cluster=first.clusters[row],
                    weight=math.fsum(weight for _, weight in known),
                )
    return found


def read_rows(folder: Path) -> MeasuredRows:
    """Returns the rows in a run's folder.

    Raises:
        EvaluationError: there are none, or they are damaged.
    """
    path = folder / FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        values = {
            measure: {row: (float(pair[0]), float(pair[1])) for row, pair in rows.items()}
            for measure, rows in content["rows"].items()
        }
        clusters: Mapping[str, Hashable] = content["clusters"]
    except OSError as error:
        raise EvaluationError(
            f"{path} cannot be read ({error.strerror}); give the folder of an evaluation that ended"
        ) from error
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise EvaluationError(f"{path} is damaged; run the evaluation again") from error
    return MeasuredRows(values, dict(clusters))
