"""One layer of a decoder in PyTorch; `network` has the letters of shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch.nn import functional

from model_runtime.engines.torch.parts import Loader
from model_runtime.models.decoder import DecoderSpec, layer_prefix


@dataclass(frozen=True)
class Pass:
    """Holds what all layers of one pass share."""

    rows_L: torch.Tensor
    """int64, the rows of the cache that the new ids take."""
    span: int
    """Leading rows of the cache that are looked at."""
    masks: Mapping[int | None, torch.Tensor]
    """Numbers that are added to scores, [B or 1, H or 1, L, S], for each window."""
    angles: tuple[torch.Tensor, torch.Tensor] | None
    """Cosines and sines, [L, rotary_dim / 2]; None where nothing is rotated."""


class Layer:
    """Attention and the feed-forward part, with their norms."""

    def __init__(self, loader: Loader, spec: DecoderSpec, number: int) -> None:
        prefix = layer_prefix(number)
        self._spec, self._window = spec, spec.window(number)
        self._attention_norm = loader.norm(f"{prefix}attention_norm")
        self._mlp_norm = loader.norm(f"{prefix}mlp_norm")
        self._qkv = loader.linear(f"{prefix}attention.qkv")
        self._out = loader.linear(f"{prefix}attention.out")
        self._up = loader.linear(f"{prefix}mlp.up")
        self._down = loader.linear(f"{prefix}mlp.down")
        self._gate = loader.linear(f"{prefix}mlp.gate") if spec.mlp == "gated" else None
        self._post_norms = self._head_norms = None
        if spec.post_norms:
            self._post_norms = [
                loader.norm(f"{prefix}{part}_post_norm") for part in ("attention", "mlp")
            ]
        if spec.qk_norm:
            self._head_norms = [
                loader.rms_norm(f"{prefix}attention.{part}_norm") for part in ("q", "k")
            ]
        gates = [] if self._gate is None else [self._gate]
        self.matrices = [self._qkv, self._out, self._up, self._down, *gates]

    def forward(self, x_BLD: torch.Tensor, kept: torch.Tensor, step: Pass) -> torch.Tensor:
        """Returns the layer's output; `kept`, [2, B, G, capacity, W], gets the new rows."""
        attended = self._attention(self._attention_norm(x_BLD), kept, step)
        if self._post_norms is not None:
            attended = self._post_norms[0](attended)
        attended = self._scaled(attended)
        source = x_BLD if self._spec.residual == "parallel" else x_BLD + attended
        fed = self._feed_forward(self._mlp_norm(source))
        if self._post_norms is not None:
            fed = self._post_norms[1](fed)
        return x_BLD + attended + self._scaled(fed)

    def _scaled(self, part_BLD: torch.Tensor) -> torch.Tensor:
        scale = self._spec.residual_scale
        return part_BLD if scale == 1 else part_BLD * scale

    def _attention(self, x_BLD: torch.Tensor, kept: torch.Tensor, step: Pass) -> torch.Tensor:
        spec = self._spec
        batch, length, _ = x_BLD.shape
        sizes = (spec.q_rows, spec.kv_rows, spec.kv_rows)
        query, key, value = (
            part.view(batch, length, -1, spec.head_dim).transpose(1, 2)
            for part in self._qkv(x_BLD).split(sizes, dim=-1)
        )
        if self._head_norms is not None:
            query, key = self._head_norms[0](query), self._head_norms[1](key)
        if step.angles is not None:
            query, key = (_rotated(part, *step.angles) for part in (query, key))
        kept[0].index_copy_(2, step.rows_L, key)
        kept[1].index_copy_(2, step.rows_L, value)
        mixed = self._mixed(query, kept[:, :, :, : step.span], step.masks[self._window])
        return self._out(mixed.transpose(1, 2).reshape(batch, length, spec.q_rows))

    def _mixed(self, query: torch.Tensor, kept: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        spec, (key, value) = self._spec, kept
        if spec.attention_softcap is None:
            return functional.scaled_dot_product_attention(
                query,
                key,
                value,
                attn_mask=mask,
                scale=spec.attention_scale,
                enable_gqa=spec.kv_heads != spec.heads,
            )
        groups = spec.heads // spec.kv_heads
        key, value = (part.repeat_interleave(groups, dim=1) for part in (key, value))
        scores = query @ key.transpose(-1, -2) * spec.score_scale
        scores = spec.attention_softcap * torch.tanh(scores / spec.attention_softcap)
        return (scores + mask).softmax(-1) @ value

    def _feed_forward(self, x: torch.Tensor) -> torch.Tensor:
        if self._gate is None:
            return self._down(self._activated(self._up(x)))
        return self._down(self._activated(self._gate(x)) * self._up(x))

    def _activated(self, x: torch.Tensor) -> torch.Tensor:
        kind = self._spec.activation
        if kind == "relu":
            return functional.relu(x)
        if kind == "silu":
            return functional.silu(x)
        return functional.gelu(x, approximate="none" if kind == "gelu" else "tanh")


def _rotated(heads_BHLW: torch.Tensor, cosines: torch.Tensor, sines: torch.Tensor) -> torch.Tensor:
    """Rotary embedding of the leading part of each head (Su et al. 2021, arXiv:2104.09864)."""
    half = cosines.shape[-1]
    one, two, rest = heads_BHLW.tensor_split((half, 2 * half), dim=-1)
    return torch.cat((one * cosines - two * sines, two * cosines + one * sines, rest), dim=-1)
