"""Passes of fixed shapes over a static cache, each captured as a CUDA graph where there is a GPU.

A short pass (a decoded id, a tail) is filled up to 1, 2, 4, 8 or 16 ids and looks
at a multiple of 256 rows, so a text needs few graphs.  What fills it up lies behind the text and is
overwritten by what comes next.  On a processor the same passes run without capture.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import cached_property, partial

import torch

from model_runtime.engines.torch.network import Network

_LENGTHS = (1, 2, 4, 8, 16)
"""Numbers of ids of the passes that are captured."""
SPAN = 256
"""Rows of the cache that a pass reads come in multiples of this number."""

Found = tuple[torch.Tensor, torch.Tensor]
"""Logits, float32 [places, vocabulary], and id and log-probability of the likeliest token, float64
[2, places]; both on the device."""


class Rows:
    """Logits of the last places of a pass, which the next pass may overwrite.

    After a long pass they are computed when they are asked for: only the last one of a prompt is.
    """

    def __init__(self, find: Callable[[], Found]) -> None:
        """Takes what computes it."""
        self._find = find

    @cached_property
    def _found(self) -> Found:
        with torch.inference_mode():
            return self._find()

    @property
    def logits(self) -> torch.Tensor:
        """Logits, float32 [places, vocabulary], on the device."""
        return self._found[0]

    @cached_property
    def likeliest(self) -> torch.Tensor:
        """Id and log-probability of the likeliest token, float64 [2, places], on the CPU."""
        return self._found[1].cpu()


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
        padded = torch.tensor([[*ids, *[0] * (length - count)]]).to(self._network.device)
        first = torch.tensor(start, device=self._network.device)
        with torch.inference_mode():
            if length > _LENGTHS[-1]:
                forward = self._network.forward
                hidden = forward(padded, first, self.cache, span, cancel=cancel)[:, -kept:]
                if self._network.device.type == "cuda":
                    torch.cuda.synchronize()  # what is queued cannot be interrupted
                return Rows(partial(_follows, self._network, hidden))
            places = slice(count - kept, count)
            logits, likeliest = self._short_pass(padded, first, span, cancel)
            return Rows(lambda: (logits[places], likeliest[:, places]))

    def _short_pass(
        self, ids: torch.Tensor, start: torch.Tensor, span: int, cancel: threading.Event | None
    ) -> Found:
        """Returns what follows all places."""
        network, shape = self._network, (ids.shape[1], span)
        if network.device.type == "cuda":
            if shape not in self._graphs and shape in self._seen:
                self._graphs[shape] = _Graph(network, self.cache, *shape)
            self._seen.add(shape)  # the first one runs uncaptured: libraries set themselves up
            if shape in self._graphs:
                return self._graphs[shape].replay(ids, start)
        return _follows(network, network.forward(ids, start, self.cache, span, cancel=cancel))


class _Graph:
    """Records one shape of pass and replays it with other ids: one launch for all kernels."""

    def __init__(self, network: Network, cache: torch.Tensor, length: int, span: int) -> None:
        self._ids = torch.zeros(1, length, dtype=torch.int64, device=network.device)
        # Recording runs nothing, so the cache is not written.
        self._start = torch.zeros((), dtype=torch.int64, device=network.device)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._found = _follows(network, network.forward(self._ids, self._start, cache, span))

    def replay(self, ids: torch.Tensor, start: torch.Tensor) -> Found:
        self._ids.copy_(ids)
        self._start.copy_(start)
        self._graph.replay()
        return self._found


def _follows(network: Network, hidden: torch.Tensor) -> Found:
    """Computes what follows each place of one text, of which the hidden rows are [1, L, D]."""
    logits = network.logits(hidden)[0]
    largest, best = logits.max(-1)
    logprobs = largest - logits.logsumexp(-1)
    return logits, torch.stack((best.double(), logprobs.double()))
