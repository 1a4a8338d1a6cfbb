"""The GPT-NeoX architecture: its settings, as config.json spells them, and its tensors.

Two spellings of the rotary settings are in use: `rotary_pct` and `rotary_emb_base` (transformers
4), and `rope_parameters` with `partial_rotary_factor` and `rope_theta` (transformers 5).  Both are
read; where both are given they must agree.  Tensor names are those of Hugging Face checkpoints; Q,
K and V stay interleaved per head.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_runtime import model_files
from model_runtime.errors import ConversionError, shown

EMBEDDING = "gpt_neox.embed_in.weight"
HEAD = "embed_out.weight"
"""The output matrix of a model that is not tied; some files call it lm_head.weight."""
FINAL_NORM = "gpt_neox.final_layer_norm"

ALIBI_TYPE = "gpt_neox_alibi"
"""Hugging Face's GPT-NeoX would rotate the heads of a model with ALiBi and say nothing, so our
exports of such a model name a type that it refuses."""
MODEL_TYPES = ("gpt_neox", ALIBI_TYPE)

_ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_pytorch_tanh",
    "gelu_fast": "gelu_pytorch_tanh",
    "gelu_pytorch_tanh": "gelu_pytorch_tanh",
    "relu": "relu",
}
ACTIVATIONS = frozenset(_ACTIVATIONS.values())
"""What every engine implements; the three spellings of the tanh approximation are one."""

_MAX_SIZES = {
    "layers": 1024,
    "hidden": 2**16,
    "heads": 2**16,
    "vocab": 2**22,
    "intermediate": 2**19,
}
"""Several times what the largest models have, and far from what memory cannot hold."""
MAX_CONTEXT = 2**20
"""Tokens of a context at the most, for the same reason."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """All that an engine must know to run the weights, but for the kind of position embedding."""

    layers: int
    hidden: int
    heads: int
    vocab: int
    """Rows of the embedding; may exceed the tokenizer's size."""
    intermediate: int
    activation: str
    parallel_residual: bool
    norm_epsilon: float
    rotary_dim: int
    """Leading dimensions of each head that are rotated; 0 with ALiBi."""
    rotary_base: float
    tied: bool
    """The embedding is also the output matrix."""

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.hidden // self.heads

    def problems(self) -> list[str]:
        """What is wrong with these numbers, in words; empty when they make a model."""
        found = [
            f"{name} must be at least 1 and at most {most}, not {shown(getattr(self, name))}"
            for name, most in _MAX_SIZES.items()
            if not 1 <= getattr(self, name) <= most
        ]
        if found:
            return found
        if self.hidden % self.heads:
            found.append(f"hidden {self.hidden} is no multiple of heads {self.heads}")
        if self.rotary_dim % 2 or not 0 <= self.rotary_dim <= self.head_dim:
            found.append(
                f"rotary_dim {shown(self.rotary_dim)} must be even and within the head's "
                f"{self.head_dim}"
            )
        if self.activation not in ACTIVATIONS:
            found.append(f"activation {shown(self.activation)} is not one of {sorted(ACTIVATIONS)}")
        if not 0 < self.rotary_base <= sys.float_info.max:
            found.append(f"rotary_base must be positive, not {shown(self.rotary_base)}")
        if not 0 < self.norm_epsilon < 1:
            found.append(f"norm_epsilon must lie between 0 and 1, not {shown(self.norm_epsilon)}")
        return found

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Name -> shape of every weight, in the order of the forward pass."""
        hidden, inner = self.hidden, self.intermediate
        shapes: dict[str, tuple[int, ...]] = {EMBEDDING: (self.vocab, hidden)}
        linears = (
            ("attention.query_key_value", 3 * hidden, hidden),
            ("attention.dense", hidden, hidden),
            ("mlp.dense_h_to_4h", inner, hidden),
            ("mlp.dense_4h_to_h", hidden, inner),
        )
        for number in range(self.layers):
            layer = layer_prefix(number)
            for norm in ("input_layernorm", "post_attention_layernorm"):
                shapes[f"{layer}{norm}.weight"] = (hidden,)
                shapes[f"{layer}{norm}.bias"] = (hidden,)
            for name, rows, columns in linears:
                shapes[f"{layer}{name}.weight"] = (rows, columns)
                shapes[f"{layer}{name}.bias"] = (rows,)
        shapes[f"{FINAL_NORM}.weight"] = (hidden,)
        shapes[f"{FINAL_NORM}.bias"] = (hidden,)
        if not self.tied:
            shapes[HEAD] = (self.vocab, hidden)
        return shapes

    def count_parameters(self) -> int:
        """Number of weights; a tied matrix counts once."""
        return sum(math.prod(shape) for shape in self.tensor_shapes().values())

    def kv_bytes(self, tokens: int) -> int:
        """Bytes of the float32 keys and values of that many cached tokens."""
        return 2 * self.layers * self.hidden * 4 * tokens


@dataclass(frozen=True, slots=True)
class NeoxConfig:
    """What a Hugging Face config.json says."""

    architecture: Architecture
    max_positions: int
    alibi: bool
    """From `position_embedding_type`, our own addition: Hugging Face's GPT-NeoX knows no ALiBi."""


