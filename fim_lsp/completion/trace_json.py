"""Writes a request's trace as JSON: one flat object, its keys in camelCase.

The shape is part of the protocol (`fimLsp/explain`) and of `fim-lsp complete --json --explain`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from fim_lsp.completion.reasons import hint
from fim_lsp.completion.trace import RequestTrace

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def as_json(trace: RequestTrace) -> dict[str, Any]:
    """Returns the trace as plain values; figures that are not known are left out."""
    silence, outcome, source = trace.silence, trace.outcome, trace.answered_by
    advice = hint(outcome, silence)
    return {
        "number": trace.number,
        "uri": trace.uri,
        "trigger": trace.trigger.name.lower(),
        "outcome": outcome.value if outcome else "",
        "reasonCode": silence.reason.value if silence else "",
        "reason": silence.message if silence else "",
        **({"remedy": advice} if advice else {}),
        "source": source.value if source else "",
        **({"prepared": True} if trace.is_prefetched else {}),
        **dict(_figures(trace)),
        "timingsMs": {name: round(ms, 2) for name, ms in trace.timings.ms.items()},
    }


def _figures(trace: RequestTrace) -> Iterator[tuple[str, Any]]:
    parts: list[Any] = [trace.debounce, trace.line_ngrams]
    if (generation := trace.generation) is not None:
        parts += [generation.prompt, generation.decoding, generation.confidence]
        if generation.candidates:
            yield "candidates", [dict(_flat(one)) for one in generation.candidates]
        if generation.rules:
            yield "rules", list(generation.rules)
    for part in parts:
        if part is not None:
            yield from _flat(part)


def _flat(figures: DataclassInstance) -> Iterator[tuple[str, Any]]:
    for field in fields(figures):
        value = getattr(figures, field.name)
        if value is None and field.default is None:
            continue
        if is_dataclass(value) and not isinstance(value, type):
            yield from _flat(value)
        else:
            yield camel_case(field.name), _plain(value)


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {_plain(key): _plain(one) for key, one in value.items()}
    return round(value, 3) if isinstance(value, float) else value


def camel_case(name: str) -> str:
    """Returns a name as JSON writes it.

    >>> camel_case("snippet_tokens_by_source")
    'snippetTokensBySource'
    """
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))
