"""Draws figures as SVG that is the same for the same figures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def picture(
    path: Path, *, panels: int = 1, size: tuple[float, float] = (6, 3.6), margin: float = 0.0
) -> Iterator[tuple[Any, list[Any]]]:
    """A figure and its axes, two in a row, written to `path` when the block ends.

    Args:
        path: of the SVG file.
        panels: how many axes.
        size: of each, in inches.
        margin: share of the height that is left free below them, for a legend.
    """
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "fim-lsp"
    from matplotlib import pyplot

    width, height = size
    rows, columns = -(-panels // 2), min(2, panels)
    figure, axes = pyplot.subplots(
        rows, columns, figsize=(width * columns, height * rows), squeeze=False
    )
    for axis in axes.flat[panels:]:
        axis.set_axis_off()
    yield figure, list(axes.flat[:panels])
    figure.tight_layout(rect=(0, margin, 1, 1))
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
    print(f"drawn in {path.relative_to(path.parents[2])}")
