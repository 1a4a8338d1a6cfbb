"""Counts how often suggestions were taken, in a small file that stays on this machine.

    {"version": 1, "counts": {"embedded": {"0.5": {"accepted": 3, "typed": 2, "rejected": 40}}}}

It holds names of models, settings of `eagerness` and numbers: no code, no paths, no times.
`counts_file` says how several servers share it; what cannot be written stays in memory.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from fim_lsp.feedback import counts_file
from fim_lsp.feedback.outcomes import Outcome

Key = tuple[str, str, str]
"""Model (or other source), eagerness, and the name of an outcome."""

_CONTENT = "counts"
_NAMES = tuple(outcome.value for outcome in Outcome)
_EAGERNESS = re.compile(r"0|1|0\.\d\d?")
_MAX_KEYS = 1000


def default_file() -> Path:
    """Returns the file of the counts, in the platform's folder for the state of programs."""
    return counts_file.folder() / "accepted.json"


def read(path: Path) -> Counter[Key]:
    """Returns what has been counted; nothing where there is no file that can be understood."""
    counts: Counter[Key] = Counter()
    for model, settings in counts_file.items(path, counts_file.read(path, _CONTENT)):
        for eagerness, numbers in counts_file.items(path, settings):
            if not _EAGERNESS.fullmatch(eagerness):
                counts_file.say_ignored(path, "a value that no setting has")
                continue
            for name, number in counts_file.counted(path, numbers, _NAMES):
                counts[model, eagerness, name] = number
    return Counter(dict(counts.most_common(_MAX_KEYS)))


def add(path: Path, new: Mapping[Key, int]) -> Counter[Key] | None:
    """Adds to the file's counts and returns all; None where that is not possible now."""
    counts: Counter[Key] = Counter()

    def change() -> object:
        counts.update(read(path))
        counts.update(new)
        tree: dict[str, dict[str, dict[str, int]]] = {}
        for (model, eagerness, name), number in sorted(counts.items()):
            tree.setdefault(model, {}).setdefault(eagerness, {})[name] = number
        return tree

    return counts if counts_file.rewrite(path, _CONTENT, change) else None
