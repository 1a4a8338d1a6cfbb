"""ALiBi (arXiv:2108.12409): attention loses a little for every token that lies between.

In a prompt with a hole the order of the ids is not that of the document, so with `suffix` first the
text right behind the hole is the farthest of all.  Restarted, the distances begin again in each
part (proposed by ALiBi's first author, ofirpress/attention_with_linear_biases, issue 5):

    to the prefix, and within a part    as in the document, as if the middle ended at the token
    from another part to the suffix     as if the suffix began right behind the token

No serving engine knows these distances; the arm exists to be compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model_runtime.models.positions import alibi_slopes

IntArray = npt.NDArray[np.int64]


class Sentinels(NamedTuple):
    """Ids at which distances begin again."""

    suffix: int
    prefix: int
    middle: int


class Parts(NamedTuple):
    """Where the tokens of [B] rows of T places are in their documents."""

    example_BT: Tensor
    """Number of the example in its row; padding belongs to none of them."""
    place_BT: Tensor
    """The middle goes on where the prefix ended, and so does a suffix that follows the prefix."""
    suffix_BT: Tensor
    """Offset in the suffix from 1, or 0 outside of one."""

    def to(self, device: torch.device) -> Parts:
        """On another device."""
        return Parts(*(tensor.to(device) for tensor in self))

    def distances(self) -> Tensor:
        """[B, T, T], from a token (row) to an earlier one (column)."""
        T = self.place_BT.shape[1]
        at_T = torch.arange(T, device=self.place_BT.device)
        same = self.example_BT[:, :, None] == self.example_BT[:, None, :]
        outside = self.suffix_BT[:, :, None] == 0
        to_suffix = outside & (self.suffix_BT[:, None, :] > 0)
        along = self.place_BT[:, :, None] - self.place_BT[:, None, :]
        inside = torch.where(to_suffix, self.suffix_BT[:, None, :], along)
        return torch.where(same, inside, at_T[:, None] - at_T[None, :])


def parts_of(
    ids_BT: npt.NDArray[np.int32], lengths: Iterable[Sequence[int]], sentinels: Sentinels
) -> Parts:
    """The parts of all examples, found by their sentinels."""
    examples = np.full(ids_BT.shape, -1, np.int64)
    places = np.tile(np.arange(ids_BT.shape[1]), (len(ids_BT), 1))
    suffixes = np.zeros(ids_BT.shape, np.int64)
    for row, members in enumerate(lengths):
        at = 0
        for number, length in enumerate(members):
            span = slice(at, at + length)
            examples[row, span] = number
            places[row, span], suffixes[row, span] = _parts(ids_BT[row, span], sentinels)
            at += length
    return Parts(*map(torch.from_numpy, (examples, places, suffixes)))


def _parts(ids: npt.NDArray[np.int32], sentinels: Sentinels) -> tuple[IntArray, IntArray]:
    """Place and offset in the suffix of every token of one example."""
    places, offsets = np.arange(len(ids)), np.zeros(len(ids), np.int64)
    begins = {role: np.flatnonzero(ids == id_) for role, id_ in sentinels._asdict().items()}
    if not all(len(found) == 1 for found in begins.values()):
        return places, offsets
    suffix, prefix, middle = (int(begins[role][0]) for role in Sentinels._fields)
    suffix_end = middle if prefix < suffix else prefix
    offsets[suffix:suffix_end] = np.arange(1, suffix_end - suffix + 1)
    if suffix < prefix:  # suffix first: the prefix begins the document
        places[prefix:] -= prefix
    else:  # the middle goes on where the prefix ended, not the suffix
        places[middle:] -= suffix_end - suffix
    return places, offsets


def alibi_bias(heads: int, distance: Tensor) -> Tensor:
    """Causal bias [..., H, T, T] of distances [..., T, T]: minus slope x distance."""
    T, device = distance.shape[-1], distance.device
    slope_H = torch.tensor(alibi_slopes(heads), device=device)
    later = torch.ones(T, T, dtype=torch.bool, device=device).triu(1)
    bias = -slope_H[:, None, None] * distance[..., None, :, :].float()
    return bias.masked_fill(later, float("-inf"))


def plain_distances(length: int, device: torch.device) -> Tensor:
    """[T, T] of a row that is one text."""
    place = torch.arange(length, device=device)
    return place[:, None] - place[None, :]
