"""Picks a token from one row of logits, without torch."""

from __future__ import annotations

import numpy as np

from model_runtime.engines.protocol import GeneratedToken, SamplingParams, ScoredToken
from model_runtime.models.weights import Array, Float32


class Draws:
    """Draws random numbers from a seed, or different ones each time for None.

    numpy's generators are imported with the first draw: a greedy answer needs none, and a start
    that need not import them is a fiftieth of a second shorter.
    """

    def __init__(self, seed: int | None) -> None:
        self._seed = seed
        self._generator: np.random.Generator | None = None

    def random(self) -> float:
        """Returns a number from 0 to 1."""
        if self._generator is None:
            self._generator = np.random.default_rng(self._seed)
        return self._generator.random()


def pick(logits: Float32, sampling: SamplingParams, random: Draws) -> GeneratedToken:
    """Chooses the next token.

    Args:
        logits: float32 [vocabulary].
        sampling: greedy at temperature 0; else the smallest set of tokens whose probabilities
            reach `top_p` is sampled from (Holtzman et al. 2019, arXiv:1904.09751).
        random: draws are from here, one for each token.
    """
    if sampling.temperature <= 0:
        id_ = int(logits.argmax())
        # The largest logit is at hand, which saves a look at the whole vocabulary.
        return GeneratedToken(id_, -float(np.log(np.exp(logits - logits[id_]).sum())))
    chances = np.exp((logits - logits.max()).astype(np.float64) / sampling.temperature)
    order = np.argsort(-chances, kind="stable")
    ranked = chances[order].cumsum() / chances.sum()
    last = min(int(np.searchsorted(ranked, sampling.top_p)), len(ranked) - 1)
    drawn = random.random() * ranked[last]
    id_ = int(order[min(int(np.searchsorted(ranked, drawn, side="right")), last)])
    return GeneratedToken(id_, float(logits[id_] - log_total(logits)))


def score(logits: Float32, ids: Array) -> list[ScoredToken]:
    """Returns the probability of each id at its place.

    Args:
        logits: float32 [places, vocabulary].
        ids: int [places].
    """
    chosen = logits[np.arange(len(ids)), ids] - log_total(logits)
    return list(map(ScoredToken, chosen.tolist(), logits.argmax(-1).tolist()))


def log_total(logits: Float32) -> Float32:
    """Returns the log of the sum of exponentials over the vocabulary, float32 [...]."""
    largest = logits.max(-1, keepdims=True)
    total: Float32 = np.log(np.exp(logits - largest).sum(-1)) + largest[..., 0]
    return total
