"""Draws where a window is cut into prefix, middle and suffix.

    character      two free cuts, each uniform in [0, n]: the transform of Bavarian et al. 2022
                   (arXiv:2207.14255, section 3) and of the reference model; each part is n / 3
                   on average
    token          the same, at borders of tokens
    short-run      up to 200 characters from anywhere
    rest-of-line   what a cursor sees: the rest of its line
    line           whole lines
    typed-line     from the start of a line, as a server asks that makes the model write what is
                   typed there once more: to the end of the line, a place in it, the end of the
                   block that it begins, or a place further on
    syntax         a node of the syntax tree of at most 700 characters

Half of the line holes contain their indentation and newline, as in HumanEval-infilling, half
neither, as behind the indentation in an editor.  A node that begins its line, too, takes its
indentation along half of the times.  A window without nodes gets a line hole for a syntax hole.

The functions depend on the text and a random generator alone; `encode.py` makes the key of the
generator.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from model_runtime.training.syntax import Span, Syntax

MAX_RUN_CHARACTERS = 200
"""Longest `short-run` in characters; short ones are as likely as long ones by ratio."""
MAX_BLOCK_LINES = 8
"""Most lines of a `typed-line` that goes on to the end of its block."""


@dataclass(frozen=True, slots=True)
class WindowParts:
    """A window in three parts, which join to it again unless `suffix` was dropped."""

    prefix: str
    middle: str
    suffix: str
    kind: str


@dataclass(frozen=True, slots=True)
class Holes:
    """The mix of holes of a recipe."""

    weights: Mapping[str, float]
    """Weight of each kind."""
    no_suffix_rate: float
    borders: Callable[[str], Sequence[int]]
    """Gives the offsets of a text at which a token begins, and its end; at least one."""

    def draw(self, text: str, window: Span, syntax: Syntax, rng: random.Random) -> WindowParts:
        """Draws one hole in `text[window]`."""
        start, end = window
        piece = text[start:end]
        kind = rng.choices(list(self.weights), list(self.weights.values()))[0]
        span = _syntax_span(text, window, syntax, rng) if kind == "syntax" else None
        if kind == "syntax" and span is None:
            kind = "line"
        if kind in LINE_KINDS:
            span = LINE_KINDS[kind](piece, rng, _body_within(window, syntax, rng))
        elif kind == "token":
            span = token_span(self.borders(piece), rng)
        elif kind in CHARACTER_KINDS:
            span = CHARACTER_KINDS[kind](piece, rng)
        assert span is not None, kind
        suffix = "" if rng.random() < self.no_suffix_rate else piece[span[1] :]
        return WindowParts(piece[: span[0]], piece[span[0] : span[1]], suffix, kind)


def character_span(text: str, rng: random.Random) -> Span:
    """Returns two free cuts: empty with probability 1 / (n + 1)."""
    first, second = rng.randint(0, len(text)), rng.randint(0, len(text))
    return min(first, second), max(first, second)


def token_span(borders: Sequence[int], rng: random.Random) -> Span:
    """Returns two free cuts at borders of tokens."""
    first, second = rng.choice(borders), rng.choice(borders)
    return min(first, second), max(first, second)


def short_run(text: str, rng: random.Random) -> Span:
    """Returns a span of a few characters from anywhere."""
    start = rng.randint(0, len(text))
    return start, min(
        len(text), start + int(math.exp(rng.uniform(0, math.log(MAX_RUN_CHARACTERS))))
    )


def rest_of_line(text: str, rng: random.Random) -> Span:
    """Returns the span from a cursor anywhere to the end of its line."""
    return to_line_end(text, rng.randint(0, len(text)), rng)


CHARACTER_KINDS: Mapping[str, Callable[[str, random.Random], Span]] = {
    "character": character_span,
    "short-run": short_run,
    "rest-of-line": rest_of_line,
}
"""Holes that need nothing but the text."""


def to_line_end(text: str, start: int, rng: random.Random) -> Span:
    """Returns the span from a cursor to its line's end; at a line's end mostly the next line."""
    end = text.find("\n", start)
    if 0 <= end == start and rng.random() < 0.8:
        end = text.find("\n", start + 1)
    return start, len(text) if end < 0 else end


def line_span(text: str, rng: random.Random, within: Span | None = None) -> Span:
    """Returns whole lines, mostly one; with both indentation and newline, or without both."""
    start = end = _line_start(text, rng, within)
    for _ in range(1 if rng.random() < 0.8 else rng.randint(2, 6)):
        end = _next(text, end)
    if rng.random() < 0.5:
        return start, end
    body = text[start:end]
    stripped = len(body.rstrip("\n"))
    return start + min(stripped, len(body) - len(body.lstrip(" \t"))), start + stripped


def typed_line_span(text: str, rng: random.Random, within: Span | None = None) -> Span:
    """Returns a span from the start of a line that is not empty, without the newline at its end.

    Half end with their line, a quarter with their block; the others within the line, or up to
    `MAX_RUN_CHARACTERS` characters behind it.
    """
    start = _line_start(text, rng, within)
    end = start + len(text[start : _next(text, start)].rstrip("\n"))
    drawn = rng.random()
    if drawn < 0.5:
        return start, end
    if drawn < 0.65:
        return start, rng.randint(min(start + _indentation(text, start) + 1, end), end)
    if drawn < 0.9:
        return start, _block_end(text, start, rng.randint(2, MAX_BLOCK_LINES))
    return start, min(len(text), end + int(math.exp(rng.uniform(0, math.log(MAX_RUN_CHARACTERS)))))


LINE_KINDS: Mapping[str, Callable[[str, random.Random, Span | None], Span]] = {
    "line": line_span,
    "typed-line": typed_line_span,
}
"""Holes that begin at a line, mostly one of a function's body."""


