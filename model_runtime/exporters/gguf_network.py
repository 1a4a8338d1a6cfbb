"""The network in a GGUF file: which of llama.cpp's architectures computes it, and its tensors.

llama.cpp has an architecture for each family of models (its src/models; ggml's docs/gguf.md for the
keys).  The first one that computes all that a decoder says is taken.  Its GELU is the tanh
approximation in every architecture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from model_runtime.models.decoder import EMBEDDING, HEAD, DecoderSpec
from model_runtime.models.positions import Alibi, Rope

if TYPE_CHECKING:
    from gguf import GGUFWriter

ALL_BIASES = frozenset({"qkv", "attention_out", "mlp", "norm"})


class GgufTensor(NamedTuple):
    """One tensor of a file, made of the rows of one of a bundle."""

    name: str
    """Name in the file."""
    source: str
    """Canonical name of the bundle's tensor."""
    rows: slice
    """Rows of the source."""
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class GgufArchitecture:
    """One of llama.cpp's architectures."""

    name: str
    """Value of `general.architecture`."""
    lacks: Callable[[DecoderSpec], dict[str, bool]]
    """A function from a decoder to what the architecture lacks -> whether the decoder needs it."""
    joins_qkv: bool = False
    """Whether queries, keys and values are one matrix."""
    needs_head: bool = False
    """Whether a tied output matrix is written out."""

    def missing(self, spec: DecoderSpec) -> list[str]:
        """Returns what a decoder needs and this architecture does not compute."""
        always = {
            "ALiBi": isinstance(spec.positions, Alibi),
            "decoders without positions": spec.positions is None,
            "scaled rotary positions": isinstance(spec.positions, Rope)
            and spec.positions.scaling is not None,
            "sliding windows": bool(spec.windows),
            "norms of queries and keys": spec.qk_norm,
            "norms behind blocks": spec.post_norms,
            "another scale of attention": spec.attention_scale is not None,
            "scaled logits": spec.logit_scale != 1,
            "a scaled residual stream": spec.residual_scale != 1,
            "soft-caps": (spec.attention_softcap or spec.logit_softcap) is not None,
        }
        return [name for name, needed in (always | self.lacks(spec)).items() if needed]


def _neox_lacks(spec: DecoderSpec) -> dict[str, bool]:
    return {
        "ReLU": spec.activation == "relu",
        "SiLU": spec.activation == "silu",
        "gated feed-forward parts": spec.mlp == "gated",
        "RMS norms": spec.norm == "rms",
        "grouped heads": spec.kv_heads != spec.heads,
        "heads that are wider than the model": spec.q_rows != spec.hidden,
        "layers without biases": spec.biases != ALL_BIASES,
        "a scaled embedding": spec.embedding_scale != 1,
    }


ARCHITECTURES = (GgufArchitecture("gptneox", _neox_lacks, joins_qkv=True, needs_head=True),)


def architecture_for(spec: DecoderSpec) -> GgufArchitecture | str:
    """Returns the architecture that computes a decoder, or what the nearest one lacks, in words."""
    missing = {architecture: architecture.missing(spec) for architecture in ARCHITECTURES}
    nearest = min(missing, key=lambda one: len(missing[one]))
    if not missing[nearest]:
        return nearest
    return f"llama.cpp's {nearest.name} does not compute {' and '.join(missing[nearest])}"


def add_network(writer: GGUFWriter, spec: DecoderSpec, context_length: int) -> None:
    """Adds the keys that say how the network is built."""
    writer.add_context_length(context_length)
    writer.add_embedding_length(spec.hidden)
    writer.add_block_count(spec.layers)
    writer.add_feed_forward_length(spec.intermediate)
    writer.add_head_count(spec.heads)
    if spec.kv_heads != spec.heads:
        writer.add_head_count_kv(spec.kv_heads)
    if spec.q_rows != spec.hidden:
        writer.add_key_length(spec.head_dim)
        writer.add_value_length(spec.head_dim)
    assert isinstance(spec.positions, Rope)
    writer.add_rope_dimension_count(spec.positions.dim)
    writer.add_rope_freq_base(spec.positions.base)
    if spec.norm == "rms":
        writer.add_layer_norm_rms_eps(spec.norm_epsilon)
    else:
        writer.add_layer_norm_eps(spec.norm_epsilon)
    writer.add_parallel_residual(spec.residual == "parallel")


_NAMES = {
    "embedding": "token_embd",
    "attention_norm": "attn_norm",
    "attention.qkv": "attn_qkv",
    "attention.out": "attn_output",
    "mlp_norm": "ffn_norm",
    "mlp.up": "ffn_up",
    "mlp.gate": "ffn_gate",
    "mlp.down": "ffn_down",
    "final_norm": "output_norm",
    "head": "output",
}
"""Canonical name of a part -> GGUF's."""


def gguf_tensors(spec: DecoderSpec, architecture: GgufArchitecture) -> Iterator[GgufTensor]:
    """Yields every tensor of the file in the order of the forward pass."""
    for source, shape in spec.tensor_shapes().items():
        name = _gguf_name(source)
        if ".attn_qkv." not in name or architecture.joins_qkv:
            yield GgufTensor(name, source, slice(None), shape)
            continue
        start = 0
        for part, rows in (("q", spec.q_rows), ("k", spec.kv_rows), ("v", spec.kv_rows)):
            of_part = name.replace(".attn_qkv.", f".attn_{part}.")
            yield GgufTensor(of_part, source, slice(start, start + rows), (rows, *shape[1:]))
            start += rows
    if spec.tied and architecture.needs_head:
        yield GgufTensor(_gguf_name(HEAD), EMBEDDING, slice(None), (spec.vocab, spec.hidden))


def _gguf_name(canonical: str) -> str:
    """Returns GGUF's name of a whole canonical tensor.

    >>> _gguf_name("layers.3.mlp.up.bias")
    'blk.3.ffn_up.bias'
    """
    part, _, kind = canonical.rpartition(".")
    if not part.startswith("layers."):
        return f"{_NAMES[part]}.{kind}"
    _, number, inner = part.split(".", 2)
    return f"blk.{number}.{_NAMES[inner]}.{kind}"
