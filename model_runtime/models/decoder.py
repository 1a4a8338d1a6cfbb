"""The forward pass of a decoder-only transformer, as data; engines, exporters and tests read it.

Weights have the same names and layout in every model, whatever its checkpoint calls them:

    embedding.weight                        [vocab, hidden]
    layers.N.attention_norm.weight, .bias   [hidden]
    layers.N.attention.qkv.weight, .bias    [(heads + 2 kv_heads) * head_dim, hidden]: the rows of
                                            all queries, then all keys, then all values
    layers.N.attention.q_norm.weight        [head_dim], and k_norm; only with `qk_norm`
    layers.N.attention.out.weight, .bias    [hidden, heads * head_dim]
    layers.N.attention_post_norm.weight     [hidden]; only with `post_norms`
    layers.N.mlp_norm.weight, .bias         [hidden]
    layers.N.mlp.up.weight, .bias           [intermediate, hidden]
    layers.N.mlp.gate.weight, .bias         [intermediate, hidden]; only where `mlp` is gated
    layers.N.mlp.down.weight, .bias         [hidden, intermediate]
    layers.N.mlp_post_norm.weight           [hidden]; only with `post_norms`
    final_norm.weight, .bias                [hidden]
    head.weight                             [vocab, hidden]; only where it is not tied

A bias is there where `biases` names its part.  One layer computes, with residual "sequential":

    x = x + residual_scale * post_norm(out(attention(qkv(norm(x)))))
    x = x + residual_scale * post_norm(down(activation(gate(norm(x))) * up(norm(x))))

and with "parallel" both lines read the same x and their results are added to it.
"""

# Annotations are evaluated here: cattrs drops the ranges of those that are only text.

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from model_runtime.models.limits import Between
from model_runtime.models.positions import Alibi, Positions, Rope

EMBEDDING, HEAD, FINAL_NORM = "embedding.weight", "head.weight", "final_norm"

