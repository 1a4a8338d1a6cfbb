"""Measures how much is right of what a model shows, and from that makes the table of its dial.

The files are replayed once for each of a series of probabilities from which on a suggestion is
shown.  A setting of the dial stands for a share of right suggestions, and gets the smallest
probability that reaches it: so 0.5 means the same for every model, one in four.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from fim_lsp.replay import session
from fim_lsp.replay.figures import Figures
from fim_lsp.replay.script import Script
from fim_lsp.replay.typist import Manner
from model_runtime import catalogue
from model_runtime.bundle import MANIFEST, TOKENIZER, WEIGHTS, ModelBundle, write_manifest
from model_runtime.calibration import UNCALIBRATED, Calibration, DialPoint, table

PROBABILITIES = (0.04, 0.08, 0.15, 0.25, 0.4, 0.55, 0.7, 0.85)
TARGETS = {0.0: 0.6, 0.25: 0.4, 0.5: 0.25, 0.75: 0.12, 1.0: 0.05}
"""Share that should be right, by the setting of the dial."""
_PRIOR_SHOWN = 10
"""Suggestions, as many of them right as at the probability before, that are added to each count: a
high share of three suggestions says little."""


class Measured(NamedTuple):
    """What came of one probability."""

    probability: float
    shown: int
    right: int
    saved_share: float


def measure(
    scripts: Sequence[Script],
    settings: Mapping[str, Any],
    most_keys: int,
    probabilities: Sequence[float] = PROBABILITIES,
    after_each: Callable[[Script, Figures], None] = lambda script, figures: None,
) -> list[Measured]:
    """Replay the files at each probability; only the model, with nothing from its memory."""
    bundle = catalogue.find(str(settings.get("model", "default")))
    measured = []
    for probability in probabilities:
        with _with_probability(bundle, probability) as folder:
            told = {**settings, "model": str(folder), "projectMemory": False}
            replay = session.run(
                scripts, Manner(is_fast=True, most_keys=most_keys), told,
                description="", after_each=after_each,
            )  # fmt: skip
        total = replay.total
        right = total.shown - total.wrong
        measured.append(Measured(probability, total.shown, right, total.saved_share))
    return measured


def fit(measured: Sequence[Measured], words: str) -> Calibration:
    """The table of the dial: for each setting the smallest probability that is right often enough.

    A higher probability is taken to be right at least as often as a lower one; what speaks against
    that is chance.  Where none is right often enough, the probability is at least that of a model
    that was never measured: who wants little, and all of it right, gets little.
    """
    shares: list[tuple[float, float]] = []
    share = 0.0
    for one in sorted(measured):
        found = (one.right + _PRIOR_SHOWN * share) / (one.shown + _PRIOR_SHOWN)
        if found > share or not shares:
            share = found
            shares.append((one.probability, share))
    points = [
        DialPoint(
            eagerness,
            round(_reaching(shares, target, UNCALIBRATED.least_probability(eagerness)), 3),
            round(min(target, share), 3),
        )
        for eagerness, target in TARGETS.items()
    ]
    return Calibration(tuple(points), words)


def _reaching(shares: Sequence[tuple[float, float]], target: float, otherwise: float) -> float:
    """The probability at which a rising share reaches a target, between points logarithmically."""
    if target <= shares[0][1]:
        return shares[0][0]
    for (low, below), (high, above) in pairwise(shares):
        if target <= above:
            return float(low * (high / low) ** ((target - below) / (above - below)))
    return max(shares[-1][0], otherwise)


def write(bundle: ModelBundle, calibration: Calibration) -> None:
    """Put the table into the bundle's manifest; the weights stay as they are.

    Raises:
        OSError: it cannot be written.
    """
    manifest = replace(bundle.manifest, calibration=calibration)
    write_manifest(bundle.path, manifest.to_json())


@contextmanager
def _with_probability(bundle: ModelBundle, probability: float) -> Iterator[Path]:
    """A bundle of the same files whose dial says the same everywhere."""
    same = table([(0, probability, 0), (1, probability, 0)])
    with tempfile.TemporaryDirectory(prefix="fim-lsp-") as name:
        folder = Path(name)
        for file in (WEIGHTS, TOKENIZER):
            (folder / file).symlink_to((bundle.path / file).resolve())
        manifest = replace(bundle.manifest, calibration=same)
        (folder / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
        yield folder
