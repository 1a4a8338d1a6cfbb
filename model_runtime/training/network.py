"""A GPT-NeoX decoder whose weights carry the names that transformers gives them.

    N = tokens of a batch, all rows one after the other     d = width
    H = heads                                               k = width of a head, d / H

All products but attention see one flat list of tokens.  Attention is cut into segments: rows of one
length (one fused call, for accelerators) or single examples (`segment_attention.py`), which costs
the sum of the squared example lengths, not of the row lengths, and no example sees its neighbours,
as in serving.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from model_runtime.training.alibi import alibi_bias
from model_runtime.training.segment_attention import rotary_attention

Segments = int | Sequence[int]
"""Length of every segment if they are equal, else one length per segment; they sum to N."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes and switches from which the network is built."""

    layers: int
    width: int
    heads: int
    vocabulary: int
    context: int
    positions: str = "rotary"
    """`rotary`, or `alibi`, which needs rows of one length."""
    rotary_share: float = 1.0
    """Share of each head that is rotated."""
    rotary_base: float = 10_000.0
    tied: bool = True
    """Whether the output head is the embedding."""
    parallel_residual: bool = True
    """Whether attention and feed-forward stand beside each other; else one follows the other."""

    @property
    def head_width(self) -> int:
        """Width of a head."""
        return self.width // self.heads

    @property
    def rotated(self) -> int:
        """Dimensions of a head that are rotated, an even number."""
        return int(self.head_width * self.rotary_share) // 2 * 2


class Attention(nn.Module):
    """Causal self-attention within segments."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.query_key_value = nn.Linear(shape.width, 3 * shape.width)
        self.dense = nn.Linear(shape.width, shape.width)

    def forward(self, x_Nd: Tensor, angles: Angles, segments: Segments) -> Tensor:
        """Mixes each token with the tokens before it in its segment."""
        H, k = self.shape.heads, self.shape.head_width
        # GPT-NeoX lays the outputs out per head: q, k, v of head 0, then those of head 1.
        qkv_NH3k = self.query_key_value(x_Nd).view(-1, H, 3 * k)
        if not isinstance(segments, int):
            mixed_NHk = rotary_attention(qkv_NH3k, *angles.of_half(), segments)
            return self._joined(mixed_NHk)
        q_NHk, k_NHk, v_NHk = qkv_NH3k.split(k, dim=-1)
        q_NHk, k_NHk = angles.rotate(q_NHk), angles.rotate(k_NHk)
        return self._joined(attend(q_NHk, k_NHk, v_NHk, segments, angles.bias))

    def _joined(self, mixed_NHk: Tensor) -> Tensor:
        out_Nd: Tensor = self.dense(mixed_NHk.reshape(-1, self.shape.width))
        return out_Nd


def attend(q: Tensor, k: Tensor, v: Tensor, length: int, bias: Tensor | None) -> Tensor:
    """Returns the attention of [N, H, k] tensors whose segments have one length, fused."""
    q, k, v = (x.view(-1, length, *x.shape[1:]).transpose(1, 2) for x in (q, k, v))
    mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, is_causal=bias is None)
    return mixed.transpose(1, 2).flatten(0, 1)


class FeedForward(nn.Module):
    """Two products with a GELU between; four times as wide inside."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.dense_h_to_4h = nn.Linear(shape.width, 4 * shape.width)
        self.dense_4h_to_h = nn.Linear(4 * shape.width, shape.width)

    def forward(self, x_Nd: Tensor) -> Tensor:
        """Returns the result [N, d], which for each token depends on that token alone."""
        out_Nd: Tensor = self.dense_4h_to_h(F.gelu(self.dense_h_to_4h(x_Nd)))
        return out_Nd


class Layer(nn.Module):
    """Attention and feed-forward, beside each other or one after the other."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.parallel_residual = shape.parallel_residual
        self.recompute = False
        """Whether activations are computed a second time instead of kept (arXiv:1604.06174)."""
        self.input_layernorm = nn.LayerNorm(shape.width)
        self.post_attention_layernorm = nn.LayerNorm(shape.width)
        self.attention = Attention(shape)
        self.mlp = FeedForward(shape)

    def forward(self, x_Nd: Tensor, angles: Angles, segments: Segments) -> Tensor:
        """Returns the residual stream [N, d] behind this layer."""
        if self.recompute and torch.is_grad_enabled():
            out_Nd: Tensor = checkpoint(self._mix, x_Nd, angles, segments, use_reentrant=False)
            return out_Nd
        return self._mix(x_Nd, angles, segments)

    def _mix(self, x_Nd: Tensor, angles: Angles, segments: Segments) -> Tensor:
        mixed_Nd: Tensor = x_Nd + self.attention(self.input_layernorm(x_Nd), angles, segments)
        if self.parallel_residual:  # both read the same stream
            fed_Nd: Tensor = self.mlp(self.post_attention_layernorm(x_Nd))
        else:
            fed_Nd = self.mlp(self.post_attention_layernorm(mixed_Nd))
        return mixed_Nd + fed_Nd


class Trunk(nn.Module):
    """Everything but the output head; named `gpt_neox` in transformers."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.embed_in = nn.Embedding(shape.vocabulary, shape.width)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.final_layer_norm = nn.LayerNorm(shape.width)


