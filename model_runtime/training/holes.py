"""Where to cut a window into prefix, middle and suffix.

    line        whole lines; half of the holes contain indentation and newline, as in
                HumanEval-infilling, half neither, as behind the indentation in an editor
    character   two free cuts, a short run, or what a cursor sees: the rest of its line
    syntax      a node of the syntax tree

Pure functions of the text and a random generator; the generator's key is made in `encode.py`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass

from model_runtime.training.syntax import Span, Syntax


@dataclass(frozen=True, slots=True)
class Cut:
    """A window in three parts, which join to it again unless `suffix` was dropped."""

    prefix: str
    middle: str
    suffix: str
    kind: str


def draw_cut(
    text: str,
    window: Span,
    syntax: Syntax,
    weights: Mapping[str, float],
    no_suffix_rate: float,
    rng: random.Random,
) -> Cut:
    """One hole in `text[window]`."""
    start, end = window
    piece = text[start:end]
    kind = rng.choices(list(weights), list(weights.values()))[0]
    span = None
    if kind == "syntax":
        span = _syntax_span(text, window, syntax, rng)
        if span is None:
            kind = "line"
    if kind == "line":
        span = line_span(piece, rng, _body_within(window, syntax, rng))
    elif kind == "character":
        span = character_span(piece, rng)
    assert span is not None
    suffix = "" if rng.random() < no_suffix_rate else piece[span[1] :]
    return Cut(piece[: span[0]], piece[span[0] : span[1]], suffix, kind)


def line_span(text: str, rng: random.Random, within: Span | None = None) -> Span:
    """Whole lines, mostly a single one; with both indentation and newline, or without both."""
    first, last = within or (0, len(text))
    starts = [0] if first == 0 else []
    at = text.find("\n", max(0, first - 1)) + 1
    while 0 < at < last:
        starts.append(at)
        at = text.find("\n", at) + 1
    starts = [start for start in starts if text[start : _next(text, start)].strip()] or [0]
    start = end = rng.choice(starts)
    for _ in range(1 if rng.random() < 0.8 else rng.randint(2, 6)):
        end = _next(text, end)
    if rng.random() < 0.5:
        return start, end
    body = text[start:end]
    stripped = len(body.rstrip("\n"))
    return start + min(stripped, len(body) - len(body.lstrip(" \t"))), start + stripped


def character_span(text: str, rng: random.Random) -> Span:
    """Two free cuts, a short run, or the rest of the line from some place on."""
    style, start = rng.random(), rng.randint(0, len(text))
    if style < 0.2:
        other = rng.randint(0, len(text))
        return min(start, other), max(start, other)
    if style < 0.4:
        return start, min(len(text), start + int(math.exp(rng.uniform(0, math.log(200)))))
    return rest_of_line(text, start, rng)


def rest_of_line(text: str, start: int, rng: random.Random) -> Span:
    """From a cursor to the end of its line; at the end of a line mostly the next one."""
    end = text.find("\n", start)
    if 0 <= end == start and rng.random() < 0.8:
        end = text.find("\n", start + 1)
    return start, len(text) if end < 0 else end


def _syntax_span(text: str, window: Span, syntax: Syntax, rng: random.Random) -> Span | None:
    """A node as offsets in the window, three of ten times with its indentation."""
    found = syntax.draw(*window, rng)
    if found is None:
        return None
    start, end = found[0] - window[0], found[1] - window[0]
    line = text.rfind("\n", window[0], found[0]) + 1 or window[0]
    if rng.random() < 0.3 and not text[line : found[0]].strip():
        start = line - window[0]
    return start, end


def _body_within(window: Span, syntax: Syntax, rng: random.Random) -> Span | None:
    """Two of three times the code of a function, without docstring, as offsets in the window."""
    bodies = [
        (f.body, f.end) for f in syntax.functions if window[0] <= f.start and f.body < window[1]
    ]
    if not bodies or rng.random() < 1 / 3:
        return None
    start, end = rng.choice(bodies)
    return start - window[0], min(end, window[1]) - window[0]


def _next(text: str, start: int) -> int:
    """Start of the next line."""
    return text.find("\n", start) + 1 or len(text)
