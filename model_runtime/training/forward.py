"""Turns packed rows into what the network and the loss take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from model_runtime.training.loss import IGNORED
from model_runtime.training.network import Segments, TrainingNetwork
from model_runtime.training.packing import PackedRows


@dataclass(frozen=True)
class Batch:
    """Rows one after the other, N = rows x row length."""

    ids_N: Tensor
    targets_N: Tensor
    """Next id of the same example; `IGNORED` at the last one and on padding."""
    places_N: Tensor
    segments: Segments
    num_tokens: int
    """Number of tokens without padding."""

    @classmethod
    def of(
        cls,
        rows: PackedRows,
        per_row: bool,
        device: torch.device,
    ) -> Batch:
        """Returns the tensors of rows; a segment is a row with `per_row`, else an example or
        padding.
        """
        T = rows.ids_RT.shape[1]
        flat = rows.ids_RT.reshape(-1).astype(np.int64)
        targets = np.full_like(flat, IGNORED)
        segments: list[int] = []
        for number, lengths in enumerate(rows.lengths):
            at = number * T
            for length in lengths:
                targets[at : at + length - 1] = flat[at + 1 : at + length]
                at += length
            padding = T - sum(lengths)
            segments += [*lengths, padding] if padding else lengths
        places = [np.arange(T)] * len(rows) if per_row else [np.arange(n) for n in segments]

        def tensor(values: np.ndarray) -> Tensor:
            return torch.from_numpy(values).to(device, non_blocking=True)

        return cls(
            ids_N=tensor(flat),
            targets_N=tensor(targets),
            places_N=tensor(np.concatenate(places)),
            segments=T if per_row else segments,
            num_tokens=sum(sum(lengths) for lengths in rows.lengths),
        )


def hidden_states(network: TrainingNetwork, batch: Batch, dtype: torch.dtype) -> Tensor:
    """Returns the hidden states [N, d] of a batch."""
    hidden: Tensor = network(batch.ids_N, batch.places_N, batch.segments, dtype)
    return hidden
