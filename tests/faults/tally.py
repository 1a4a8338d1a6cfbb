"""Counts faults and what came of them; a table of it is the end of each run."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

_COLUMNS = {
    "kind": "fault",
    "injected": "injected",
    "survived": "survived",
    "requests": "requests",
    "answered": "answered",
    "texts_lost": "texts lost",
    "errors_shown": "errors shown",
    "memory_mb": "memory MB",
    "note": "",
}


@dataclass
class Count:
    """Figures of one kind of fault."""

    kind: str
    injected: int = 0
    survived: int = 0
    """Faults after which everything was as promised."""
    requests: int = 0
    answered: int = 0
    texts_lost: int = 0
    """Documents whose text in the server was another one than in the editor."""
    errors_shown: int = 0
    """Sentences that a user saw."""
    memory_mb: float = 0.0
    """Largest resident memory of a server, where it was looked at."""
    note: str = ""


class Tally:
    """The counts of a run, by kind of fault."""

    def __init__(self) -> None:
        self.counts: dict[str, Count] = {}

    def of(self, kind: str) -> Count:
        """Returns the count of a kind, to be added to."""
        return self.counts.setdefault(kind, Count(kind))

    def table(self) -> Table:
        """Renders all of them."""
        table = Table(title="Faults injected, and what came of them")
        for name, title in _COLUMNS.items():
            is_text = name in ("kind", "note")
            table.add_column(title, justify="left" if is_text else "right")
        for count in self.counts.values():
            values = asdict(count)
            values["memory_mb"] = f"{count.memory_mb:.0f}" if count.memory_mb else ""
            table.add_row(*(str(values[name]) for name in _COLUMNS))
        return table

    def print(self) -> None:
        """Shows the table, as wide as it is."""
        Console(width=160, markup=False).print(self.table())

    def write(self, path: Path) -> None:
        """Writes the counts as JSON."""
        counts = [asdict(count) for count in self.counts.values()]
        path.write_text(json.dumps(counts, indent=1) + "\n", encoding="utf-8")
