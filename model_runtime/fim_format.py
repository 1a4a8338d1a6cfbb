"""The fill-in-the-middle format: the only code that orders the parts of a prompt.

    spm1   SUF <suffix> PRE <prefix> MID      -> <middle> END      the seed model, and the default
    psm    PRE <prefix> SUF <suffix> MID      -> <middle> END
    spm2   PRE SUF <suffix> MID <prefix>      -> <middle> END

`spm1` and `spm2` are the two variants of suffix-prefix-middle in Bavarian et al. 2022
(arXiv:2207.14255, appendix D); CarperAI/FIM-NeoX-1.3B uses the first.  With the suffix in front,
typing changes only the tail of the ids, and a KV cache of all that precedes it stays valid.  Which
order a model was trained on is stated by its manifest; it is never guessed from a name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Order(str, Enum):
    """Order of the parts in a prompt; the value is what manifests and recipes say."""

    SPM1 = "spm1"
    SPM2 = "spm2"
    PSM = "psm"


class HoleStart(str, Enum):
    """Where the hole begins that a model is asked to fill; stated by manifests and recipes.

    In the second form what is typed on the cursor's line is no part of the prompt: the model writes
    the line from its start, and decoding must agree with the typed text (`forced_text`).  One more
    key then changes nothing of the prompt, in any order of its parts.
    """

    CURSOR = "cursor"
    LINE = "line"


@dataclass(frozen=True, slots=True)
class FimTokens:
    """Ids of the special tokens.  `pad` and `file` are None where a model has none."""

    end: int
    suffix: int
    prefix: int
    middle: int
    pad: int | None = None
    file: int | None = None
    """Stands before the path of each snippet, and before the file's own path when there are
    snippets.
    """

    def __post_init__(self) -> None:
        ids = self.all()
        if len(set(ids)) != len(ids):
            raise ValueError(f"two sentinels share one id: {self}")

    def all(self) -> tuple[int, ...]:
        """Every special id of the model."""
        optional = tuple(id_ for id_ in (self.pad, self.file) if id_ is not None)
        return (self.end, self.suffix, self.prefix, self.middle, *optional)


@dataclass(frozen=True, slots=True)
class FimExample:
    """One training sequence: a serving prompt, then the answer and END."""

    ids: list[int]
    prompt_length: int
    """Leading ids that are prompt.  Training learns all ids; evaluation scores the rest."""


def prompt_ids(
    order: Order, tokens: FimTokens, prefix: Sequence[int], suffix: Sequence[int]
) -> list[int]:
    """Ids which the model continues with the middle.

    >>> seed = FimTokens(end=0, suffix=50277, prefix=50278, middle=50279)
    >>> prompt_ids(Order.SPM1, seed, prefix=[10, 11], suffix=[20])
    [50277, 20, 50278, 10, 11, 50279]
    """
    if order is Order.SPM1:
        return [tokens.suffix, *suffix, tokens.prefix, *prefix, tokens.middle]
    if order is Order.SPM2:
        return [tokens.prefix, tokens.suffix, *suffix, tokens.middle, *prefix]
    return [tokens.prefix, *prefix, tokens.suffix, *suffix, tokens.middle]


NUM_SENTINELS = 3
"""Sentinels in a prompt of any order; a budget for text is the context less these and END."""


def example(
    order: Order,
    tokens: FimTokens,
    prefix: Sequence[int],
    middle: Sequence[int],
    suffix: Sequence[int],
) -> FimExample:
    """A training sequence: by definition `prompt_ids(...)`, the middle, END."""
    prompt = prompt_ids(order, tokens, prefix, suffix)
    return FimExample([*prompt, *middle, tokens.end], prompt_length=len(prompt))