class TrainingNetwork(nn.Module):
    """The network as it is trained: token ids in, hidden states out."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        if shape.width % shape.heads:
            raise ValueError(f"width {shape.width} is not a multiple of {shape.heads} heads")
        self.shape = shape
        self.gpt_neox = Trunk(shape)
        if not shape.tied:
            self.embed_out = nn.Linear(shape.width, shape.vocabulary, bias=False)
        initialize(self, shape)

    @property
    def head(self) -> Tensor:
        """Weight of the output head, [vocabulary, d]; the embedding's where they are tied."""
        return (self.gpt_neox.embed_in if self.shape.tied else self.embed_out).weight

    def forward(
        self,
        ids_N: Tensor,
        places_N: Tensor,
        segments: Segments,
        dtype: torch.dtype,
    ) -> Tensor:
        """Returns hidden states [N, d] after the final norm; logits are `hidden @ head.T`.

        Args:
            ids_N: int64.
            places_N: int64, place of each token in its segment, from 0.
            segments: lengths of the segments.
            dtype: of products and of the residual stream; sums inside norms are float32.
        """
        angles = Angles.of(self.shape, places_N, segments, dtype)
        with torch.autocast(ids_N.device.type, dtype, enabled=dtype is not torch.float32):
            x_Nd = self.gpt_neox.embed_in(ids_N).to(dtype)
            for layer in self.gpt_neox.layers:
                x_Nd = layer(x_Nd, angles, segments)
            normed_Nd: Tensor = self.gpt_neox.final_layer_norm(x_Nd)
            return normed_Nd.to(dtype)


@dataclass(frozen=True, slots=True)
class Angles:
    """Positions of the tokens: cosines and sines to rotate by, or ALiBi's bias."""

    cos: Tensor | None
    sin: Tensor | None
    bias: Tensor | None = None

    @classmethod
    def of(
        cls,
        shape: Shape,
        places_N: Tensor,
        segments: Segments,
        dtype: torch.dtype,
    ) -> Angles:
        """Returns the angles of tokens at these places of their segments."""
        if shape.positions == "alibi":
            if not isinstance(segments, int):
                raise ValueError("ALiBi needs rows of one length")
            return cls(None, None, alibi_bias(shape.heads, segments, places_N.device).to(dtype))
        half = torch.arange(0, shape.rotated, 2, device=places_N.device).float() / shape.rotated
        angle_Nr = places_N[:, None].float() * (1.0 / shape.rotary_base**half)
        angle_N1r = torch.cat((angle_Nr, angle_Nr), dim=-1)[:, None]
        return cls(angle_N1r.cos().to(dtype), angle_N1r.sin().to(dtype))

    def of_half(self) -> tuple[Tensor, Tensor]:
        """Returns the cosines and sines of the first half of the rotated dimensions, [N, r / 2].

        The second half has the same ones.
        """
        if self.cos is None or self.sin is None:
            raise ValueError("there are no rotary positions")
        half = self.cos.shape[-1] // 2
        return self.cos[:, 0, :half], self.sin[:, 0, :half]

    def rotate(self, x_NHk: Tensor) -> Tensor:
        """Returns [N, H, k] after the rotary embedding (arXiv:2104.09864), half-split as in GPT-
        NeoX.
        """
        if self.cos is None or self.sin is None:
            return x_NHk
        r = self.cos.shape[-1]
        turned, kept = x_NHk[..., :r], x_NHk[..., r:]
        first, second = turned.chunk(2, dim=-1)
        turned = turned * self.cos + torch.cat((-second, first), dim=-1) * self.sin
        return torch.cat((turned, kept), dim=-1) if kept.shape[-1] else turned


def initialize(network: TrainingNetwork, shape: Shape) -> None:
    """Draws the weights: small ones, and Wang's for what writes to the residual stream, as GPT-NeoX
    does.
    """
    small = math.sqrt(2 / (5 * shape.width))
    output = 2 / (shape.layers * math.sqrt(shape.width))
    for name, weight in network.named_parameters():
        writes = name.endswith(("attention.dense.weight", "dense_4h_to_h.weight"))
        if weight.ndim == 2:
            nn.init.normal_(weight, std=output if writes else small)
        elif name.endswith("bias"):
            nn.init.zeros_(weight)


def flops_per_token(shape: Shape, length: float) -> float:
    """Returns 6 x weights in products, head included, + 12 x layers x width x length."""
    weights = 12 * shape.layers * shape.width**2 + shape.vocabulary * shape.width
    return 6 * weights + 12 * shape.layers * shape.width * length
