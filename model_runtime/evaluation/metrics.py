"""Computes the figures of an evaluation and how sure they are; numpy only, no model, no files.

Rows of one problem are not independent (a thousand single-line tasks come from 164 problems), so
every interval here resamples problems, not rows: Miller 2024, arXiv:2411.00640, section 2.2.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

BOOTSTRAP_DRAWS = 10_000
_DRAWS_AT_ONCE = 250  # x clusters x 8 bytes


class Interval(NamedTuple):
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float


def pass_at_k(samples: int, passed: int, k: int) -> float:
    """Returns the probability that one of `k` samples passes: the unbiased estimate from `samples`
    >= k.

    1 - C(n - c, k) / C(n, k): Chen et al. 2021, arXiv:2107.03374, equation 1.

    >>> round(pass_at_k(samples=10, passed=3, k=5), 6)
    0.916667

    Raises:
        ValueError: fewer than `k` samples, or counts that cannot be.
    """
    if not 0 <= passed <= samples:
        raise ValueError(f"{passed} of {samples} samples cannot have passed")
    if not 1 <= k <= samples:
        raise ValueError(f"pass@{k} needs at least {k} samples of every task; there are {samples}")
    return 1.0 - math.comb(samples - passed, k) / math.comb(samples, k)


def cluster_bootstrap(
    values: Sequence[float],
    clusters: Sequence[Hashable],
    *,
    draws: int = BOOTSTRAP_DRAWS,
    seed: int = 0,
) -> Interval:
    """Returns the mean of `values` and its percentile interval, drawing whole clusters with
    replacement.

    Args:
        values: one per row.
        clusters: the cluster of each row, such as the problem's number.
        draws: number of resamples, each of as many clusters as there are.
        seed: the same seed gives the same interval.

    Raises:
        ValueError: no rows, or not one cluster for each.
    """
    return cluster_ratio(values, [1.0] * len(values), clusters, draws=draws, seed=seed)


def cluster_ratio(
    sums: Sequence[float],
    weights: Sequence[float],
    clusters: Sequence[Hashable],
    *,
    draws: int = BOOTSTRAP_DRAWS,
    seed: int = 0,
) -> Interval:
    """Returns `sum(sums) / sum(weights)` with its percentile interval, as `cluster_bootstrap` does.

    Bits per byte is such a ratio: a long text counts more than a short one.

    >>> cluster_ratio([8.0, 2.0], [1.0, 4.0], ["a", "b"]).mean
    2.0
    """
    if not sums or not len(sums) == len(weights) == len(clusters):
        raise ValueError(f"{len(sums)} values in {len(clusters)} clusters have no mean")
    numbers = _numbers(clusters)
    by_cluster = (_totals(sums, numbers), _totals(weights, numbers))
    ratios = np.concatenate(_resampled_ratios(*by_cluster, draws, seed))
    return _interval(by_cluster[0].sum() / by_cluster[1].sum(), ratios)


def paired_ratio_difference(
    ours: Sequence[tuple[float, float]],
    theirs: Sequence[tuple[float, float]],
    clusters: Sequence[Hashable],
    *,
    draws: int = BOOTSTRAP_DRAWS,
    seed: int = 0,
) -> Interval:
    """Returns the ratio of `ours` less that of `theirs`, both from the same draws of clusters.

    Args:
        ours, theirs: (sum, weight) of the same rows in the same order; weight 1 gives means.
        clusters: the cluster of each row.

    Raises:
        ValueError: no rows, or not the same number everywhere.
    """
    if not ours or not len(ours) == len(theirs) == len(clusters):
        raise ValueError(f"{len(ours)} and {len(theirs)} rows cannot be paired")
    numbers = _numbers(clusters)
    means, samples = [], []
    for side in (ours, theirs):
        sums, weights = (_totals([row[part] for row in side], numbers) for part in (0, 1))
        means.append(sums.sum() / weights.sum())
        samples.append(np.concatenate(_resampled_ratios(sums, weights, draws, seed)))
    return _interval(means[0] - means[1], samples[0] - samples[1])


def paired_difference(
    ours: Mapping[str, float],
    theirs: Mapping[str, float],
    clusters: Mapping[str, Hashable],
    *,
    draws: int = BOOTSTRAP_DRAWS,
    seed: int = 0,
) -> Interval:
    """Returns the mean of `ours - theirs` over the same tasks; an interval without zero is a
    difference.

    Args:
        ours, theirs: task -> score.
        clusters: task -> problem.

    Raises:
        ValueError: the two sides did not attempt the same tasks.
    """
    if ours.keys() != theirs.keys():
        only_one = sorted(ours.keys() ^ theirs.keys())
        raise ValueError(f"{len(only_one)} tasks are in one of the two only, such as {only_one[0]}")
    tasks = sorted(ours)
    differences = [ours[task] - theirs[task] for task in tasks]
    return cluster_bootstrap(
        differences, [clusters[task] for task in tasks], draws=draws, seed=seed
    )


def wilson(successes: int, trials: int) -> Interval:
    """Returns the interval of a proportion of independent trials (Wilson 1927), unlike our rows."""
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials} is not a proportion")
    z = 1.959963984540054  # 97.5 % of the normal distribution
    share = successes / trials
    center = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    spread = math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    half = z * spread / (1 + z * z / trials)
    return Interval(share, max(0.0, center - half), min(1.0, center + half))


def is_exact_match(text: str, reference: str) -> bool:
    """Tells whether two texts are equal but for white space at both ends."""
    return text.strip() == reference.strip()


def edit_similarity(text: str, reference: str) -> float:
    """Returns 1 - Levenshtein distance / length of the longer text; outer white space is ignored.

    >>> edit_similarity("return x", "return y")
    0.875
    """
    text, reference = text.strip(), reference.strip()
    longer = max(len(text), len(reference))
    return 1.0 - _levenshtein(text, reference) / longer if longer else 1.0


def _numbers(clusters: Sequence[Hashable]) -> npt.NDArray[np.intp]:
    """Returns each row's cluster as a number from 0."""
    number_of = {cluster: number for number, cluster in enumerate(dict.fromkeys(clusters))}
    return np.array([number_of[cluster] for cluster in clusters])


