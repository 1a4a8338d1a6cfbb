"""Passes of fixed shapes over a static cache, each captured as a CUDA graph where there is a GPU.

A short pass (a decoded id, a tail, a checked guess) is filled up to 1, 2, 4, 8 or 16 ids and looks
at a multiple of 256 rows, so a text needs few graphs.  What fills it up lies behind the text and is
overwritten by what comes next.  On a processor the same passes run without capture.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import NamedTuple

import torch

from model_runtime.engines.torch.network import Network

_LENGTHS = (1, 2, 4, 8, 16)
"""Numbers of ids of the passes that are captured."""
SPAN = 256
"""Rows of the cache that a pass reads come in multiples of this number."""


class Rows(NamedTuple):
    """Holds what a pass computed for its last places; the next pass overwrites it."""

    logits: torch.Tensor
    """Logits, float32 [places, vocabulary], on the device."""
    likeliest: torch.Tensor
    """Id and log-probability of the likeliest token, float64 [2, places], on the CPU."""


class TorchText:
    """Keys and values of one text, and the graphs that read and write them."""

    def __init__(self, network: Network, capacity: int) -> None:
        """Reserves the rows of one text.

        Args:
            network: the weights.
            capacity: rows that the text may have.
        """
        self._network = network
        self._reserve(capacity)

    def _reserve(self, capacity: int) -> None:
        rows = -(-capacity // SPAN) * SPAN
        self.cache = self._network.new_cache(1, rows)
        # A graph reads and writes the memory for which it was recorded.
        self._graphs: dict[tuple[int, int], _Graph] = {}
        self._seen: set[tuple[int, int]] = set()

    def resize(self, capacity: int, kept: int) -> None:
        """Moves the first `kept` rows to memory of another size."""
        before = self.cache
        self._reserve(capacity)
        with torch.inference_mode():
            self.cache[..., :kept, :] = before[..., :kept, :]

    def copy(self, other: TorchText, count: int) -> None:
        """Copies the first `count` rows of another text."""
        with torch.inference_mode():
            self.cache[..., :count, :] = other.cache[..., :count, :]

    def run(
        self, start: int, ids: Sequence[int], kept: int, cancel: threading.Event | None = None
    ) -> Rows:
        """Runs `ids` from row `start` on; returns what follows each of the last `kept` of them.

        Raises:
            EngineError: `cancel` was set meanwhile.
        """
        count = len(ids)
        length = next((it for it in _LENGTHS if it >= count), count)
        if start + length > self.cache.shape[-2]:  # the last rows of a text
            length = count
        span = -(-(start + length) // SPAN) * SPAN
        padded = torch.tensor([[*ids, *[0] * (length - count)]])
        with torch.inference_mode():
            logits, likeliest = self._pass(padded, torch.tensor(start), span, kept, cancel)
            places = slice(
                logits.shape[0] - length + count - kept, logits.shape[0] - length + count
            )
            return Rows(logits[places], likeliest[:, places].cpu())

    def _pass(
        self,
        ids: torch.Tensor,
        start: torch.Tensor,
        span: int,
        kept: int,
        cancel: threading.Event | None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns logits and likeliest tokens: of all places of a short pass, else of the last."""
        network, shape = self._network, (ids.shape[1], span)
        is_short = ids.shape[1] <= _LENGTHS[-1]
        if is_short and network.device.type == "cuda":
            if shape not in self._graphs and shape in self._seen:
                self._graphs[shape] = _Graph(network, self.cache, *shape)
            self._seen.add(shape)  # the first one runs uncaptured: libraries set themselves up
            if shape in self._graphs:
                return self._graphs[shape].replay(ids, start)
        places = ids.shape[1] if is_short else kept
        device = network.device
        return _computed(
            network, ids.to(device), start.to(device), self.cache, span, places, cancel
        )


class _Graph:
    """Records one shape of pass and replays it with other ids: one launch for all kernels."""

    def __init__(self, network: Network, cache: torch.Tensor, length: int, span: int) -> None:
        self._ids = torch.zeros(1, length, dtype=torch.int64, device=network.device)
        # Recording runs nothing, so the cache is not written.
        self._start = torch.zeros((), dtype=torch.int64, device=network.device)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._found = _computed(network, self._ids, self._start, cache, span, length)

    def replay(self, ids: torch.Tensor, start: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self._ids.copy_(ids)
        self._start.copy_(start)
        self._graph.replay()
        return self._found


def _computed(
    network: Network,
    ids: torch.Tensor,
    start: torch.Tensor,
    cache: torch.Tensor,
    span: int,
    places: int,
    cancel: threading.Event | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns logits [places, vocabulary] and likeliest tokens [2, places], on the device."""
    hidden = network.forward(ids, start, cache, span, cancel=cancel)[:, -places:]
    logits = network.logits(hidden)[0]
    largest, best = logits.max(-1)
    logprobs = largest - logits.logsumexp(-1)
    return logits, torch.stack((best.double(), logprobs.double()))
