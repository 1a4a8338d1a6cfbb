"""Predicts what a model would do on this machine: the memory that it takes, the time after a key.

The time is that of ONNX Runtime, which runs what is added.  One pass over ids reads every matrix
and the window's keys and values once, at the bandwidth of the machine, and multiplies for each
further id, at its speed:

    pass(n) = layers * a + b * bytes / bandwidth + (n - 1) * (products + c * attention) / speed

A large model in 8 bits has two forms of its weights, and each pass runs in the faster one; ids that
are decoded look at half of the output head's bytes (`onnx.forms`, `onnx.shortlist`).

`typed_keys` says how many ids a typist's keys read and write.  The constants come of models of 10
to 630 M weights on one machine; docs/which-model.md says how far off the predictions are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from model_runtime.engines.kept_budget import usual_budget
from model_runtime.engines.threads import LARGE_WEIGHTS
from model_runtime.machine.speed import MachineSpeed
from model_runtime.machine.typed_keys import MAX_SPELLED, Key, typed_keys
from model_runtime.models.decoder import DecoderSpec
from model_runtime.prompt.published import PUBLISHED

INT8_BYTES = 1 + 4 / 128
"""Bytes of a weight in a block of 128 that shares a scale."""
_FLOAT_BYTES = 4.0
WINDOW = 816
"""Ids of a prompt and its answer, as the settings have them by default."""

_LAYER_SECONDS = 0.0001
"""Time of a layer's small steps, and of handing them to the threads."""
_STREAMED = 1.3
"""Times as long as the probe's weights a model's own take to be read."""
_ATTENTION = 4
"""Multiplications of int8 that one of attention, in float32, takes as long as."""
_MIN_SHORTENED = 2**24
"""Weights of an output head above which decoding has a shortlist of it."""
_SHORTLIST = 0.5
"""Share of such a head's bytes that decoding reads."""
_KNOWN_MS = 1.0
"""Time to an answer that is known already."""
_ASKED_MS = 4.0
"""Time of all that is not the model's: context, tokenizer, filters."""

_BASE_BYTES = 130 * 10**6
"""Memory of a server without a model."""
_BYTES_PER_ID = 2_000
"""Memory of an id of the vocabulary: its text, tables to find it by, logits that are kept."""
_DERIVING_COPIES = 4
"""Bytes for each weight of the largest matrix while the engine's form is written."""


class ModelFacts(Protocol):
    """The facts that memory and time depend on; a row of the catalogue has them."""

    @property
    def parameters(self) -> int:
        """Number of weights; an embedding that is also the output matrix counts once."""

    @property
    def layers(self) -> int:
        """Number of layers."""

    @property
    def hidden(self) -> int:
        """Width of the residual stream."""

    @property
    def kv_width(self) -> int:
        """Numbers of the keys of one id in one layer."""

    @property
    def vocabulary(self) -> int:
        """Rows of the embedding."""

    @property
    def is_tied(self) -> bool:
        """Tells whether input and output share one embedding."""


class PublicFacts(ModelFacts, Protocol):
    """The same facts of a model that is known by the name of its prompt format."""

    @property
    def prompt_format(self) -> str:
        """Name of a published format; empty where none is known."""


@dataclass(frozen=True, slots=True)
class DecoderFacts:
    """The same facts of a model that is at hand."""

    parameters: int
    layers: int
    hidden: int
    kv_width: int
    vocabulary: int
    is_tied: bool

    @classmethod
    def of(cls, spec: DecoderSpec) -> DecoderFacts:
        """Returns those of a decoder."""
        return cls(
            parameters=spec.count_parameters(),
            layers=spec.layers,
            hidden=spec.hidden,
            kv_width=spec.kv_rows,
            vocabulary=spec.vocab,
            is_tied=spec.tied,
        )


def weight_bytes(dtype: str) -> float:
    """Returns the bytes of a weight in ONNX Runtime, by its number type in the bundle."""
    return INT8_BYTES if dtype == "int8" else _FLOAT_BYTES


