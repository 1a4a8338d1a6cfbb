"""Tracks open brackets, strings and comments at the end of a text.

The scan goes by marks and is no parser: it holds for half-finished code in any language, and never
fails.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from model_runtime.syntax.languages import UNKNOWN, Language

CLOSER_OF = {"(": ")", "[": "]", "{": "}"}
"""Opening bracket -> its closing one."""
_MULTI_LINE_QUOTES = ('"""', "'''", "`")


class Scan(NamedTuple):
    """The state of a scan at the end of a text."""

    open: str = ""
    """Brackets that are open, the innermost last."""
    quote: str = ""
    """Mark of the string that the text ends inside of."""
    comment: str = ""
    """"line" or "block" when it ends inside a comment."""
    unmatched: int = -1
    """Offset of the first closer that closes nothing; -1 for none."""
    surplus: int = 0
    """Number of closers that closed nothing."""

    @property
    def is_code(self) -> bool:
        """Whether the text ends outside strings and comments."""
        return not self.quote and not self.comment


def scan(text: str, language: Language = UNKNOWN, before: Scan | None = None) -> Scan:
    """Returns the state after `text`, which goes on from the state `before`.

    Offsets count in `text`.

    >>> scan("f(a, [1, 2], {")
    Scan(open='({', quote='', comment='', unmatched=-1, surplus=0)
    >>> scan("x) + 1").unmatched
    1
    """
    if language.is_prose:
        return Scan()
    state = before or Scan()
    stack, quote, comment, unmatched = list(state.open), state.quote, state.comment, -1
    surplus = state.surplus
    begin, end = language.block_comment or ("", "")
    for match in _marks(language).finditer(text):
        mark = match[0]
        if comment:
            if (mark == "\n" and comment == "line") or (mark == end and comment == "block"):
                comment = ""
        elif quote:
            ends_here = mark == "\n" and quote not in _MULTI_LINE_QUOTES
            if ends_here or (mark == quote if len(quote) == 3 else mark.startswith(quote)):
                quote = ""
        elif mark == begin:
            comment = "block"
        elif mark in language.line_comments:
            comment = "line"
        elif mark[0] in language.quotes:
            quote = mark
        elif mark in CLOSER_OF:
            stack.append(mark)
        elif mark in ")]}":
            if stack and CLOSER_OF[stack[-1]] == mark:
                stack.pop()
            elif mark not in language.unpaired_closers:
                surplus += 1
                unmatched = match.start() if unmatched < 0 else unmatched
    return Scan("".join(stack), quote, comment, unmatched, surplus)


@lru_cache(maxsize=8)
def scan_prefix(prefix: str, language: Language = UNKNOWN) -> Scan:
    """Returns the state at a cursor; remembered, since a completion asks for it at each token."""
    return scan(prefix[-_MAX_CHARACTERS:], language)


_MAX_CHARACTERS = 20_000
"""Characters before the cursor that are scanned: a bound on the time (about 1 ms), and further
brackets say little.
"""


@lru_cache(maxsize=64)
def _marks(language: Language) -> re.Pattern[str]:
    marks = [*language.line_comments, *(language.block_comment or ())]
    for quote in language.quotes:
        marks += [quote * 3, quote] if quote != "`" else [quote]
    marks += ["(", "[", "{", ")", "]", "}", "\n"]
    marks.sort(key=len, reverse=True)
    return re.compile(r"\\[^\n]|" + "|".join(_pattern(mark, language) for mark in marks))


def _pattern(mark: str, language: Language) -> str:
    """Returns the pattern of a mark, which says where the mark is none."""
    before = ""
    if mark in language.line_comments:
        if language.comments_begin_words:
            before = r"(?<![^\s;&|()])"
        elif mark == "//":
            before = "(?<!:)"  # the address of a page, which stylesheets and pages need not quote
    return before + re.escape(mark)