Biased = Literal["qkv", "attention_out", "mlp", "norm"]
"""A part of each layer that may have biases; "norm" is the final one, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderSpec:
    """All that an engine must know to run the weights."""

    layers: Annotated[int, Between(1, 1024)]
    hidden: Annotated[int, Between(1, 2**16)]
    vocab: Annotated[int, Between(1, 2**22)]
    """Rows of the embedding; may exceed the tokenizer's size."""
    intermediate: Annotated[int, Between(1, 2**19)]
    """Width of the feed-forward part."""
    heads: Annotated[int, Between(1, 2**16)]
    kv_heads: Annotated[int, Between(1, 2**16)]
    """Heads of the keys and values; groups of `heads / kv_heads` queries share one."""
    head_dim: Annotated[int, Between(1, 2**12)]
    norm: Literal["layer", "rms"]
    norm_epsilon: Annotated[float, Between(1e-20, 1)]
    post_norms: bool = False
    """Whether the output of attention and of the feed-forward part is normalized, too."""
    residual: Literal["sequential", "parallel"] = "sequential"
    mlp: Literal["plain", "gated"]
    activation: Literal["gelu", "gelu_tanh", "relu", "silu"]
    biases: frozenset[Biased] = frozenset()
    positions: Positions | None
    """None where attention sees no positions at all."""
    qk_norm: bool = False
    """Whether each head's queries and keys are normalized (RMS) before they are rotated."""
    windows: tuple[Annotated[int, Between(1, 2**20)] | None, ...] = ()
    """Last positions, its own included, that attention of each layer sees; None sees all.  Empty
    where every layer sees all."""
    attention_scale: Annotated[float, Between(1e-6, 1e3)] | None = None
    """Factor of the scores; None is `head_dim ** -0.5`."""
    attention_softcap: Annotated[float, Between(1e-3, 1e6)] | None = None
    """`cap * tanh(score / cap)` takes the place of each score."""
    logit_softcap: Annotated[float, Between(1e-3, 1e6)] | None = None
    """`cap * tanh(logit / cap)` takes the place of each logit."""
    logit_scale: Annotated[float, Between(1e-6, 1e6)] = 1.0
    """Factor of each logit, before its soft-cap."""
    embedding_scale: Annotated[float, Between(1e-6, 1e6)] = 1.0
    """Factor of the embedding's rows, but not of a tied output matrix."""
    residual_scale: Annotated[float, Between(1e-6, 1e3)] = 1.0
    """Factor of what attention and the feed-forward part add to the residual stream."""
    tied: bool
    """Whether the embedding is also the output matrix."""

    @property
    def q_rows(self) -> int:
        """Rows of all queries; also the width of what attention gives to its output matrix."""
        return self.heads * self.head_dim

    @property
    def kv_rows(self) -> int:
        """Rows of all keys, and as many of all values."""
        return self.kv_heads * self.head_dim

    @property
    def score_scale(self) -> float:
        """Factor of the attention scores."""
        return self.head_dim**-0.5 if self.attention_scale is None else self.attention_scale

    @property
    def position_kind(self) -> Literal["rotary", "alibi", "none"]:
        """The kind of positions in one word, for people."""
        if self.positions is None:
            return "none"
        return "alibi" if isinstance(self.positions, Alibi) else "rotary"

    def window(self, layer: int) -> int | None:
        """Returns how many positions one layer sees, its own included; None sees all."""
        return self.windows[layer] if self.windows else None

    def problems(self) -> list[str]:
        """Returns what is wrong with these numbers, in words; nothing where they make a model."""
        from model_runtime.models import schema

        return schema.problems(self) or self.conflicts()

    def conflicts(self) -> list[str]:
        """Returns what is wrong with numbers that lie within their ranges but do not fit together.

        Each entry is a sentence that begins with the name of a field.
        """
        found = []
        if self.heads % self.kv_heads:
            found.append(f"heads {self.heads} is no multiple of kv_heads {self.kv_heads}")
        if self.windows and len(self.windows) != self.layers:
            found.append(f"windows has {len(self.windows)} entries for {self.layers} layers")
        if self.norm == "rms" and "norm" in self.biases:
            found.append('biases names "norm", and an RMS norm has none')
        if isinstance(self.positions, Rope):
            found += [f"positions.{problem}" for problem in self._rope_conflicts(self.positions)]
        return found

    def _rope_conflicts(self, rope: Rope) -> list[str]:
        if rope.dim % 2 or rope.dim > self.head_dim:
            return [f"dim {rope.dim} must be even and within the head's {self.head_dim}"]
        scaling = rope.scaling
        high = getattr(scaling, "high_frequency_factor", 2)
        if high <= getattr(scaling, "low_frequency_factor", 1):
            return ["scaling.high_frequency_factor must exceed low_frequency_factor"]
        return []

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Returns name -> shape of every weight, in the order of the forward pass."""
        hidden, inner = self.hidden, self.intermediate
        shapes: dict[str, tuple[int, ...]] = {EMBEDDING: (self.vocab, hidden)}
        for number in range(self.layers):
            layer = layer_prefix(number)
            shapes |= self._norm_shapes(f"{layer}attention_norm")
            rows = self.q_rows + 2 * self.kv_rows
            shapes |= self._linear_shapes(f"{layer}attention.qkv", (rows, hidden), "qkv")
            if self.qk_norm:
                shapes[f"{layer}attention.q_norm.weight"] = (self.head_dim,)
                shapes[f"{layer}attention.k_norm.weight"] = (self.head_dim,)
            size = (hidden, self.q_rows)
            shapes |= self._linear_shapes(f"{layer}attention.out", size, "attention_out")
            if self.post_norms:
                shapes |= self._norm_shapes(f"{layer}attention_post_norm")
            shapes |= self._norm_shapes(f"{layer}mlp_norm")
            for name in ("up", "gate") if self.mlp == "gated" else ("up",):
                shapes |= self._linear_shapes(f"{layer}mlp.{name}", (inner, hidden), "mlp")
            shapes |= self._linear_shapes(f"{layer}mlp.down", (hidden, inner), "mlp")
            if self.post_norms:
                shapes |= self._norm_shapes(f"{layer}mlp_post_norm")
        shapes |= self._norm_shapes(FINAL_NORM)
        if not self.tied:
            shapes[HEAD] = (self.vocab, hidden)
        return shapes

    def _norm_shapes(self, name: str) -> dict[str, tuple[int, ...]]:
        kinds = ("weight", "bias") if "norm" in self.biases else ("weight",)
        return {f"{name}.{kind}": (self.hidden,) for kind in kinds}

    def _linear_shapes(
        self, name: str, size: tuple[int, int], part: Biased
    ) -> dict[str, tuple[int, ...]]:
        shapes: dict[str, tuple[int, ...]] = {f"{name}.weight": size}
        if part in self.biases:
            shapes[f"{name}.bias"] = size[:1]
        return shapes

    def count_parameters(self) -> int:
        """Returns the number of weights; a tied matrix counts once."""
        return sum(math.prod(shape) for shape in self.tensor_shapes().values())

    def kv_bytes_per_token(self, itemsize: int = 4) -> int:
        """Returns the bytes of the keys and values of one cached token.

        Args:
            itemsize: bytes of one number; 4 is float32.
        """
        return 2 * self.layers * self.kv_rows * itemsize


def layer_prefix(number: int) -> str:
    """Returns the leading part of the names of one layer's tensors."""
    return f"layers.{number}."
