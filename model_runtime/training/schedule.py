"""The learning rate over a run: warm-up, stable, decay (WSD)."""

from __future__ import annotations


def rate_factor(progress: float, warm_up: float, decay: float) -> float:
    """Share of the highest rate at `progress` of the run, each a share from 0 to 1.

    Linear from 0 over `warm_up`, then 1, then linear to 0 over the last `decay`.

    >>> [rate_factor(p, warm_up=0.1, decay=0.4) for p in (0.05, 0.3, 0.8, 1.0)]
    [0.5, 1.0, 0.5, 0.0]
    """
    rising = progress / warm_up if warm_up else 1.0
    falling = (1.0 - progress) / decay if decay else 1.0
    return round(max(0.0, min(1.0, rising, falling)), 9)
