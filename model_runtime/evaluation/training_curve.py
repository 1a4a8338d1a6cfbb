"""Reads the figures of training runs from their logs, and what was scored along them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_runtime.evaluation.errors import EvaluationError
from model_runtime.evaluation.metrics import Interval

LOG = "training_log.jsonl"
"""Name of the log that a training run writes, one JSON object a line."""
_PLACES = ("", "train", "export")
_SMOOTHED_REPORTS = 15


@dataclass(frozen=True, slots=True)
class Point:
    """A figure after so many tokens."""

    tokens: float
    value: float


@dataclass(frozen=True, slots=True)
class ScorePoint:
    """The pass@k of a model that has seen so many tokens."""

    tokens: float
    k: int
    value: Interval
    floor: float


@dataclass(frozen=True, slots=True)
class TrainingCurve:
    """One training run, and what was scored along it."""

    label: str
    loss: tuple[Point, ...]
    """Loss in nats per token, a running mean of the reports."""
    middle: tuple[Point, ...]
    """Bits per byte of held-out middles."""
    left_to_right: tuple[Point, ...]
    """Bits per byte of held-out text."""
    scores: tuple[ScorePoint, ...] = ()


def read_curve(label: str, folder: Path) -> TrainingCurve:
    """Returns the curve of a run of `fim-runtime train`, or of a bundle that keeps its log.

    The reports below the folder become scores.

    Raises:
        EvaluationError: there is no training log, or it is damaged.
    """
    logs = [path for place in _PLACES if (path := folder / place / LOG).is_file()]
    if not logs:
        raise EvaluationError(
            f"{folder} holds no {LOG}; give the folder of a training run, or LABEL=FOLDER"
        )
    try:
        text = logs[0].read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]  # a run in progress may be writing its last line
        lines = [json.loads(line) for line in whole.splitlines()]
        reports = [line for line in lines if "event" not in line]
        valid = [line for line in lines if line.get("event") == "valid"]
        return TrainingCurve(
            label,
            loss=tuple(_smooth([Point(line["tokens"], line["loss"]) for line in reports])),
            middle=_points(valid, "mid_bpb"),
            left_to_right=_points(valid, "ltr_bpb"),
            scores=tuple(sorted(_scores(folder), key=lambda score: (score.k, score.tokens))),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EvaluationError(f"{logs[0]} or a report below it is damaged ({error!r})") from error


@dataclass(frozen=True, slots=True)
class ConsecutiveRuns:
    """Bits per byte of runs that followed each other, over the tokens of all of them."""

    train: tuple[Point, ...]
    """Bits per byte of the rows trained on, as a running mean."""
    middle: tuple[Point, ...]
    """Bits per byte of held-out middles."""
    ends: tuple[float, ...]
    """Tokens at which each run ended."""


def read_consecutive_runs(logs: Sequence[Path]) -> ConsecutiveRuns:
    """Reads the logs of runs, in the order in which the runs followed each other."""
    train, middle, ends = list[Point](), list[Point](), list[float]()
    before = 0.0
    for log in logs:
        lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        reports = [line for line in lines if "event" not in line]
        valid = [line for line in lines if line.get("event") == "valid"]
        points = [Point(before + line["tokens"], line["bits_per_byte"]) for line in reports]
        train += _smooth(points)
        middle += [Point(before + line["tokens"], line["mid_bpb"]) for line in valid]
        before += max((line.get("tokens", 0) for line in lines), default=0)
        ends.append(before)
    return ConsecutiveRuns(tuple(train), tuple(middle), tuple(ends))


def _points(lines: Iterable[dict[str, Any]], name: str) -> tuple[Point, ...]:
    return tuple(Point(line["tokens"], line[name]) for line in lines if name in line)


def _smooth(points: Sequence[Point]) -> list[Point]:
    found, recent = [], list[float]()
    for point in points:
        recent = [*recent, point.value][-_SMOOTHED_REPORTS:]
        found.append(Point(point.tokens, sum(recent) / len(recent)))
    return found


def _scores(folder: Path) -> Iterable[ScorePoint]:
    """Yields the scores of every infilling report that says how many tokens its model has seen."""
    for path in sorted(folder.rglob("report.json")):
        report = json.loads(path.read_text(encoding="utf-8"))
        tokens = report.get("terms", {}).get("tokens_seen")
        by_label = {score["label"]: score["pass_at"] for score in report.get("scores", ())}
        if tokens is None or not by_label.get("raw"):
            continue
        for k, value in by_label["raw"].items():
            floor = by_label["floor"][k]["mean"]
            yield ScorePoint(float(tokens), int(k), Interval(**value), floor)
