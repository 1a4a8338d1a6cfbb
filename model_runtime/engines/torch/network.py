"""GPT-NeoX in PyTorch over keys and values that lie in place: fixed shapes, so it can be captured.

Letters of shapes: B texts, L new ids, S rows of the cache that are looked at, D hidden, H heads,
W width of a head, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from model_runtime.errors import EngineUnavailable
from model_runtime.models.bundle import ModelBundle
from model_runtime.models.decoder import EMBEDDING, FINAL_NORM, HEAD, alibi_slopes, layer_prefix
from model_runtime.models.weights import SCALE_SUFFIX, WeightsFile, quantise_rows

KINDS = ("float32", "bfloat16", "int8")
"""Number types of the matrices; int8 has a scale per row, and computes in the type of the rest."""

_FUSED_ROWS = 16
"""With more rows than this int8 matrices are widened first: one product, well used, is faster."""


class Network:
    """The weights on a device, and one pass over some ids."""

    def __init__(self, bundle: ModelBundle, device: torch.device, kind: str) -> None:
        """Load the weights.

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
        manifest = bundle.manifest
        self.architecture = manifest.architecture
        self.device = device
        alibi = manifest.position_embedding == "alibi"
        # bfloat16 would round the distances of ALiBi.
        half = kind == "bfloat16" or (kind == "int8" and device.type == "cuda" and not alibi)
        self.dtype = torch.bfloat16 if half else torch.float32
        self._slopes = None
        if alibi:
            slopes = torch.tensor(alibi_slopes(self.architecture.heads), device=device)
            self._slopes = slopes[:, None, None]
        self._weights: WeightsFile = bundle.open_weights()
        self._is_int8 = kind == "int8"
        self._embedding = self._matrix(EMBEDDING)
        self._layers = [_Layer(self, number) for number in range(self.architecture.layers)]
        self._norm = self.norm_of(FINAL_NORM)
        self._head = self._embedding if self.architecture.tied else self._matrix(HEAD)

    @property
    def weight_bytes(self) -> int:
        """Bytes of the matrices that a decoded id reads."""
        matrices = [self._head, *(matrix for layer in self._layers for matrix in layer.matrices)]
        return sum(matrix.weight.nbytes for matrix in matrices)

    def new_cache(self, texts: int, capacity: int) -> torch.Tensor:
        """Keys and values, [layers, 2, texts, H, capacity, W]; zeros, for masked rows are read."""
        a = self.architecture
        shape = (a.layers, 2, texts, a.heads, capacity, a.head_dim)
        return torch.zeros(shape, dtype=self.dtype, device=self.device)

    def forward(
        self,
        ids_BL: torch.Tensor,
        start: torch.Tensor,
        cache: torch.Tensor,
        span: int,
        padding_B: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Append ids to the cache; no shape depends on where they start.

        Args:
            ids_BL: int64.
            start: int64 [], the row of the first of them.
            cache: as `new_cache` makes it; rows `start` to `start + L` are written.
            span: leading rows of the cache to look at; at least `start + L`.
            padding_B: leading rows of each text that are none of it.

        Returns:
            [B, L, D], of which `logits` makes logits.
        """
        rows_L = start + torch.arange(ids_BL.shape[1], device=self.device)
        mask = self._mask(rows_L, span, padding_B)
        angles = self._angles(rows_L)
        x_BLD = self._embedding.rows(ids_BL, self.dtype)
        for layer, kept in zip(self._layers, cache, strict=True):
            x_BLD = layer.forward(x_BLD, rows_L, kept, span, mask, angles)
        return self._norm(x_BLD)

    def logits(self, x_BLD: torch.Tensor) -> torch.Tensor:
        """float32 [B, L, V]"""
        return self._head(x_BLD).float()

    def _mask(
        self, rows_L: torch.Tensor, span: int, padding_B: torch.Tensor | None
    ) -> torch.Tensor:
        """What is added to scores, [B or 1, H or 1, L, S]: nothing after a row, ALiBi before it."""
        keys_S = torch.arange(span, device=self.device)
        is_hidden = (keys_S[None, :] > rows_L[:, None])[None, None]
        if padding_B is not None:
            is_hidden = is_hidden | (keys_S < padding_B[:, None])[:, None, None]
        mask = torch.zeros(is_hidden.shape, dtype=self.dtype, device=self.device)
        if self._slopes is not None:
            mask = mask + self._slopes * (keys_S[None, :] - rows_L[:, None])
        # Not minus infinity: a row of padding sees nothing at all, and would become NaN.
        return mask.masked_fill(is_hidden, torch.finfo(self.dtype).min)

    def _angles(self, rows_L: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Cosines and sines, [L, rotary_dim / 2]."""
        dim, base = self.architecture.rotary_dim, self.architecture.rotary_base
        if not dim:
            return None
        frequencies = base ** -(torch.arange(0, dim, 2, device=self.device).float() / dim)
        angles = rows_L.float()[:, None] * frequencies
        return angles.cos().to(self.dtype), angles.sin().to(self.dtype)

    def _matrix(self, name: str, bias: str = "") -> _Matrix:
        added = self._float(bias) if bias else None
        if not self._is_int8:
            return _Matrix(self._float(name), None, added)
        if self._weights.layout[name].dtype == "I8":
            stored, scale = self._weights.raw(name), self._weights.float32(name + SCALE_SUFFIX)
        else:
            stored, scale = quantise_rows(self._weights.float32(name))
        return _Matrix(
            torch.tensor(stored, device=self.device),
            torch.tensor(scale, device=self.device).reshape(-1).to(self.dtype),
            added,
        )

    def linear_of(self, name: str) -> _Matrix:
        """An affine map by its name in the checkpoint."""
        return self._matrix(f"{name}.weight", f"{name}.bias")

    def norm_of(self, name: str) -> Any:
        """A layer normalisation by its name in the checkpoint."""
        weight, bias = self._float(f"{name}.weight"), self._float(f"{name}.bias")
        epsilon = self.architecture.norm_epsilon
        return lambda x: functional.layer_norm(x, weight.shape, weight, bias, epsilon)

    def _float(self, name: str) -> torch.Tensor:
        return torch.tensor(self._weights.float32(name)).to(self.device, self.dtype)


class _Matrix:
    """x -> x W^T + b, with W [out, in] in floats, or in int8 with a scale per row."""

    def __init__(
        self, weight: torch.Tensor, scale: torch.Tensor | None, bias: torch.Tensor | None
    ) -> None:
        self.weight, self._scale, self._bias = weight, scale, bias
        self._is_fused = scale is not None and _fuses(scale)

    def rows(self, ids: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """The rows of an embedding."""
        picked = self.weight[ids].to(dtype)
        return picked if self._scale is None else picked * self._scale[ids][..., None]

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        if self._scale is None:
            return functional.linear(x, self.weight, self._bias)
        flat = x.reshape(-1, x.shape[-1])
        if self._is_fused and len(flat) <= _FUSED_ROWS:  # reads a byte for each weight
            y = torch.ops.aten._weight_int8pack_mm(flat, self.weight, self._scale)
        else:
            y = functional.linear(flat, self.weight.to(x.dtype)) * self._scale
        y = y.view(*x.shape[:-1], -1)
        return y if self._bias is None else y + self._bias


def _fuses(scale: torch.Tensor) -> bool:
    """Whether this PyTorch has a kernel for int8 weights on the device; it is no public one."""
    try:
        x, weight = scale.new_zeros(1, 32), torch.zeros(32, 32, dtype=torch.int8)
        torch.ops.aten._weight_int8pack_mm(x, weight.to(scale.device), scale.new_ones(32))
    except (AttributeError, RuntimeError):
        return False
    return True


class _Layer:
    """One block of the network."""

    def __init__(self, network: Network, number: int) -> None:
        prefix = layer_prefix(number)
        self._a = network.architecture
        self._norms = [
            network.norm_of(prefix + name)
            for name in ("input_layernorm", "post_attention_layernorm")
        ]
        self.matrices = [
            network.linear_of(prefix + name)
            for name in (
                "attention.query_key_value",
                "attention.dense",
                "mlp.dense_h_to_4h",
                "mlp.dense_4h_to_h",
            )
        ]

    def forward(
        self,
        x_BLD: torch.Tensor,
        rows_L: torch.Tensor,
        kept: torch.Tensor,
        span: int,
        mask: torch.Tensor,
        angles: tuple[torch.Tensor, torch.Tensor] | None,
    ) -> torch.Tensor:
        """As `Network.forward`; `kept` is the cache of this layer, [2, B, H, capacity, W]."""
        joined, dense, widen, narrow = self.matrices
        batch, length, _ = x_BLD.shape
        shape = (batch, length, self._a.heads, 3, self._a.head_dim)
        # A checkpoint stores each head's query, key and value together.
        query, key, value = joined(self._norms[0](x_BLD)).view(shape).permute(3, 0, 2, 1, 4)
        if angles is not None:
            query, key = (_rotated(part, *angles) for part in (query, key))
        kept[0].index_copy_(2, rows_L, key)
        kept[1].index_copy_(2, rows_L, value)
        mixed = functional.scaled_dot_product_attention(
            query, kept[0, :, :, :span], kept[1, :, :, :span], attn_mask=mask
        )
        attended = dense(mixed.transpose(1, 2).reshape(x_BLD.shape))
        source = x_BLD if self._a.parallel_residual else x_BLD + attended
        fed = narrow(self._activated(widen(self._norms[1](source))))
        return x_BLD + attended + fed

    def _activated(self, x: torch.Tensor) -> torch.Tensor:
        if self._a.activation == "relu":
            return functional.relu(x)
        return functional.gelu(x, approximate="none" if self._a.activation == "gelu" else "tanh")


def _rotated(heads_BHLW: torch.Tensor, cosines: torch.Tensor, sines: torch.Tensor) -> torch.Tensor:
    """Rotary embedding of the leading part of each head (Su et al. 2021, arXiv:2104.09864)."""
    half = cosines.shape[-1]
    one, two, rest = heads_BHLW.tensor_split((half, 2 * half), dim=-1)
    return torch.cat((one * cosines - two * sines, two * cosines + one * sines, rest), dim=-1)
