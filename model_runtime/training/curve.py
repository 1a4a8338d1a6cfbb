"""The loss curve of one or more runs that follow each other, as an SVG picture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM, _RIGHT = 720, 360, 56, 34, 44, 16
_SMOOTHED_REPORTS = 15
_TRAIN, _VALID = "#2563eb", "#dc2626"


class Point(NamedTuple):
    """One figure at one moment."""

    tokens: float
    """Trained on so far, in millions, all runs together."""
    value: float


class Curve(NamedTuple):
    """Bits per byte of the rows trained on (a running mean), and of held-out middles."""

    train: list[Point]
    valid: list[Point]
    ends: list[float]
    """Millions of tokens at which each run ended."""


def read_logs(logs: Sequence[Path]) -> Curve:
    """The curve of `training_log.jsonl` files, in the order in which the runs followed."""
    curve, before = Curve([], [], []), 0.0
    for log in logs:
        recent: list[float] = []
        tokens = 0.0
        for line in log.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            tokens = entry.get("tokens", 0) / 1e6
            if entry.get("event") == "valid":
                curve.valid.append(Point(before + tokens, entry["mid_bpb"]))
            elif "bits_per_byte" in entry:
                recent = [*recent, entry["bits_per_byte"]][-_SMOOTHED_REPORTS:]
                curve.train.append(Point(before + tokens, sum(recent) / len(recent)))
        before += tokens
        curve.ends.append(before)
    return curve


def draw(curve: Curve, title: str) -> str:
    """An SVG document."""
    everything = [*curve.train, *curve.valid]
    most_x = max(point.tokens for point in everything)
    low = int(min(point.value for point in everything) * 5) / 5
    high = min(4.0, max(point.value for point in everything))

    def x(tokens: float) -> float:
        return round(_LEFT + tokens / most_x * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(value: float) -> float:
        share = (min(value, high) - low) / (high - low)
        return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM), 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="20" font-size="14" font-weight="bold">{title}</text>',
    ]
    steps = [low + (high - low) * i / 5 for i in range(6)]
    for value in steps:
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(value)}" y2="{y(value)}" '
            'stroke="#e5e7eb"/>'
            f'<text x="{_LEFT - 8}" y="{y(value) + 4}" text-anchor="end">{value:.2f}</text>'
        )
    for i in range(6):
        tokens = most_x * i / 5
        parts.append(
            f'<text x="{x(tokens)}" y="{_HEIGHT - 26}" text-anchor="middle">{tokens:.1f}</text>'
        )
    for end in curve.ends[:-1]:
        parts.append(
            f'<line x1="{x(end)}" x2="{x(end)}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}" '
            'stroke="#9ca3af" stroke-dasharray="4 4"/>'
        )
    line = " ".join(f"{x(point.tokens)},{y(point.value)}" for point in curve.train)
    parts.append(f'<polyline points="{line}" fill="none" stroke="{_TRAIN}" stroke-width="1.5"/>')
    parts += [
        f'<circle cx="{x(point.tokens)}" cy="{y(point.value)}" r="3.5" fill="{_VALID}"/>'
        for point in curve.valid
    ]
    parts += [
        f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 8}" text-anchor="middle">million tokens</text>',
        f'<text x="{_WIDTH - _RIGHT}" y="48" text-anchor="end" fill="{_TRAIN}">'
        "bits per byte, training (running mean)</text>",
        f'<text x="{_WIDTH - _RIGHT}" y="64" text-anchor="end" fill="{_VALID}">'
        "bits per byte, middles of held-out packages</text>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"
