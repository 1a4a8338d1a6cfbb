r"""The probability that a model gives to what it writes, and the place where it is too low.

The product of the probabilities of a line's tokens is the probability that the model gives to the
whole line, which is what a user must want to accept it.  A mean over tokens hides the one doubtful
name in a line of certain brackets.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from model_runtime.decoding.stop_rules import Cut

UNSURE = "unsure"
"""Name of the rule, in a `Cut` and in the decision trail."""


@dataclass(frozen=True, slots=True)
class ConfidenceCutoff:
    """Ends a text where its line becomes less probable than `least` (0 to 1).

    The first line is cut back to the end of a word; a later one goes whole.  `cut` is pure, and
    once it has decided, more text changes nothing.
    """

    least: float

    def cut(self, text: str, ends: Sequence[int], logprobs: Sequence[float]) -> Cut | None:
        """Returns the place where `text` ends; None to go on.

        Args:
            ends: length of the text after each token.
            logprobs: natural log-probability of each token.

        >>> ConfidenceCutoff(0.5).cut("self.values", [4, 5, 8, 11], [-0.1, -0.1, -0.2, -3.0])
        Cut(offset=5, rule='unsure')
        """
        floor = math.log(self.least) if self.least > 0 else -math.inf
        total, start, line_start = 0.0, 0, 0
        for end, logprob in zip(ends, logprobs, strict=False):
            newline = text.rfind("\n", start, end)
            if newline >= 0 and text[:newline].strip():
                total, line_start = 0.0, newline
            total += logprob
            if total < floor:
                return Cut(line_start or end_of_word(text, start), UNSURE)
            start = end
        return None


def line_probability(text: str, ends: Sequence[int], logprobs: Sequence[float]) -> float:
    """Returns the probability of the first line that says something; 1 for no token."""
    total, start = 0.0, 0
    for end, logprob in zip(ends, logprobs, strict=False):
        newline = text.find("\n", start, end)
        if newline >= 0 and text[:newline].strip():
            break
        total, start = total + logprob, end
    return math.exp(total)


def end_of_word(text: str, offset: int) -> int:
    """Returns the last place up to `offset` that is not inside a word."""
    if offset < len(text) and _is_word(text[offset]):
        while offset and _is_word(text[offset - 1]):
            offset -= 1
    return offset


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"