def memory_needed(model: ModelFacts, *, bytes_each: float = INT8_BYTES) -> int:
    """Returns the bytes of memory that a server takes with a model, or while it prepares it.

    Args:
        model: the facts of it.
        bytes_each: bytes of a weight as the engine keeps it.
    """
    serving = _matrices(model) * bytes_each + usual_budget(_kv_bytes(model))
    preparing = _DERIVING_COPIES * model.vocabulary * model.hidden
    return int(_BASE_BYTES + _BYTES_PER_ID * model.vocabulary + max(serving, preparing))


def predicted_key_ms(model: PublicFacts, speed: MachineSpeed) -> float:
    """Returns the 95th percentile of the milliseconds from a key to its text, where one comes.

    Whatever the prompt's order, the hole is taken to begin at the start of the line, as `models
    add` finds to be better for most.
    """
    return p95_ms(model, speed, keys_of_format(model.prompt_format))


def keys_of_format(name: str) -> tuple[Key, ...]:
    """Returns a typist's keys with a published prompt format; of one that is unknown, the worst."""
    template: Sequence[Any] = PUBLISHED[name]["template"] if name in PUBLISHED else ()
    slots = [piece.get("slot") for piece in template if isinstance(piece, dict)]
    is_suffix_first = "suffix" in slots and slots.index("suffix") < slots.index("prefix")
    return typed_keys(is_suffix_first=is_suffix_first)


def p95_ms(
    model: ModelFacts,
    speed: MachineSpeed,
    keys: Sequence[Key],
    *,
    bytes_each: float = INT8_BYTES,
) -> float:
    """Returns the 95th percentile of the predicted milliseconds of these keys."""
    return percentile_95([key_ms(model, speed, key, bytes_each=bytes_each) for key in keys])


def percentile_95(milliseconds: Sequence[float]) -> float:
    """Returns the value that 95 of 100 do not exceed; 0 of nothing."""
    ordered = sorted(milliseconds)
    return ordered[int(len(ordered) * 0.95)] if ordered else 0.0


def key_ms(
    model: ModelFacts, speed: MachineSpeed, key: Key, *, bytes_each: float = INT8_BYTES
) -> float:
    """Returns the milliseconds from one key to its text.

    Args:
        model: the facts of it.
        speed: of the machine.
        key: says what the model reads and writes.
        bytes_each: bytes of a weight as the engine keeps it.
    """
    if not key.written:
        return _KNOWN_MS
    # The logits after the last id that was read give the first one that is written.
    single = _pass_seconds(model, speed, 1, bytes_each)
    if key.read <= 1:  # the logits of the key before serve again
        read = 0.0
    elif key.is_spelled and key.read <= MAX_SPELLED:
        read = (key.read - 1) * single
    else:
        read = _pass_seconds(model, speed, key.read, bytes_each)
    return _ASKED_MS + (read + (key.written - 1) * single) * 1e3


def _pass_seconds(model: ModelFacts, speed: MachineSpeed, ids: int, bytes_each: float) -> float:
    """Returns the seconds of one pass over so many ids behind a full window."""
    head = model.vocabulary * model.hidden
    body = _matrices(model) - head
    has_forms = model.parameters >= LARGE_WEIGHTS and bytes_each < _FLOAT_BYTES
    read = head * _SHORTLIST if ids == 1 and has_forms and head > _MIN_SHORTENED else head
    streamed = (body + read) * bytes_each + WINDOW * _kv_bytes(model)
    attention = 4 * model.layers * model.hidden * WINDOW
    further = (ids - 1) * (2 * body + _ATTENTION * attention)
    forms = [(speed.bandwidth, speed.flops)]
    if has_forms and speed.row_flops:
        forms.append((speed.row_bandwidth, speed.row_flops))
    return model.layers * _LAYER_SECONDS + min(
        _STREAMED * streamed / bandwidth + further / flops for bandwidth, flops in forms
    )


def _matrices(model: ModelFacts) -> int:
    """Returns the weights that a pass multiplies by: of an embedding that is no output, none."""
    return model.parameters - (0 if model.is_tied else model.vocabulary * model.hidden)


def _kv_bytes(model: ModelFacts) -> int:
    """Returns the bytes of the keys and values of one id, in float32."""
    return 2 * model.layers * model.kv_width * 4