def alibi_slopes(heads: int) -> list[float]:
    """What one token of distance takes off an attention score, per head.

    A geometric series; where the number of heads is no power of two, every other slope of the next
    one is added (Press et al. 2021, arXiv:2108.12409, and its reference code).

    >>> alibi_slopes(4)
    [0.25, 0.0625, 0.015625, 0.00390625]
    """
    power = 2 ** (heads.bit_length() - 1)
    slopes = [2.0 ** (-8.0 * (number + 1) / power) for number in range(power)]
    finer = [2.0 ** (-4.0 * (number + 1) / power) for number in range(0, 2 * power, 2)]
    return slopes + finer[: heads - power]


def layer_prefix(number: int) -> str:
    """Leading part of the names of one layer's tensors."""
    return f"gpt_neox.layers.{number}."


def read_config(folder: Path) -> NeoxConfig:
    """Read `config.json` of a Hugging Face folder.

    Raises:
        ConversionError: missing or unreadable, another architecture, or settings that no engine
            here implements.
    """
    path = folder / "config.json"
    raw = read_json(folder, path.name)
    if raw.get("model_type") not in MODEL_TYPES:
        kind = shown(raw.get("model_type"))
        raise ConversionError(f"{path}: model_type is {kind}; only gpt_neox models can be added")
    try:
        return _parse(raw, path)
    except KeyError as error:
        raise ConversionError(f"{path}: the setting {error} is missing") from error
    except (TypeError, ValueError, OverflowError) as error:
        raise ConversionError(
            f"{path}: a setting has an impossible value ({error}); correct it"
        ) from error


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """A JSON object from a file of a folder that a model is added from.

    Raises:
        ConversionError: the file is missing, is a link, or holds something else.
    """
    path = model_files.source_file(folder, name, model_files.MAX_JSON_BYTES)
    if path is None:
        raise ConversionError(f"{folder / name} is missing; is this a Hugging Face folder?")
    try:
        return model_files.read_json(path)
    except (OSError, model_files.UnusableFile) as error:
        raise ConversionError(f"{path} cannot be used: {error}; fetch the model again") from error


def _parse(raw: Mapping[str, Any], path: Path) -> NeoxConfig:
    rope = raw.get("rope_parameters") or raw.get("rope_scaling") or {}
    if not isinstance(rope, Mapping):
        raise ConversionError(f"{path}: rope_parameters is no JSON object")
    kind = rope.get("rope_type") or rope.get("type") or "default"
    if kind != "default":
        raise ConversionError(
            f"{path}: rotary scaling {shown(kind)} is not supported, only 'default'"
        )
    fraction = _agreed(
        path,
        "rotary fraction",
        (
            raw.get("rotary_pct"),
            rope.get("partial_rotary_factor"),
            raw.get("partial_rotary_factor"),
        ),
        default=0.25,
    )
    base = _agreed(
        path,
        "rotary base",
        (raw.get("rotary_emb_base"), rope.get("rope_theta"), raw.get("rope_theta")),
        default=10000.0,
    )
    usual = "alibi" if raw.get("model_type") == ALIBI_TYPE else "rotary"
    positions = raw.get("position_embedding_type", usual)
    if positions not in ("rotary", "alibi"):
        raise ConversionError(
            f"{path}: position_embedding_type {shown(positions)} is not supported"
        )
    activation = str(raw.get("hidden_act", "gelu"))
    if activation not in _ACTIVATIONS:
        raise ConversionError(f"{path}: activation {shown(activation)} is not supported")
    hidden, heads = _integer(raw["hidden_size"]), _integer(raw["num_attention_heads"])
    architecture = Architecture(
        layers=_integer(raw["num_hidden_layers"]),
        hidden=hidden,
        heads=heads,
        vocab=_integer(raw["vocab_size"]),
        intermediate=_integer(raw.get("intermediate_size", 4 * hidden)),
        activation=_ACTIVATIONS[activation],
        parallel_residual=_boolean(raw.get("use_parallel_residual", True)),
        norm_epsilon=_number(raw.get("layer_norm_eps", 1e-5)),
        rotary_dim=0 if positions == "alibi" else int(fraction * (hidden // max(1, heads))),
        rotary_base=base,
        tied=_boolean(raw.get("tie_word_embeddings", False)),
    )
    if problems := architecture.problems():
        raise ConversionError(f"{path}: {'; '.join(problems)}")
    max_positions = _integer(raw.get("max_position_embeddings", 2048))
    if not 1 <= max_positions <= MAX_CONTEXT:
        raise ConversionError(
            f"{path}: max_position_embeddings must be at least 1 and at most {MAX_CONTEXT}, not "
            f"{shown(max_positions)}"
        )
    return NeoxConfig(architecture, max_positions, alibi=positions == "alibi")


def _agreed(path: Path, what: str, spellings: Iterable[object], default: float) -> float:
    """The one value among several spellings of a setting."""
    values = {_number(value) for value in spellings if value is not None}
    if len(values) > 1:
        raise ConversionError(
            f"{path} gives the {what} in two spellings with different values {sorted(values)}; "
            "correct the wrong one"
        )
    return values.pop() if values else default


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{shown(value)} is no number")
    return float(value)


def _integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{shown(value)} is no whole number")
    return value


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{shown(value)} is neither true nor false")
    return value
