"""Shows comparisons as tables to a person at a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from model_runtime.evaluation.compare import Comparison
from model_runtime.evaluation.metrics import Interval

_PIPED_WIDTH = 160


def show_comparison(comparison: Comparison) -> None:
    """Prints a table of paired differences; those that are sure are bold."""
    table = Table(box=None, header_style="dim", pad_edge=False)
    base = comparison.runs[0].label
    for name in ("measure", base):
        table.add_column(name, justify="left" if name == "measure" else "right")
    is_one = len(comparison.runs) == 2
    if is_one:
        table.add_column(comparison.runs[1].label, justify="right")
        table.add_column("difference (95 %)", justify="right")
    else:
        table.add_column("run")
        table.add_column("its value", justify="right")
        table.add_column("difference (95 %)", justify="right")
    table.add_column("rows", justify="right")
    last = ""
    for entry in comparison.differences:
        again = entry.measure == last
        last = entry.measure
        difference = signed(entry.difference)
        cells = ["" if again else entry.measure, "" if again else f"{entry.base.mean:.4f}"]
        cells += [] if is_one else [entry.run]
        cells += [f"{entry.value.mean:.4f}"]
        cells += [f"[bold]{difference}[/] *" if entry.is_sure else f"{difference}  "]
        table.add_row(*cells, f"{entry.rows:,}")
    console = console_of()
    console.print(table)
    console.print(
        f"[dim]differences from {base}, on the rows that both have, resampling problems; "
        "* the interval leaves out zero[/]"
    )
    for warning in comparison.warnings:
        console.print(f"[yellow]{warning}[/]")


def signed(interval: Interval) -> str:
    """Returns an interval as `+0.0120 (-0.0010 to +0.0250)`."""
    mean, low, high = (f"{part:+.4f}" for part in interval)
    return f"{mean} ({low} to {high})"


def console_of() -> Console:
    """Returns a console as wide as the terminal; wide enough for a table where it is piped."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_PIPED_WIDTH)
