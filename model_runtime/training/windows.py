"""Chooses which pieces of a document a model reads, as offsets; always whole lines."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

from model_runtime.training.syntax import Span, Syntax

CHARACTERS_PER_TOKEN = 3.5
"""Estimate for choosing sizes only; nothing depends on it being exact."""


def whole(text: str, tokens: tuple[int, int], rng: random.Random) -> Iterator[Span]:
    """Cuts all of a document at line ends into windows of about so many tokens."""
    start = 0
    while start < len(text):
        end = _line_end(text, start + _characters(tokens, rng))
        yield start, end
        start = end


def some(
    text: str,
    syntax: Syntax,
    count: int,
    tokens: tuple[int, int],
    function_rate: float,
    rng: random.Random,
) -> Iterator[Span]:
    """Yields at most `count` windows that do not overlap; most begin at a function, some end with
    it.
    """
    taken: list[Span] = []
    for _ in range(count):
        size = _characters(tokens, rng)
        functions = syntax.functions if rng.random() < function_rate else []
        if functions:
            weights = [function.weight for function in functions]
            function = rng.choices(functions, weights)[0]
            start = function.start
            end = _line_end(text, start + size)
            own_end = _line_end(text, function.end)
            if (
                tokens[0] * CHARACTERS_PER_TOKEN
                <= own_end - start
                <= tokens[1] * CHARACTERS_PER_TOKEN
            ):
                # The function alone, as in a benchmark or a notebook; or with what follows it.
                end = own_end if rng.random() < 0.6 else max(end, own_end)
        else:
            start = text.rfind("\n", 0, rng.randrange(len(text) + 1)) + 1
            end = _line_end(text, start + size)
        if start < end and all(end <= other[0] or start >= other[1] for other in taken):
            taken.append((start, end))
            yield start, end


def _characters(tokens: tuple[int, int], rng: random.Random) -> int:
    """Draws a size between the two, short ones as likely as long ones by ratio."""
    low, high = tokens
    drawn = math.exp(rng.uniform(math.log(low), math.log(high)))
    return int(drawn * CHARACTERS_PER_TOKEN)


def _line_end(text: str, at: int) -> int:
    """Returns the offset behind the newline that ends the line at `at`, or the end of the text."""
    return len(text) if at >= len(text) else (text.find("\n", max(0, at - 1)) + 1 or len(text))