def _line_start(text: str, rng: random.Random, within: Span | None) -> int:
    """Returns the start of a line that is not empty; 0 where there is none."""
    first, last = within or (0, len(text))
    starts = [0] if first == 0 else []
    at = text.find("\n", max(0, first - 1)) + 1
    while 0 < at < last:
        starts.append(at)
        at = text.find("\n", at) + 1
    starts = [start for start in starts if text[start : _next(text, start)].strip()] or [0]
    return rng.choice(starts)


def _block_end(text: str, start: int, max_lines: int) -> int:
    """Returns the end of the last of at most so many lines that are indented as far as the first
    one.
    """
    margin = _indentation(text, start)
    at = end = start
    for _ in range(max_lines):
        line = text[at : _next(text, at)]
        if line.strip():
            if _indentation(text, at) < margin:
                break
            end = at + len(line.rstrip("\n"))
        at += len(line)
    return end


def _indentation(text: str, start: int) -> int:
    """Returns the number of characters of white space at the start of a line."""
    line = text[start : _next(text, start)]
    return len(line) - len(line.lstrip())


def _syntax_span(text: str, window: Span, syntax: Syntax, rng: random.Random) -> Span | None:
    """Returns a node as offsets in the window; half of those that begin a line are indented."""
    found = syntax.draw(*window, rng)
    if found is None:
        return None
    start, end = found[0] - window[0], found[1] - window[0]
    line = text.rfind("\n", window[0], found[0]) + 1 or window[0]
    if rng.random() < 0.5 and not text[line : found[0]].strip():
        start = line - window[0]
    return start, end


def _body_within(window: Span, syntax: Syntax, rng: random.Random) -> Span | None:
    """Returns a function's code, without docstring, as offsets in the window; in a third of cases
    None.
    """
    bodies = [body for body in syntax.bodies(*window) if body[0] < window[1]]
    if not bodies or rng.random() < 1 / 3:
        return None
    start, end = rng.choice(bodies)
    return start - window[0], min(end, window[1]) - window[0]


def _next(text: str, start: int) -> int:
    """Returns the start of the next line."""
    return text.find("\n", start) + 1 or len(text)
