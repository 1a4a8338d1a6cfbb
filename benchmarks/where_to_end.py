"""Compares rules for where a suggestion ends, on what `recorded_keys` has recorded.

    python -m benchmarks.where_to_end --model NAME

Files are typed as by `fim-lsp replay --fast`, with the recorded tokens in place of the model and
without line n-grams, once for each rule and probability.  `one probability` ends a line where it
becomes less likely than it must be to be shown; the others end it where more would be doubtful.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import record
from benchmarks.recorded_keys import Place, path_of, read
from benchmarks.typed_keys import type_text
from fim_lsp.completion import filters
from fim_lsp.completion.language_filters import is_too_short
from model_runtime.decoding.confidence import ConfidenceCutoff
from model_runtime.prompt.encoder import Hole
from model_runtime.store import installed
from model_runtime.syntax.languages import language

PROBABILITIES = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.46, 0.55, 0.7)
RULES: dict[str, float] = {
    "one probability": 0.0,
    "sure 0.6": 0.6,
    "sure 0.8": 0.8,
    "sure 0.9": 0.9,
}
"""Maps names to the probability from which on a line goes on."""


class Shown(NamedTuple):
    """A suggestion of a replay: where, its text, and whether its first line was right."""

    place: Place
    text: str
    is_right: bool
    rejected: int
    """Suggestions in a row before it that were wrong."""


@cache
def text_of(file: str) -> str:
    """Returns a file's text as it is typed."""
    raw = Path(file).read_bytes().decode("utf-8")
    return raw.replace("\r\n", "\n").replace("\r", "\n")


def cleaned(place: Place, cutoff: ConfidenceCutoff) -> str:
    """Returns what is shown at a place; empty for nothing."""
    cut = cutoff.cut(place.text, place.ends, place.logprobs)
    text = place.kept
    if cut is not None and cut.offset < len(text):
        text = place.text[: cut.offset]
    return _filtered(place.file, place.offset, place.language, text,
                     place.is_cut_off and cut is None, place.is_of_whole_line)  # fmt: skip


@cache
def _filtered(
    file: str, offset: int, language_id: str, text: str, is_cut_off: bool, is_of_whole_line: bool
) -> str:
    hole = Hole(text_of(file)[:offset], "")
    shown = filters.clean(
        text, hole, language(language_id),
        is_cut_off=is_cut_off, is_of_whole_line=is_of_whole_line,
    ).text  # fmt: skip
    return "" if is_too_short(shown) else shown


def typed(
    window: Sequence[Place],
    suggest: Callable[[Place], str],
    on_shown: Callable[[Shown], None] = lambda shown: None,
) -> Counter[str]:
    """Types one window, and counts keys and suggestions."""
    at = {place.offset: place for place in window}
    rejected = 0

    def at_offset(offset: int) -> str | None:
        place = at.get(offset)  # none where a suggestion went beyond what was recorded
        return None if place is None else suggest(place)

    def look(offset: int, text: str, *, is_right: bool) -> None:
        nonlocal rejected
        on_shown(Shown(at[offset], text, is_right, rejected))
        rejected = 0 if is_right else rejected + 1

    return type_text(text_of(window[0].file), window[0].offset, at_offset, look)


def replayed(
    windows: Sequence[Sequence[Place]], cutoff: ConfidenceCutoff
) -> dict[str, Counter[str]]:
    """Returns the counts of each language."""
    counts: dict[str, Counter[str]] = {}
    for window in windows:
        of_language = counts.setdefault(window[0].language, Counter())
        of_language.update(typed(window, lambda place: cleaned(place, cutoff)))
    return counts


def figures(windows: Sequence[Sequence[Place]], cutoff: ConfidenceCutoff) -> dict[str, Any]:
    """Returns the figures of one rule."""
    counts = sum(replayed(windows, cutoff).values(), Counter())
    return {
        "keys": counts["keys"],
        "saved_share": round(1 - counts["pressed"] / counts["keys"], 4),
        "shown": counts["shown"],
        "accepted": counts["accepted"],
        "right_share": round(counts["right"] / max(1, counts["shown"]), 4),
        "wrong_per_accepted": round(
            (counts["shown"] - counts["right"]) / max(1, counts["accepted"]), 2
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default=installed.DEFAULT, metavar="NAME")
    args = parser.parse_args()
    found: dict[str, Any] = {}
    for files in ("held-out", "frozen"):
        windows = read(path_of(args.model, files))
        found[files] = {"files": len({window[0].file for window in windows})}
        for name, sure in RULES.items():
            found[files][name] = {
                str(least): figures(windows, ConfidenceCutoff(least, sure))
                for least in PROBABILITIES
            }
            for least, row in found[files][name].items():
                print(f"{files:9} {name:16} {least:5} " + _words(row), flush=True)
    record.write(
        f"where_to_end_{args.model}",
        found,
        f"python -m benchmarks.where_to_end --model {args.model}",
    )


def _words(row: dict[str, Any]) -> str:
    saved, right = 100 * row["saved_share"], 100 * row["right_share"]
    return f"saved {saved:5.1f} %  shown {row['shown']:5}  right {right:4.1f} %"


if __name__ == "__main__":
    main()
