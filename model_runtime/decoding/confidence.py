r"""The probability that a model gives to what it writes, and the place where it is too low.

The product of the probabilities of a line's tokens is the probability that the model gives to the
whole line, which is what a user must want to accept it.  A mean over tokens hides the one doubtful
name in a line of certain brackets.

A text that is half right is worth nothing to whoever accepts all of it, so it ends early: a short
text that is taken saves more keys than a long one that is not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from model_runtime.decoding.stop_rules import Cut

UNSURE = "unsure"
"""Name of the rule, in a `Cut` and in the decision trail."""

MIN_CHARACTERS = 3
"""Visible ones that are worth showing.  Fewer cost the user more attention than keys, and they take
the Tab key."""

_SURE = 0.8
"""Probability of a line below which it gets no longer."""
_SURE_OF_LATER_LINE = 0.5
"""Probability that a line below needs, which costs a single key to delete."""
_FIRST_WORDS_SHARE = 0.85
"""Share of the probability of the first words, where that is lower, below which nothing is added
to them."""


@dataclass(frozen=True, slots=True)
class ConfidenceCutoff:
    """Ends a text where more of it would be doubtful.

    The first line needs the probability `least` (0 to 1) to be shown at all.  It goes on to the
    last word at which its probability is at least `sure`, or at which it is hardly less than that
    of its first words.  A later line goes whole where it is rather wrong than right.  `cut` is
    pure, and once it has decided, more text changes nothing.
    """

    least: float
    sure: float = _SURE
    later: float = _SURE_OF_LATER_LINE

    def cut(self, text: str, ends: Sequence[int], logprobs: Sequence[float]) -> Cut | None:
        """Returns the place where `text` ends; None to go on.

        Args:
            ends: length of the text after each token.
            logprobs: natural log-probability of each token.

        >>> ConfidenceCutoff(0.5).cut("self.values", [4, 5, 8, 11], [-0.1, -0.1, -0.2, -3.0])
        Cut(offset=5, rule='unsure')
        """
        least, sure = _log(self.least), _log(self.sure)
        floor = least
        total, start, line_start = 0.0, 0, 0
        has_words = False
        for end, logprob in zip(ends, logprobs, strict=False):
            if not has_words and _has_words(text, start):
                has_words = True
                floor = max(least, min(sure, total + math.log(_FIRST_WORDS_SHARE)))
            newline = text.rfind("\n", start, end)
            if newline >= 0 and text[:newline].strip():
                total, line_start = 0.0, newline
                floor = max(least, min(sure, _log(self.later)))
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


def num_visible(text: str) -> int:
    """Returns the number of characters that are no white space."""
    return sum(not character.isspace() for character in text)


def _has_words(text: str, end: int) -> bool:
    """Tells whether enough to show ends here, with a whole word."""
    return end_of_word(text, end) == end and num_visible(text[:end]) >= MIN_CHARACTERS


def _log(probability: float) -> float:
    return math.log(probability) if probability > 0 else -math.inf


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"
