"""Measures how much is right of what a model shows, and makes the table of its eagerness from it.

The files are replayed once for each of a series of probabilities from which on a suggestion is
shown.  An eagerness stands for a share of right suggestions, and gets the smallest
probability that reaches it: so 0.5 means the same for every model, eleven in twenty.
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
from model_runtime.models.bundle import MANIFEST, TOKENIZER, ModelBundle, write_manifest
from model_runtime.models.bundle_files import PACKAGES
from model_runtime.models.calibration import UNCALIBRATED, Calibration, CalibrationPoint, table
from model_runtime.store import choice, installed
from model_runtime.store.names import AUTO

PROBABILITIES = (0.04, 0.08, 0.15, 0.25, 0.4, 0.55, 0.7, 0.85)
TARGETS = {0.0: 0.75, 0.25: 0.65, 0.5: 0.55, 0.75: 0.35, 1.0: 0.15}
"""Share of suggestions that should be right, by the eagerness."""
_MIN_SHOWN = 20
"""Suggestions in a language, at the lowest probability, from which on it has points of its own."""
_PRIOR_SHOWN = 10
"""Suggestions, as many of them right as at the probability before, that are added to each count: a
high share of three suggestions says little."""


class Measured(NamedTuple):
    """Figures of one threshold."""

    probability: float
    shown: int
    right: int
    saved_share: float
    languages: Mapping[str, tuple[int, int]] = {}
    """Suggestions that were shown and that were right, by language."""


def measure(
    scripts: Sequence[Script],
    settings: Mapping[str, Any],
    max_keys: int,
    probabilities: Sequence[float] = PROBABILITIES,
    after_each: Callable[[Script, Figures], None] = lambda script, figures: None,
) -> list[Measured]:
    """Replays the files at each threshold, with suggestions of the model alone."""
    bundle = installed.find(choice.resolved(str(settings.get("model", AUTO))))
    measured = []
    for probability in probabilities:
        with _with_probability(bundle, probability) as folder:
            told = {
                **settings,
                "model": str(folder),
                "projectMemory": False,
                "languages": {"*": True},  # also where it would be silent by itself
            }
            replay = session.run(
                scripts, Manner(is_fast=True, max_keys=max_keys), told,
                description="", after_each=after_each,
            )  # fmt: skip
        total = replay.total
        right = total.shown - total.wrong
        languages = {
            name: (part.shown, part.shown - part.wrong) for name, part in replay.by_language.items()
        }
        measured.append(Measured(probability, total.shown, right, total.saved_share, languages))
    return measured


def fit(measured: Sequence[Measured], words: str) -> Calibration:
    """Returns for each eagerness the smallest probability that is right often enough.

    A higher probability is taken to be right at least as often as a lower one; what speaks against
    that is chance.  Where none is right often enough, the probability is at least that of a model
    that was never measured: who wants little, and all of it right, gets little.

    Where files of several languages were typed, each in which enough was shown gets points of its
    own.
    """
    lowest = min(measured).languages
    names = sorted(name for name, (shown, _) in lowest.items() if shown >= _MIN_SHOWN)
    of_each = {
        name: [
            Measured(one.probability, *one.languages[name], one.saved_share)
            for one in measured
            if name in one.languages
        ]
        for name in names
    }
    languages = {name: _points(rows) for name, rows in of_each.items()} if len(lowest) > 1 else {}
    return Calibration(_points(measured), words, languages)


def _points(measured: Sequence[Measured]) -> tuple[CalibrationPoint, ...]:
    shares: list[tuple[float, float]] = []
    share = 0.0
    for one in sorted(measured):
        found = (one.right + _PRIOR_SHOWN * share) / (one.shown + _PRIOR_SHOWN)
        if found > share or not shares:
            share = found
            shares.append((one.probability, share))
    return tuple(
        CalibrationPoint(
            eagerness,
            round(_reaching(shares, target, UNCALIBRATED.least_probability(eagerness)), 3),
            round(min(target, share), 3),
        )
        for eagerness, target in TARGETS.items()
    )


def _reaching(shares: Sequence[tuple[float, float]], target: float, otherwise: float) -> float:
    """Returns the probability at which a share reaches a target, interpolating logarithms."""
    if target <= shares[0][1]:
        return shares[0][0]
    for (low, below), (high, above) in pairwise(shares):
        if target <= above:
            return float(low * (high / low) ** ((target - below) / (above - below)))
    return max(shares[-1][0], otherwise)


def write(bundle: ModelBundle, calibration: Calibration) -> None:
    """Puts the table into the bundle's manifest; the weights stay as they are.

    Raises:
        OSError: it cannot be written.
    """
    manifest = replace(bundle.manifest, calibration=calibration)
    write_manifest(bundle.path, manifest.to_json())


@contextmanager
def _with_probability(bundle: ModelBundle, probability: float) -> Iterator[Path]:
    """Makes a bundle of the same files with one threshold for every eagerness."""
    same = table([(0, probability, 0), (1, probability, 0)])
    with tempfile.TemporaryDirectory(prefix="fim-lsp-") as name:
        folder = Path(name) / "bundle"
        weights = [stored.path for stored in bundle.weights_files]
        for path in (*weights, bundle.path / TOKENIZER, bundle.path / PACKAGES):
            # Parts of the weights lie in folders of their own, beside that of the bundle.
            own = folder if path.parent == bundle.path else Path(name) / path.parent.name
            own.mkdir(exist_ok=True)
            if path.exists():
                (own / path.name).symlink_to(path.resolve())
        manifest = replace(bundle.manifest, calibration=same)
        (folder / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
        yield folder
