"""Draws training runs: beside each other, or those that followed each other as one curve.

Runs with one label, such as the seeds of a variant, share a color.  What a folder does not hold is
not drawn: without scores there is no panel for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from model_runtime.evaluation.errors import EvaluationError
from model_runtime.evaluation.training_curve import ConsecutiveRuns, TrainingCurve

_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Colors of Okabe and Ito, which the color-blind can tell apart."""
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


def draw(curves: Sequence[TrainingCurve], path: Path, title: str = "") -> tuple[Path, Path]:
    """Writes `path` with the endings .svg and .png.

    Raises:
        EvaluationError: matplotlib is not installed, or there is nothing to draw.
    """
    rc_context, new_figure = _matplotlib()
    panels = [
        panel
        for panel, has_data in (
            (_draw_loss, any(curve.loss for curve in curves)),
            (_draw_bits, any(curve.middle or curve.left_to_right for curve in curves)),
            (_draw_scores, any(curve.scores for curve in curves)),
        )
        if has_data
    ]
    if not panels:
        raise EvaluationError("the training logs hold no figure to draw yet")
    labels = list(dict.fromkeys(curve.label for curve in curves))
    colors = {label: _COLORS[i % len(_COLORS)] for i, label in enumerate(labels)}
    with rc_context(_STYLE):
        figure = new_figure(figsize=(4.2 * len(panels), 3.9), layout="constrained")
        unit, name = _unit(curves)
        for place, panel in enumerate(panels, 1):
            axes = figure.add_subplot(1, len(panels), place)
            panel(axes, curves, colors, unit)
            axes.set_xlabel(f"{name} tokens")
            axes.set_xlim(0, 1.05 * axes.dataLim.x1)  # a single point would stand on the edge
        _legend(figure, colors)
        if title:
            figure.suptitle(title, x=0.01, ha="left")
        pictures = path.with_suffix(".svg"), path.with_suffix(".png")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(pictures[0], metadata={"Date": None})
        figure.savefig(pictures[1], dpi=160)
    return pictures


def draw_consecutive_runs(runs: ConsecutiveRuns, path: Path, title: str) -> None:
    """Writes a picture of bits per byte against the tokens of runs that followed each other.

    Raises:
        EvaluationError: matplotlib is not installed, or there is nothing to draw.
    """
    rc_context, new_figure = _matplotlib()
    if not runs.train and not runs.middle:
        raise EvaluationError("the training logs hold no figure to draw yet")
    with rc_context(_STYLE):
        figure = new_figure(figsize=(7.2, 3.6), layout="constrained")
        axes = figure.add_subplot()
        x = [point.tokens / 1e6 for point in runs.train]
        y = [point.value for point in runs.train]
        axes.plot(x, y, color=_COLORS[0], linewidth=1.2, label="training (running mean)")
        x = [point.tokens / 1e6 for point in runs.middle]
        y = [point.value for point in runs.middle]
        axes.plot(x, y, "o", color=_COLORS[1], markersize=4, label="middles of held-out packages")
        for end in runs.ends[:-1]:
            axes.axvline(end / 1e6, color="#9ca3af", linewidth=1, linestyle="--")
        axes.set_xlim(left=0)
        axes.set_ylim(top=min(4.0, axes.get_ylim()[1]))  # the first steps would flatten the rest
        axes.set_title(f"{title}: bits per byte", loc="left")
        axes.set_xlabel("million tokens")
        axes.legend(loc="upper right")
        figure.savefig(path, metadata={"Date": None})


def _matplotlib() -> tuple[Any, Any]:
    """Returns matplotlib's context of settings and its class of figures."""
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise EvaluationError(
            f"a picture needs matplotlib ({error}); install it with: pip install 'fim-lsp[train]'"
        ) from error
    return rc_context, Figure


def _draw_loss(
    axes: Any, curves: Sequence[TrainingCurve], colors: dict[str, str], unit: float
) -> None:
    axes.set_title("training loss, nats per token", loc="left")
    for curve in curves:
        x = [point.tokens / unit for point in curve.loss]
        y = [point.value for point in curve.loss]
        axes.plot(x, y, color=colors[curve.label], linewidth=1.2, alpha=0.85)


def _draw_bits(
    axes: Any, curves: Sequence[TrainingCurve], colors: dict[str, str], unit: float
) -> None:
    axes.set_title("held-out bits per byte", loc="left")
    for curve in curves:
        for points, line in ((curve.middle, "-"), (curve.left_to_right, "--")):
            x = [point.tokens / unit for point in points]
            y = [point.value for point in points]
            axes.plot(x, y, line, marker="o", markersize=3, color=colors[curve.label], alpha=0.85)
    for line, name in (("-", "middles"), ("--", "left to right")):
        axes.plot([], [], line, color="#4b5563", label=name)
    axes.legend(loc="upper right")


def _draw_scores(
    axes: Any, curves: Sequence[TrainingCurve], colors: dict[str, str], unit: float
) -> None:
    ks = sorted({score.k for curve in curves for score in curve.scores})
    axes.set_title("HumanEval-infilling, % (95 %)", loc="left")
    markers = dict(zip(ks, "os^", strict=False))
    floors = {score.k: score.floor for curve in curves for score in curve.scores}
    for curve in curves:
        for k in ks:
            found = [score for score in curve.scores if score.k == k]
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
                color=colors[curve.label],
                alpha=0.85,
            )
    for k in ks:
        axes.plot([], [], markers[k], color="#4b5563", label=f"pass@{k}")
    axes.axhline(100 * max(floors.values()), color="#4b5563", linewidth=1, linestyle=":")
    axes.plot([], [], ":", color="#4b5563", label="empty answer (the floor)")
    axes.set_ylim(bottom=0)
    axes.legend(loc="best")


def _legend(figure: Any, colors: dict[str, str]) -> None:
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], color=color, linewidth=2) for color in colors.values()]
    figure.legend(lines, list(colors), loc="outside lower left", ncols=len(lines))


def _unit(curves: Sequence[TrainingCurve]) -> tuple[float, str]:
    points = [point for curve in curves for point in (*curve.loss, *curve.middle)]
    most = max(
        [point.tokens for point in points]
        + [score.tokens for curve in curves for score in curve.scores]
    )
    units = ((1e9, "billion"), (1e6, "million"), (1e3, "thousand"))
    return next(((unit, name) for unit, name in units if most >= unit), (1.0, ""))
