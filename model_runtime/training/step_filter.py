"""Skips steps whose loss or gradient is not finite or leaps out of the curve.

Every process sees the same numbers, so every process decides alike.
"""

from __future__ import annotations

import math
import statistics
from collections import deque

from model_runtime.errors import ModelRuntimeError

WINDOW = 128
MIN_SAMPLES = 32
"""Number of steps before their spread says anything."""


class TrainingDiverged(ModelRuntimeError):
    """Many steps in a row were skipped."""


class StepFilter:
    """Remembers the losses and gradient norms of the last steps that were taken.

    Args:
        sigmas: a step is skipped from so many standard deviations above the mean; 0 skips only
            what is not finite.
        max_skipped_steps: number of skipped steps in a row that ends the run.
    """

    def __init__(self, sigmas: float, max_skipped_steps: int) -> None:
        self.sigmas, self.max_skipped_steps = sigmas, max_skipped_steps
        self.losses: deque[float] = deque(maxlen=WINDOW)
        self.norms: deque[float] = deque(maxlen=WINDOW)
        self.skipped = 0
        """Number of steps skipped in the whole run."""
        self.in_a_row = 0

    def reason_to_skip(self, loss: float, norm: float) -> str | None:
        """Returns why the step must be skipped; None if it may be taken.

        Raises:
            TrainingDiverged: this is one skipped step in a row too many.
        """
        reason = self._reason(loss, norm)
        if reason is None:
            self.losses.append(loss)
            self.norms.append(norm)
            self.in_a_row = 0
            return None
        self.skipped += 1
        self.in_a_row += 1
        if self.in_a_row >= self.max_skipped_steps:
            raise TrainingDiverged(
                f"{self.in_a_row} steps in a row were skipped, the last one because {reason}; "
                "the checkpoints hold good weights: look at the data of these steps, or begin a "
                "new run with a lower learning_rate"
            )
        return reason

    def _reason(self, loss: float, norm: float) -> str | None:
        if not math.isfinite(loss):
            return f"the loss is {loss}"
        if not math.isfinite(norm):
            return f"the gradient's norm is {norm}"
        for name, value, past in (
            ("loss", loss, self.losses),
            ("gradient's norm", norm, self.norms),
        ):
            if self.sigmas and len(past) >= MIN_SAMPLES:
                limit = statistics.fmean(past) + self.sigmas * statistics.pstdev(past)
                if value > limit:
                    return f"the {name} is {value:.4g}, above {limit:.4g}"
        return None

    def state(self) -> dict[str, list[float] | int]:
        """Returns the state for a checkpoint, as JSON values."""
        return {
            "losses": list(self.losses),
            "norms": list(self.norms),
            "skipped": self.skipped,
            "in_a_row": self.in_a_row,
        }

    def restore(self, state: dict[str, list[float] | int]) -> None:
        """Takes over a state that `state` returned."""
        losses, norms = state["losses"], state["norms"]
        skipped, in_a_row = state["skipped"], state["in_a_row"]
        assert isinstance(losses, list) and isinstance(norms, list)
        assert isinstance(skipped, int) and isinstance(in_a_row, int)
        self.losses.extend(losses)
        self.norms.extend(norms)
        self.skipped, self.in_a_row = skipped, in_a_row
