"""The settings of a Hugging Face config.json, each read with its type checked."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from model_runtime.errors import ConversionError, shown
from model_runtime.models.positions import (
    LinearScaling,
    Llama3Scaling,
    Rope,
    Scaling,
    YarnScaling,
)

ELSEWHERE = "serve this model by llama-server or vLLM"
"""Remedy where no engine here computes what a model needs; the end of a sentence."""

Activation = Literal["gelu", "gelu_tanh", "relu", "silu"]

_ACTIVATIONS: dict[str, Activation] = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
}
"""Hugging Face's names; three of them are spellings of the tanh approximation."""


_SLIDING, _FULL = "sliding_attention", "full_attention"
_MAX_LAYERS = 1024
"""More are refused anyhow, and no list of that length is made of a number in a file."""


class Settings:
    """A config.json; errors name its path."""

    def __init__(self, raw: Mapping[str, Any], path: Path) -> None:
        self._raw = raw
        self.path = path

    def get(self, name: str, default: object = None) -> Any:
        """Returns a setting as it stands; null is as good as absent."""
        value = self._raw.get(name)
        return default if value is None else value

    def integer(self, name: str, default: int | None = None) -> int:
        """Returns a whole number.

        Raises:
            KeyError: it is missing and has no default.
            TypeError: it is something else.
        """
        return _integer(self._required(name, default))

    def number(self, name: str, default: float | None = None) -> float:
        """Returns a number; raises as `integer`."""
        return _number(self._required(name, default))

    def boolean(self, name: str, default: bool) -> bool:
        """Returns true or false; raises as `integer`."""
        value = self.get(name, default)
        if not isinstance(value, bool):
            raise TypeError(f"{shown(value)} is neither true nor false")
        return value

    def activation(self, name: str, default: str) -> Activation:
        """Returns the activation function under our name.

        Raises:
            ConversionError: no engine implements it.
        """
        value = self.get(name, default)
        if not isinstance(value, str) or value not in _ACTIVATIONS:
            raise ConversionError(
                f"{self.path}: activation {shown(value)} is not supported; {ELSEWHERE}"
            )
        return _ACTIVATIONS[value]

    def nullable(self, name: str, absent: float | None = None) -> float | None:
        """Returns a number, or None for null; `absent` where the setting is not there at all."""
        value = self._raw.get(name, absent)
        return None if value is None else _number(value)

    def windows(
        self, layers: int, absent: int | None, is_usual: Callable[[int], bool]
    ) -> tuple[int | None, ...]:
        """Returns the sliding window of each layer; nothing where every layer sees all.

        Args:
            layers: how many there are.
            absent: width where the settings do not say `sliding_window`.
            is_usual: whether the layer of a number has the window, without `layer_types`.

        Raises:
            ConversionError: a layer is of another type.
        """
        width, kinds = self.nullable("sliding_window", absent), self.get("layer_types")
        if width is None or not 1 <= layers <= _MAX_LAYERS:
            return ()
        if kinds is None:
            kinds = [_SLIDING if is_usual(number) else _FULL for number in range(layers)]
        if other := [kind for kind in kinds if kind not in (_SLIDING, _FULL)]:
            raise ConversionError(
                f"{self.path}: layer type {shown(other[0])} is not supported; {ELSEWHERE}"
            )
        found = tuple(int(width) if kind == _SLIDING else None for kind in kinds)
        return found if any(found) else ()

    def rope(self, head_dim: int, *, fraction: float = 1.0, base: float = 10000.0) -> Rope | None:
        """Returns the rotary settings in either spelling; None where nothing is rotated.

        Transformers 4 writes `rope_theta`, `rope_scaling` and `partial_rotary_factor` (GPT-NeoX
        `rotary_emb_base` and `rotary_pct`), version 5 `rope_parameters`.

        Args:
            head_dim: width of a head.
            fraction: part of each head that is rotated where the settings do not say.
            base: of the wavelengths, where the settings do not say.

        Raises:
            ConversionError: two spellings disagree, or the scaling is none that engines know.
        """
        rope = self.get("rope_parameters") or self.get("rope_scaling") or {}
        if not isinstance(rope, Mapping):
            raise ConversionError(f"{self.path}: rope_parameters is no JSON object")
        fractions = self.get("rotary_pct"), rope.get("partial_rotary_factor")
        fraction = self._agreed(
            "rotary fraction", (*fractions, self.get("partial_rotary_factor")), fraction
        )
        bases = self.get("rotary_emb_base"), rope.get("rope_theta"), self.get("rope_theta")
        base = self._agreed("rotary base", bases, base)
        dim = int(fraction * head_dim)
        return Rope(dim=dim, base=base, scaling=self._scaling(rope)) if dim else None

    def _scaling(self, rope: Mapping[str, Any]) -> Scaling | None:
        kind = rope.get("rope_type") or rope.get("type") or "default"
        if kind == "default":
            return None
        try:
            return _SCALINGS[kind](self, rope)
        except (KeyError, TypeError) as error:
            if kind in _SCALINGS:
                raise
            known = ", ".join(["default", *_SCALINGS])
            raise ConversionError(
                f"{self.path}: rotary scaling {shown(kind)} is not supported, only {known}; "
                f"{ELSEWHERE}"
            ) from error

    def _original_context(self, rope: Mapping[str, Any]) -> int:
        given = rope.get("original_max_position_embeddings")
        return _integer(given) if given is not None else self.integer("max_position_embeddings")

    def _linear(self, rope: Mapping[str, Any]) -> Scaling:
        return LinearScaling(factor=_number(rope["factor"]))

    def _llama3(self, rope: Mapping[str, Any]) -> Scaling:
        return Llama3Scaling(
            factor=_number(rope["factor"]),
            low_frequency_factor=_number(rope["low_freq_factor"]),
            high_frequency_factor=_number(rope["high_freq_factor"]),
            original_context=self._original_context(rope),
        )

    def _yarn(self, rope: Mapping[str, Any]) -> Scaling:
        if {"mscale", "mscale_all_dim"} & rope.keys() or rope.get("truncate", True) is not True:
            raise ConversionError(
                f"{self.path}: this form of rotary scaling yarn is not supported; {ELSEWHERE}"
            )
        factor = _number(rope["factor"])
        given = rope.get("attention_factor")
        usual = 0.1 * math.log(factor) + 1 if factor > 1 else 1.0
        return YarnScaling(
            factor=factor,
            original_context=self._original_context(rope),
            beta_fast=_number(rope.get("beta_fast") or 32),
            beta_slow=_number(rope.get("beta_slow") or 1),
            attention_factor=usual if given is None else _number(given),
        )

    def _agreed(self, what: str, spellings: Iterable[object], default: float) -> float:
        """The one value among several spellings of a setting."""
        values = {_number(value) for value in spellings if value is not None}
        if len(values) > 1:
            raise ConversionError(
                f"{self.path} gives the {what} in two spellings with different values "
                f"{sorted(values)}; correct the wrong one"
            )
        return values.pop() if values else default

    def _required(self, name: str, default: object) -> Any:
        value = self.get(name, default)
        if value is None:
            raise KeyError(name)
        return value


_SCALINGS = {"linear": Settings._linear, "llama3": Settings._llama3, "yarn": Settings._yarn}


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{shown(value)} is no number")
    return float(value)


def _integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{shown(value)} is no whole number")
    return value
