"""Reports an infilling evaluation, as JSON and Markdown: no score without its terms.

Beside every score stand its interval, the floor on the same rows, and all that it depends on: the
model and its prompt order, the engine, split, rows, samples, temperature, top-p, token limit, what
cut the completions, seed, and the sandbox's isolation, limits and Python.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from model_runtime.evaluation.labels import LABELS
from model_runtime.evaluation.likelihood import BitsPerByte
from model_runtime.evaluation.metrics import Interval
from model_runtime.evaluation.scoring import Score

_TEXTS = {
    "middle": "middles, after the infilling prompt",
    "middle_ltr": "middles, after their prefix alone, left to right",
    "program_ltr": "whole programs, left to right",
}


@dataclass(frozen=True, slots=True)
class InfillingReport:
    """The result of one infilling evaluation."""

    benchmark: str
    model: str
    scores: tuple[Score, ...]
    """Scores by label, the floor first."""
    bits: tuple[BitsPerByte, ...]
    """Bits per byte: how well the model expects the benchmark's own text."""
    terms: Mapping[str, Any]
    """Circumstances that the scores depend on, name -> JSON value; all of them are shown."""
    cost: Mapping[str, float]
    """Cost of the samples: tokens, milliseconds, the share that stopped by itself."""
    warnings: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Returns everything, for programs; intervals are objects with mean, low and high."""
        content = asdict(self)
        for score in content["scores"]:
            del score["by_task"]
        return json.dumps(_plain(content), indent=1, ensure_ascii=False) + "\n"

    def to_markdown(self) -> str:
        """Returns the table and its terms, for people."""
        lines = [f"# {self.benchmark}: {self.model}", ""]
        lines += [f"> **{warning}**" for warning in self.warnings] + [""] * bool(self.warnings)
        lines += [*_table(self.scores), ""]
        lines += [
            "Means with 95 % intervals, resampling problems. pass@k is the unbiased estimate by "
            "execution; match and similarity compare with what was cut out.",
            "",
            *_bits_table(self.bits),
            *_pairs("Terms", self.terms),
            *_pairs("Cost", self.cost),
        ]
        reasons = [
            f"- {LABELS.get(score.label, score.label)}: "
            + ", ".join(f"{name} {count}" for name, count in list(score.failures.items())[:8])
            for score in self.scores
            if score.failures
        ]
        if reasons:
            lines += ["## Why samples failed", "", *reasons, ""]
        return "\n".join(lines)


def _table(scores: Sequence[Score]) -> list[str]:
    ks = sorted({k for score in scores for k in score.pass_at})
    names = ["completions", *(f"pass@{k}" for k in ks)]
    names += ["pass@1 above the floor"] * bool(ks)
    names += ["exact match", "edit similarity", "empty", "length / reference"]
    rows = []
    for score in scores:
        row = [LABELS.get(score.label, score.label)]
        row += [_percent(score.pass_at.get(k)) for k in ks]
        row += [_percent(score.above_floor, signed=True)] * bool(ks)
        row += [_percent(score.exact_match), _number(score.edit_similarity)]
        row += [f"{score.empty_share:.1%}", f"{score.length_ratio:.2f}"]
        rows.append(row)
    ruler = ["---", *["---:"] * (len(names) - 1)]
    return [f"| {' | '.join(row)} |" for row in (names, ruler, *rows)]


def _bits_table(kinds: Sequence[BitsPerByte]) -> list[str]:
    if not kinds:
        return []
    lines = ["| text of the benchmark | bits per byte | texts | bytes |", "|---|---:|---:|---:|"]
    for kind in kinds:
        left_out = f" ({kind.left_out} too long)" if kind.left_out else ""
        lines.append(
            f"| {_TEXTS[kind.kind]} | {_number(kind.bits_per_byte)} | {kind.texts:,}{left_out} "
            f"| {kind.size:,} |"
        )
    return [*lines, "", "Special tokens are not counted; a uniform guess of bytes needs 8.", ""]


def _percent(found: Interval | None, *, signed: bool = False) -> str:
    if found is None:
        return ""
    mean, low, high = (f"{100 * part:{'+' if signed else ''}.2f}" for part in found)
    return f"{mean} % ({low} to {high})"


def _number(found: Interval) -> str:
    return f"{found.mean:.3f} ({found.low:.3f} to {found.high:.3f})"


def _pairs(title: str, values: Mapping[str, Any]) -> list[str]:
    entries = [f"- {name.replace('_', ' ')}: {value}" for name, value in values.items()]
    return [f"## {title}", "", *entries, ""]


def _plain(value: Any) -> Any:
    """Returns a value without named tuples and numbers as keys, which JSON does not have."""
    if isinstance(value, Interval):
        return value._asdict()
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value
