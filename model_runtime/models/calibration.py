"""The calibration of a model: the confidence threshold at each value of the setting `eagerness`.

A model that is right as often as it is sure needs no table but the general one.  Small models are
surer than they should be, each in its own way; so replay measures at which probability how much of
what is shown is right, and the manifest keeps the answer:

    {"points": [{"eagerness": 0.5, "probability": 0.6, "acceptance": 0.2}, ...], "measured": "...",
     "languages": {"go": [{"eagerness": 0.5, "probability": 0.9, "acceptance": 0.1}, ...]}}

A language that was measured by itself has points of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class CalibrationPoint:
    """The threshold at one value of `eagerness`, and what it was measured to bring."""

    eagerness: float
    """Value of the setting, 0 to 1."""
    probability: float
    """Probability that the model must give to a suggestion's first line; above 0, at most 1."""
    acceptance: float
    """Share of what is shown at this setting that is right, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Points in the order of `eagerness`; between them all is interpolated.

    Raises:
        ValueError: the points are not in order; the message says what is wrong.
    """

    points: tuple[CalibrationPoint, ...]
    measured: str = ""
    """Data and date of the measurement, in words."""
    languages: Mapping[str, tuple[CalibrationPoint, ...]] = field(default_factory=dict)
    """Points of single languages, by LSP's id."""

    def __post_init__(self) -> None:
        for points in (self.points, *self.languages.values()):
            self._check(points)

    @staticmethod
    def _check(points: Sequence[CalibrationPoint]) -> None:
        if len(points) < 2 or points[0].eagerness != 0 or points[-1].eagerness != 1:
            raise ValueError("points must go from eagerness 0 to eagerness 1")
        if any(one.eagerness >= other.eagerness for one, other in pairwise(points)):
            raise ValueError("the eagerness of the points must rise")
        if any(one.probability < other.probability for one, other in pairwise(points)):
            raise ValueError("a higher eagerness cannot ask for a higher probability")
        if not all(0 < point.probability <= 1 and 0 <= point.acceptance <= 1 for point in points):
            raise ValueError("a probability must be above 0 and at most 1, an acceptance 0 to 1")

    def for_language(self, language_id: str) -> Calibration:
        """Returns the calibration of one language: its own, or the general one."""
        points = self.languages.get(language_id)
        return self if points is None else Calibration(points, self.measured)

    def least_probability(self, eagerness: float) -> float:
        """Returns the probability of its first line below which nothing is shown unasked.

        It is interpolated in the logarithm, in which users feel it.
        """
        low, high, part = self._around(eagerness)
        return float(low.probability * (high.probability / low.probability) ** part)

    def acceptance(self, eagerness: float) -> float:
        """Returns the share of what is shown that is expected to be right."""
        low, high, part = self._around(eagerness)
        return low.acceptance + (high.acceptance - low.acceptance) * part

    def eagerness_for(self, probability: float) -> float | None:
        """Returns the lowest setting, to a hundredth, that shows this probability, or None."""
        steps = (step / 100 for step in range(101))
        return next((one for one in steps if self.least_probability(one) <= probability), None)

    def _around(self, eagerness: float) -> tuple[CalibrationPoint, CalibrationPoint, float]:
        """Returns the points before and behind a setting, and its place between them, 0 to 1."""
        place = min(max(eagerness, 0.0), 1.0)
        low, high = next(pair for pair in pairwise(self.points) if place <= pair[1].eagerness)
        return low, high, (place - low.eagerness) / (high.eagerness - low.eagerness)


def table(rows: Sequence[tuple[float, float, float]], measured: str = "") -> Calibration:
    """Returns a calibration of rows (eagerness, probability, acceptance)."""
    return Calibration(tuple(CalibrationPoint(*row) for row in rows), measured)


MIN_ACCEPTANCE = 0.25
"""Share that must be right at the default eagerness for a model to show anything unasked."""

UNCALIBRATED = table(
    [(0, 0.8, 0.8), (0.25, 0.5, 0.5), (0.5, 0.25, 0.25), (0.75, 0.08, 0.08), (1, 0.02, 0.02)],
    "assumed: a model that is right as often as it is sure",
)
"""The calibration of models that were never measured: nearly certain, one in four, one in fifty."""
