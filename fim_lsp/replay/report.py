"""Writes the figures of a replay as JSON and as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fim_lsp.completion.reasons import in_short
from fim_lsp.replay.figures import Figures
from fim_lsp.replay.session import Replay

if TYPE_CHECKING:
    from rich.console import Console


def as_json(replay: Replay) -> dict[str, Any]:
    """Returns all figures, by camelCase names as in `fim-lsp complete --json`."""
    return {
        "model": replay.model,
        "engine": replay.engine,
        "settings": dict(replay.settings),
        "manner": replay.manner,
        "seconds": round(replay.seconds, 1),
        "total": replay.total.as_json(),
        "languages": {name: part.as_json() for name, part in replay.by_language.items()},
        "files": [
            {"path": script.label, "language": script.language, **figures.as_json()}
            for script, figures in replay.files
        ],
    }


def print_table(replay: Replay, console: Console) -> None:
    """Prints the figures by language and in all, and the reasons for silence."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    for number, name in enumerate(("", "keys", "saved", "shown", "taken", "wrong", "kept",
                                   "p50 ms", "p95", "cache", "CPU s")):  # fmt: skip
        table.add_column(name, justify="right" if number else "left")
    for name, part in replay.by_language.items():
        table.add_row(name, *cells(part))
    table.add_row("all", *cells(replay.total), style="bold")
    console.print(table)
    total = replay.total
    often = total.silences.most_common(5)
    silences = ", ".join(f"{in_short(reason)} {count}" for reason, count in often)
    late = 100 * total.late / total.requests if total.requests else 0
    for line in (
        f"{replay.model} on {replay.engine}; {replay.manner}; "
        f"{len(replay.files)} files in {replay.seconds:.0f} s",
        f"late (after the next key): {late:.0f} % of {total.requests} requests",
        f"nothing shown: {silences or 'never'}",
        "saved: keys less than typing alone; wrong: the first line was not what came next; "
        "CPU: per 1,000 keys",
    ):
        console.print(line, style="dim", markup=False)


def cells(figures: Figures) -> tuple[str, ...]:
    """Returns one row of the table, without its name."""
    part = figures.as_json()
    latency, cpu = part["latencyMs"], part["cpuSecondsPer1000Keys"]
    return (
        f"{figures.keys:,}",
        f"{100 * figures.saved_share:.1f} %",
        str(figures.shown),
        str(figures.accepted),
        str(figures.wrong),
        f"{100 * part['keptShare']:.0f} %" if figures.accepted else "-",
        "-" if latency["p50"] is None else f"{latency['p50']:.0f}",
        "-" if latency["p95"] is None else f"{latency['p95']:.0f}",
        f"{100 * part['cacheShare']:.0f} %" if figures.shown else "-",
        "-" if cpu is None else f"{cpu:.1f}",
    )