def _totals(values: Sequence[float], numbers: npt.NDArray[np.intp]) -> Floats:
    return np.bincount(numbers, weights=np.asarray(values, np.float64)).astype(np.float64)


def _interval(mean: float, resampled: Floats) -> Interval:
    low, high = np.quantile(resampled, (0.025, 0.975))
    return Interval(float(mean), float(low), float(high))


def _resampled_ratios(sums: Floats, sizes: Floats, draws: int, seed: int) -> list[Floats]:
    """Returns the ratios of `draws` resamples of as many clusters as there are.

    Drawing places is several times quicker than drawing how often each cluster comes, most of all
    where every row is a cluster of its own.
    """
    generator = np.random.default_rng(seed)
    clusters = len(sums)
    ratios = []
    for start in range(0, draws, _DRAWS_AT_ONCE):
        size = (min(_DRAWS_AT_ONCE, draws - start), clusters)
        drawn = generator.integers(clusters, size=size)
        ratios.append(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
    return ratios


def _levenshtein(text: str, reference: str) -> int:
    """Returns the edit distance; each row is one numpy step, so a thousand characters take
    milliseconds.
    """
    if not text or not reference:
        return len(text) or len(reference)
    columns = np.array([ord(character) for character in reference])
    places = np.arange(len(reference) + 1)
    row = places.copy()
    for number, character in enumerate(text, 1):
        best = np.empty_like(row)
        best[0] = number
        np.minimum(row[1:] + 1, row[:-1] + (columns != ord(character)), out=best[1:])
        # Insertions run along the row: the cheapest start to the left, plus the way from it.
        row = np.minimum.accumulate(best - places) + places
    return int(row[-1])
