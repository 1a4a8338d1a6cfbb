r"""Filters what the model wrote into what the editor shows, by pure rules in order.

Each rule takes the text and the hole, and returns the text, shortened or emptied; none lengthens
it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from fim_lsp.completion.indentation import fit_indentation
from fim_lsp.completion.language_filters import (
    LANGUAGE_RULES,
    LANGUAGE_RULES_FOR_BLOCK,
    LanguageRule,
)
from fim_lsp.document import Indentation
from model_runtime.decoding.stop_rules import is_closing_tail, nearby, rest_of_line
from model_runtime.prompt.encoder import Hole
from model_runtime.syntax.languages import UNKNOWN, Language

Rule = Callable[[str, Hole], str]

_STUTTER = re.compile(r"([^\n]{1,12}?)\1{4,}")
"""A fragment of up to twelve characters, five times in a row."""
_MIN_OVERLAP = 3
"""Characters of the rest of the line that must repeat before the overlap is cut; a lone letter is
chance.
"""


def cut_at_broken_character(text: str, _: Hole) -> str:
    r"""Cuts where bytes do not make a character, as small models write outside ASCII.

    >>> cut_at_broken_character("caf\ufffd\ufffd", Hole("", ""))
    'caf'
    """
    return text.partition("\ufffd")[0]


def cut_at_repeated_block(text: str, _: Hole) -> str:
    r"""Cuts where the same one to three lines begin to come a third time.

    >>> cut_at_repeated_block("a = 1\na = 1\na = 1\n", Hole("", ""))
    'a = 1\n'
    """
    lines = text.split("\n")
    for size in (1, 2, 3):
        for start in range(len(lines) - 3 * size + 1):
            block = lines[start : start + size]
            if not any(line.strip() for line in block):
                continue
            if block == lines[start + size : start + 2 * size] and _is_prefix(
                lines[start + 2 * size : start + 3 * size], block
            ):
                return "\n".join(lines[: start + size]) + "\n"
    return text


def cut_at_stutter(text: str, _: Hole) -> str:
    r"""Cuts the line that says one short fragment over and over, as small models do when lost.

    >>> cut_at_stutter("x = 1\ny = a.b.b.b.b.b", Hole("", ""))
    'x = 1\n'
    """
    for stutter in _STUTTER.finditer(text):
        # A run of one punctuation mark or of spaces is a ruler, and real.
        if any(character.isalnum() for character in stutter[1]):
            return text[: text.rfind("\n", 0, stutter.start()) + 1]
    return text


def cut_repeated_indentation(text: str, hole: Hole) -> str:
    r"""Cuts white space at the start where the cursor stands behind the line's indentation already.

    >>> cut_repeated_indentation("    return x", Hole("def f(x):\n    ", ""))
    'return x'
    """
    before = hole.prefix.rpartition("\n")[2]
    return text.lstrip(" \t") if before and not before.strip() else text


def cut_lines_below(text: str, hole: Hole) -> str:
    """Cuts the last lines where they repeat the first lines below the cursor."""
    below = [line.rstrip() for line in hole.suffix.partition("\n")[2].split("\n")]
    while below and not below[0]:
        below.pop(0)
    lines = text.split("\n")
    for start in range(1, len(lines)):
        tail = [line.rstrip() for line in lines[start:]]
        if tail[0] and tail == below[: len(tail)]:
            return "\n".join(lines[:start])
    return text


def drop_line_below(text: str, hole: Hole) -> str:
    """Drops a suggestion that only says what the next line says already."""
    below = hole.suffix.partition("\n")[2].lstrip("\n").partition("\n")[0]
    whole_line = hole.prefix.rpartition("\n")[2] + text.strip("\n")
    return "" if below.strip() and whole_line.strip() == below.strip() else text


def cut_suffix_overlap(text: str, hole: Hole) -> str:
    """Cuts the end of the text where it repeats what stands right of the cursor.

    Closers are left to `fit_closers`, which replaces them instead.

    >>> cut_suffix_overlap("first, second", Hole("f(", " second)"))
    'first,'
    """
    rest = rest_of_line(hole)
    if is_closing_tail(rest):
        return text
    for length in range(min(len(text), len(rest)), 0, -1):
        if text.endswith(rest[:length]):
            is_whole = length == len(rest) or length >= _MIN_OVERLAP
            return text[:-length] if is_whole or not rest[length - 1].isalnum() else text
    return text


def cut_trailing_space(text: str, hole: Hole) -> str:
    """Cuts blank lines and white space at the end, and everything if nothing else is there."""
    stripped = text.rstrip()
    if not stripped.strip():
        return ""
    # Inside a line the space before the next word is wanted: `return |value`.
    rest = rest_of_line(hole)
    if "\n" not in text and rest.strip() and not rest[0].isspace() and text.endswith(" "):
        return stripped + " "
    return stripped


RULES: tuple[Rule, ...] = (
    cut_at_broken_character,
    cut_repeated_indentation,
    cut_at_repeated_block,
    cut_at_stutter,
    cut_lines_below,
    drop_line_below,
    cut_suffix_overlap,
    cut_trailing_space,
)
"""Rules, in the order of their use."""

RULES_FOR_JOINED: tuple[Rule, ...] = (
    cut_at_broken_character,
    cut_repeated_indentation,
    cut_at_stutter,
)
"""Rules for a text that leads to the rest of the line, at whose end nothing is superfluous."""


class Cleaned(NamedTuple):
    """Text to show, how many characters right of the cursor it replaces, and the rules that changed
    it.
    """

    text: str
    replaced: int
    changed_by: tuple[str, ...]


def clean(
    text: str,
    hole: Hole,
    language: Language = UNKNOWN,
    indentation: Indentation | None = None,
    *,
    is_cut_off: bool = False,
    is_of_whole_line: bool = False,
    is_joined: bool = False,
    is_block: bool = False,
) -> Cleaned:
    """Applies all rules, then fits the text to the document's indentation, and to the closers right
    of the cursor.

    Args:
        text: what the model wrote.
        hole: where it is to stand.
        language: of the document.
        indentation: as the editor says.
        is_cut_off: the limit ended the text: then the last of several lines is half a line.
        is_of_whole_line: the model wrote the line from its start, so that white space at the start
            goes on from what is typed, and repeats none of it.
        is_joined: it leads to the rest of the line, so that its end is where it should be; it is
            cut at a fault inside of it alone.
        is_block: it is a whole block, so that nothing below the cursor is a part of it.
    """
    hole = nearby(hole)
    changed: list[str] = []
    if is_cut_off and "\n" in text.strip():
        text = text.rpartition("\n")[0]
        changed.append("cut_off")
    of_language = LANGUAGE_RULES_FOR_BLOCK if is_block else LANGUAGE_RULES
    of_language = () if is_joined else of_language
    of_all = RULES_FOR_JOINED if is_joined else RULES
    own = [rule for rule in of_all if not (is_of_whole_line and rule is cut_repeated_indentation)]
    rules: list[Rule] = [*own, *(partial(_in_language, rule, language) for rule in of_language)]
    names = [rule.__name__ for rule in (*own, *of_language)]
    for name, rule in zip(names, rules, strict=True):
        after = rule(text, hole)
        if after != text:
            changed.append(name)
        text = after
        if not text:
            return Cleaned("", 0, tuple(changed))
    indented = fit_indentation(text, hole, language, indentation)
    if indented != text:
        changed.append("fit_indentation")
    text = indented
    fitted, replaced = fit_closers(text, hole)
    if fitted != text:
        changed.append("fit_closers")
    return Cleaned(fitted, replaced, tuple(changed))


def _in_language(rule: LanguageRule, language: Language, text: str, hole: Hole) -> str:
    # A rule may uncover white space at the end, which no rule after it looks at.
    after = rule(text, hole, language)
    return after if after == text else cut_trailing_space(after, hole)


def fit_closers(text: str, hole: Hole) -> tuple[str, int]:
    """Replaces the closers right of the cursor that the text writes itself.

    Returns: the text, and how many characters after the cursor it replaces.  When a text of several
    lines does not write them, only its first line can stand in front of them.

    >>> fit_closers("a, b):", Hole("def add(", ")"))
    ('a, b):', 1)
    >>> fit_closers("a, b", Hole("def add(", ")"))
    ('a, b', 0)
    """
    tail = rest_of_line(hole)
    if not tail.strip() or not is_closing_tail(tail):
        return text, 0
    closers = tail.lstrip()
    spaces = len(tail) - len(closers)  # as in `f(| )`: they go with the closer
    place = _unmatched(text, closers[0])
    if place is None:
        return text.partition("\n")[0].rstrip(), 0
    covered = 1
    while (
        covered < len(closers)
        and place + covered < len(text)
        and text[place + covered] == closers[covered]
    ):
        covered += 1
    if covered < len(closers.rstrip()) and "\n" in text[place:]:
        # The rest of the tail would land at the end of the last line.
        text = text[: place + covered]
    return text, spaces + covered


def insertable(text: str, replaced: str) -> str:
    """Returns what can be inserted of a text that replaces closers right of the cursor.

    >>> insertable("a, b):", "):"), insertable("a, b", "")
    ('a, b', 'a, b')
    """
    closers = replaced.lstrip()
    place = _unmatched(text, closers[0]) if closers else None
    return text if place is None else text[:place]


def _unmatched(text: str, closer: str) -> int | None:
    """Returns where `text` writes a `closer` that it did not open."""
    opener = {")": "(", "]": "[", "}": "{", ">": "<"}.get(closer)
    if opener is None:  # a quote, or punctuation after the closer
        place = text.find(closer)
        return place if place >= 0 else None
    depth, quote = 0, ""
    for place, character in enumerate(text):
        if quote:
            quote = "" if character == quote and text[place - 1] != "\\" else quote
        elif character in "\"'`":
            quote = character
        elif character == opener:
            depth += 1
        elif character == closer:
            if depth == 0:
                return place
            depth -= 1
    return None


def _is_prefix(short: list[str], long: list[str]) -> bool:
    """Tells whether the lines repeat, the last one perhaps unfinished."""
    return len(short) == len(long) and all(
        mine == theirs or (number == len(short) - 1 and mine.strip() and theirs.startswith(mine))
        for number, (mine, theirs) in enumerate(zip(short, long, strict=True))
    )
