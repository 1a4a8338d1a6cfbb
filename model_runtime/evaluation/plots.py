"""Pictures of training runs beside each other: loss, bits per byte, pass@k, against tokens.

Runs with one label, such as the seeds of an arm, share a colour.  What a folder does not hold is
not drawn: without scores there is no panel for them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_runtime.evaluation.errors import EvaluationError
from model_runtime.evaluation.metrics import Interval

LOG = "training_log.jsonl"
_PLACES = ("", "train", "export")
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's, which the colour-blind can tell apart."""
_SMOOTHED_REPORTS = 15
_STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e5e7eb",
    "axes.edgecolor": "#9ca3af",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "legend.frameon": False,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "fim-lsp",  # the same figures give the same file
}


@dataclass(frozen=True, slots=True)
class Point:
    """A figure after so many tokens."""

    tokens: float
    value: float


@dataclass(frozen=True, slots=True)
class Score:
    """pass@k of a model that has seen so many tokens."""

    tokens: float
    k: int
    value: Interval
    floor: float


@dataclass(frozen=True, slots=True)
class Course:
    """One training run, and what was scored along it."""

    label: str
    loss: tuple[Point, ...]
    """Nats per token, a running mean of the reports."""
    middle: tuple[Point, ...]
    """Bits per byte of held-out middles."""
    left_to_right: tuple[Point, ...]
    """Bits per byte of held-out text."""
    scores: tuple[Score, ...] = ()


def read_course(label: str, folder: Path) -> Course:
    """A run of `fim-runtime train`, or a bundle that keeps its log, and the reports below it.

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
        return Course(
            label,
            loss=tuple(_smooth([Point(line["tokens"], line["loss"]) for line in reports])),
            middle=_points(valid, "mid_bpb"),
            left_to_right=_points(valid, "ltr_bpb"),
            scores=tuple(sorted(_scores(folder), key=lambda score: (score.k, score.tokens))),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EvaluationError(f"{logs[0]} or a report below it is damaged ({error!r})") from error


def draw(courses: Sequence[Course], path: Path, title: str = "") -> tuple[Path, Path]:
    """Write `path` with the endings .svg and .png.

    Raises:
        EvaluationError: matplotlib is not installed, or there is nothing to draw.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise EvaluationError(
            f"a picture needs matplotlib ({error}); install it with: pip install 'fim-lsp[eval]'"
        ) from error
    panels = [
        panel
        for panel, has_data in (
            (_draw_loss, any(course.loss for course in courses)),
            (_draw_bits, any(course.middle or course.left_to_right for course in courses)),
            (_draw_scores, any(course.scores for course in courses)),
        )
        if has_data
    ]
    if not panels:
        raise EvaluationError("the training logs hold no figure to draw yet")
    labels = list(dict.fromkeys(course.label for course in courses))
    colours = {label: _COLOURS[i % len(_COLOURS)] for i, label in enumerate(labels)}
    with rc_context(_STYLE):
        figure = Figure(figsize=(4.2 * len(panels), 3.9), layout="constrained")
        unit, name = _unit(courses)
        for place, panel in enumerate(panels, 1):
            axes = figure.add_subplot(1, len(panels), place)
            panel(axes, courses, colours, unit)
            axes.set_xlabel(f"{name} tokens")
            axes.set_xlim(0, 1.05 * axes.dataLim.x1)  # a single point would stand on the edge
        _legend(figure, colours)
        if title:
            figure.suptitle(title, x=0.01, ha="left")
        pictures = path.with_suffix(".svg"), path.with_suffix(".png")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(pictures[0], metadata={"Date": None})
        figure.savefig(pictures[1], dpi=160)
    return pictures


def _draw_loss(axes: Any, courses: Sequence[Course], colours: dict[str, str], unit: float) -> None:
    axes.set_title("training loss, nats per token", loc="left")
    for course in courses:
        x = [point.tokens / unit for point in course.loss]
        y = [point.value for point in course.loss]
        axes.plot(x, y, color=colours[course.label], linewidth=1.2, alpha=0.85)


def _draw_bits(axes: Any, courses: Sequence[Course], colours: dict[str, str], unit: float) -> None:
    axes.set_title("held-out bits per byte", loc="left")
    for course in courses:
        for points, line in ((course.middle, "-"), (course.left_to_right, "--")):
            x = [point.tokens / unit for point in points]
            y = [point.value for point in points]
            axes.plot(x, y, line, marker="o", markersize=3, color=colours[course.label], alpha=0.85)
    for line, name in (("-", "middles"), ("--", "left to right")):
        axes.plot([], [], line, color="#4b5563", label=name)
    axes.legend(loc="upper right")


def _draw_scores(
    axes: Any, courses: Sequence[Course], colours: dict[str, str], unit: float
) -> None:
    ks = sorted({score.k for course in courses for score in course.scores})
    axes.set_title("HumanEval-infilling, % (95 %)", loc="left")
    markers = dict(zip(ks, "os^", strict=False))
    floors = {score.k: score.floor for course in courses for score in course.scores}
    for course in courses:
        for k in ks:
            found = [score for score in course.scores if score.k == k]
            means = [100 * score.value.mean for score in found]
            below = [100 * (score.value.mean - score.value.low) for score in found]
            above = [100 * (score.value.high - score.value.mean) for score in found]
            axes.errorbar(
                [score.tokens / unit for score in found],
                means,
                yerr=[below, above],
                fmt=f"-{markers[k]}",
                markersize=4,
                linewidth=1.2,
                capsize=2,
                color=colours[course.label],
                alpha=0.85,
            )
    for k in ks:
        axes.plot([], [], markers[k], color="#4b5563", label=f"pass@{k}")
    axes.axhline(100 * max(floors.values()), color="#4b5563", linewidth=1, linestyle=":")
    axes.plot([], [], ":", color="#4b5563", label="empty answer (the floor)")
    axes.set_ylim(bottom=0)
    axes.legend(loc="best")


def _legend(figure: Any, colours: dict[str, str]) -> None:
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], color=colour, linewidth=2) for colour in colours.values()]
    figure.legend(lines, list(colours), loc="outside lower left", ncols=len(lines))


def _unit(courses: Sequence[Course]) -> tuple[float, str]:
    points = [point for course in courses for point in (*course.loss, *course.middle)]
    most = max(
        [point.tokens for point in points]
        + [score.tokens for course in courses for score in course.scores]
    )
    units = ((1e9, "billion"), (1e6, "million"), (1e3, "thousand"))
    return next(((unit, name) for unit, name in units if most >= unit), (1.0, ""))


def _points(lines: Iterable[dict[str, Any]], name: str) -> tuple[Point, ...]:
    return tuple(Point(line["tokens"], line[name]) for line in lines if name in line)


def _smooth(points: Sequence[Point]) -> list[Point]:
    found, recent = [], list[float]()
    for point in points:
        recent = [*recent, point.value][-_SMOOTHED_REPORTS:]
        found.append(Point(point.tokens, sum(recent) / len(recent)))
    return found


def _scores(folder: Path) -> Iterable[Score]:
    """Of every infilling report below a run that says how many tokens its model has seen."""
    for path in sorted(folder.rglob("report.json")):
        report = json.loads(path.read_text(encoding="utf-8"))
        tokens = report.get("terms", {}).get("tokens_seen")
        by_label = {score["label"]: score["pass_at"] for score in report.get("scores", ())}
        if tokens is None or not by_label.get("raw"):
            continue
        for k, value in by_label["raw"].items():
            floor = by_label["floor"][k]["mean"]
            yield Score(float(tokens), int(k), Interval(**value), floor)
