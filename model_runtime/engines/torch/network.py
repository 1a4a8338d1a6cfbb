"""A decoder in PyTorch over keys and values that lie in place: fixed shapes, so it can be captured.

Letters of shapes: B texts, L new ids, S rows of the cache that are looked at, D hidden, H heads,
G heads of keys and values, W width of a head, V vocabulary.
"""

from __future__ import annotations

import threading

import torch

from model_runtime.engines.torch.layer import Layer, Pass
from model_runtime.engines.torch.parts import Loader
from model_runtime.errors import EngineError, EngineUnavailable
from model_runtime.models.bundle import ModelBundle
from model_runtime.models.decoder import EMBEDDING, FINAL_NORM, HEAD
from model_runtime.models.positions import Alibi, Rope, alibi_slopes

KINDS = ("float32", "bfloat16", "int8")
"""Number types of the matrices; int8 has a scale per row, and computes in the type of the rest."""


class Network:
    """The weights on a device, and one pass over some ids."""

    def __init__(self, bundle: ModelBundle, device: torch.device, kind: str) -> None:
        """Loads the weights.

        Args:
            bundle: the model.
            device: where they go.
            kind: one of `KINDS`.

        Raises:
            BundleError: the weights are damaged.
            EngineUnavailable: there is no such kind.
        """
        if kind not in KINDS:
            raise EngineUnavailable(f"{kind!r} is no number type of PyTorch's; take {KINDS}")
        self.spec = bundle.manifest.decoder
        self.device = device
        alibi = isinstance(self.spec.positions, Alibi)
        # bfloat16 would round the distances of ALiBi.
        half = kind == "bfloat16" or (kind == "int8" and device.type == "cuda" and not alibi)
        self.dtype = torch.bfloat16 if half else torch.float32
        self._slopes = self._frequencies = None
        if alibi:
            slopes = torch.tensor(alibi_slopes(self.spec.heads), device=device)
            self._slopes = slopes[:, None, None]
        elif isinstance(self.spec.positions, Rope):
            self._frequencies = torch.tensor(self.spec.positions.frequencies(), device=device)
        loader = Loader(bundle.open_weights(), self.spec, device, self.dtype, kind == "int8")
        self._embedding = loader.matrix(EMBEDDING)
        self._layers = [Layer(loader, self.spec, number) for number in range(self.spec.layers)]
        self._norm = loader.norm(FINAL_NORM)
        self._head = self._embedding if self.spec.tied else loader.matrix(HEAD)

    @property
    def weight_bytes(self) -> int:
        """Bytes of the matrices that a decoded id reads."""
        matrices = [self._head, *(matrix for layer in self._layers for matrix in layer.matrices)]
        return sum(matrix.weight.nbytes for matrix in matrices)

    def new_cache(self, texts: int, capacity: int) -> torch.Tensor:
        """Returns keys and values, [layers, 2, texts, G, capacity, W]: zeros, for masked rows are
        read.
        """
        shape = (
            self.spec.layers,
            2,
            texts,
            self.spec.kv_heads,
            capacity,
            self.spec.head_dim,
        )
        return torch.zeros(shape, dtype=self.dtype, device=self.device)

    def forward(
        self,
        ids_BL: torch.Tensor,
        start: torch.Tensor,
        cache: torch.Tensor,
        span: int,
        padding_B: torch.Tensor | None = None,
        cancel: threading.Event | None = None,
    ) -> torch.Tensor:
        """Appends ids to the cache; no shape depends on where they start.

        Args:
            ids_BL: int64.
            start: int64 [], the row of the first of them.
            cache: as `new_cache` makes it; rows `start` to `start + L` are written.
            span: leading rows of the cache to look at; at least `start + L`.
            padding_B: leading rows of each text that are none of it.
            cancel: read before each layer.

        Returns:
            [B, L, D], of which `logits` makes logits.

        Raises:
            EngineError: `cancel` was set.
        """
        rows_L = start + torch.arange(ids_BL.shape[1], device=self.device)
        masks = {
            window: self._mask(rows_L, span, padding_B, window)
            for window in set(self.spec.windows or (None,))
        }
        step = Pass(rows_L, span, masks, self._angles(rows_L))
        x_BLD = self._embedding.rows(ids_BL, self.dtype)
        if self.spec.embedding_scale != 1:
            x_BLD = x_BLD * self.spec.embedding_scale
        for layer, kept in zip(self._layers, cache, strict=True):
            if cancel is not None and cancel.is_set():
                raise EngineError("the pass was canceled")
            x_BLD = layer.forward(x_BLD, kept, step)
        return self._norm(x_BLD)

    def logits(self, x_BLD: torch.Tensor) -> torch.Tensor:
        """Returns logits, float32 [B, L, V]."""
        logits = self._head(x_BLD).float()
        if self.spec.logit_scale != 1:
            logits = logits * self.spec.logit_scale
        cap = self.spec.logit_softcap
        return logits if cap is None else cap * torch.tanh(logits / cap)

    def _mask(
        self,
        rows_L: torch.Tensor,
        span: int,
        padding_B: torch.Tensor | None,
        window: int | None,
    ) -> torch.Tensor:
        """Returns what is added to scores, [B or 1, H or 1, L, S]: no later row, ALiBi before."""
        keys_S = torch.arange(span, device=self.device)
        is_hidden = keys_S[None, :] > rows_L[:, None]
        if window is not None:
            is_hidden = is_hidden | (keys_S[None, :] <= rows_L[:, None] - window)
        is_hidden = is_hidden[None, None]
        if padding_B is not None:
            is_hidden = is_hidden | (keys_S < padding_B[:, None])[:, None, None]
        mask = torch.zeros(is_hidden.shape, dtype=self.dtype, device=self.device)
        if self._slopes is not None:
            mask = mask + self._slopes * (keys_S[None, :] - rows_L[:, None])
        # Not minus infinity: a row of padding sees nothing at all, and would become NaN.
        return mask.masked_fill(is_hidden, torch.finfo(self.dtype).min)

    def _angles(self, rows_L: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Cosines and sines, [L, rotary_dim / 2]."""
        if self._frequencies is None:
            return None
        assert isinstance(self.spec.positions, Rope)
        angles, magnitude = (
            rows_L.float()[:, None] * self._frequencies,
            self.spec.positions.magnitude,
        )
        cosines, sines = angles.cos() * magnitude, angles.sin() * magnitude
        return cosines.to(self.dtype), sines.to(self.dtype)
