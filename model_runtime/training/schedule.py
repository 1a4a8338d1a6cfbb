"""Schedules a run: the learning rate, and whatever is done every so often."""

from __future__ import annotations

import math

from model_runtime.training.checkpoint import RunProgress
from model_runtime.training.recipe import OptimizerRecipe


def rate_factor(progress: float, recipe: OptimizerRecipe) -> float:
    """Returns the share of the highest rate at `progress` of the run, each a share from 0 to 1.

    Both schedules rise linearly from 0 over `warmup` and end at `min_rate`: `wsd` linearly, over
    the last `decay` of the run; `cosine` over all that follows the warmup.

    >>> wsd = OptimizerRecipe(warmup=0.1, decay=0.4)
    >>> [rate_factor(p, wsd) for p in (0.05, 0.3, 0.8, 1.0)]
    [0.5, 1.0, 0.5, 0.0]
    >>> cosine = OptimizerRecipe(schedule="cosine", warmup=0.0, min_rate=0.1)
    >>> [rate_factor(p, cosine) for p in (0.0, 0.5, 1.0)]
    [1.0, 0.55, 0.1]
    """
    progress = min(1.0, progress)
    rising = progress / recipe.warmup if recipe.warmup else 1.0
    if rising < 1.0:
        return round(rising, 9)
    if recipe.schedule == "cosine":
        after = (progress - recipe.warmup) / (1.0 - recipe.warmup)
        high = (1.0 + math.cos(math.pi * after)) / 2
    else:
        high = min(1.0, (1.0 - progress) / recipe.decay) if recipe.decay else 1.0
    return round(recipe.min_rate + (1.0 - recipe.min_rate) * high, 9)


class Due:
    """Tells when so many seconds have passed, or so many steps unless that is 0."""

    def __init__(self, seconds: float, steps: int, progress: RunProgress) -> None:
        self.seconds, self.steps, self._last = seconds, steps, progress.seconds

    def now(self, progress: RunProgress) -> bool:
        """Tells whether it is time; every process comes to the same answer."""
        by_step = bool(self.steps) and progress.step % self.steps == 0
        if by_step or progress.seconds - self._last >= self.seconds:
            self._last = progress.seconds
            return True
        return False
