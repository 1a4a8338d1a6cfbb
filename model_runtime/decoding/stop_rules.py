r"""Rules that end a completion before the model does; they are checked at each token, to save time.

The rules read text alone, so they hold for every language; what they know of one (comments,
strings) stands in `languages`.  Evaluation can apply the very rules of the server.

    statement    the syntax tree says that the statement of the cursor's line is whole, and no line
                 can go on with it
    string,      the one that the cursor is in has ended
    comment
    line         a single line was wanted, and its end came
    closer       a bracket is closed that nothing has opened, neither the text nor the prefix
    dedent       a line is less indented than the block, or stands beside the completed statement
    line below   a line equals the next non-blank line after the cursor
    blank line   the block that was completed is followed by a blank line
    repetition   the same line came three times in a row
    stop string  the model began something else than the answer, as its format states
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from model_runtime.prompt.encoder import Hole
from model_runtime.syntax.brackets import Scan, scan, scan_prefix
from model_runtime.syntax.cursor_scope import kind_at, statement_ends
from model_runtime.syntax.languages import UNKNOWN, Language

STOP_STRING = "stop string"
"""Name of the rule of `StopStrings`, in a `Cut`."""
_TAB_WIDTH = 8  # only comparisons matter, and documents rarely mix


_BEFORE, _AFTER = 20_000, 5_000
"""Characters around the cursor that rules look at."""


class Cut(NamedTuple):
    """Says that a text ends before `offset`, because of `rule`."""

    offset: int
    rule: str


def nearby(hole: Hole) -> Hole:
    """Returns the hole as the rules see it, so that their work does not grow with the document."""
    if len(hole.prefix) <= _BEFORE and len(hole.suffix) <= _AFTER:
        return hole
    return Hole(hole.prefix[-_BEFORE:], hole.suffix[:_AFTER])


def is_closing_tail(rest_of_line: str) -> bool:
    """Tells whether only closers follow the cursor, as editors type them by themselves.

    >>> is_closing_tail("):"), is_closing_tail(""), is_closing_tail(", b)")
    (True, True, False)
    """
    return all(character in ")]}\"'`>:; \t" for character in rest_of_line)


def wants_single_line(hole: Hole, multiline: str = "auto", language: Language = UNKNOWN) -> bool:
    """Tells whether the completion should stay on the cursor's line.

    Args:
        multiline: "never", "always", or "auto": one line when text other than closers follows on
        the line, and inside a comment or a string that ends with the line.
    """
    hole = nearby(hole)
    if multiline == "auto":
        if not is_closing_tail(rest_of_line(hole)):
            return True
        inside = scan_prefix(hole.prefix, language)
        in_text = inside.comment == "line" or inside.quote in ('"', "'")
        # Marks mislead at times (`$#`, an apostrophe in a pattern); a tree that parses does not.
        return in_text and kind_at(hole.prefix, language) in (None, "comment", "string")
    return multiline == "never"


def rest_of_line(hole: Hole) -> str:
    """Returns the text between the cursor and the end of its line."""
    return hole.suffix.partition("\n")[0].rstrip("\r")


def indentation(line: str) -> int:
    """Returns the width of the white space in front, tabs expanded."""
    width = 0
    for character in line:
        if character == " ":
            width += 1
        elif character == "\t":
            width += _TAB_WIDTH - width % _TAB_WIDTH
        else:
            break
    return width


@dataclass(frozen=True, slots=True)
class StopStrings:
    """Texts by which a model begins something else than the answer, such as another file.

    `cut` is pure, and does not care at which tokens a text is cut in pieces.
    """

    strings: tuple[str, ...]

    def cut(self, text: str) -> Cut | None:
        """Returns the place of the first stop string; None to go on.

        >>> StopStrings(("<end>",)).cut("a = 1<end>b")
        Cut(offset=5, rule='stop string')
        """
        found = [place for string in self.strings if (place := text.find(string)) >= 0]
        return Cut(min(found), STOP_STRING) if found else None

    def cut_off(self, text: str) -> str:
        """Returns the text before the first stop string."""
        found = self.cut(text)
        return text if found is None else text[: found.offset]

    def cut_at_end(self, text: str) -> Cut | None:
        """Returns the place at which the beginning of a stop string ends a text that goes on.

        >>> StopStrings(("<end>",)).cut_at_end("a = 1<e")
        Cut(offset=5, rule='stop string')
        """
        for place in range(max(0, len(text) - max(map(len, self.strings), default=0)), len(text)):
            if any(string.startswith(text[place:]) for string in self.strings):
                return Cut(place, STOP_STRING)
        return None


@dataclass(frozen=True, slots=True)
class StopRules:
    """Holds the rules for one hole.  `cut` is pure: the same text gives the same answer."""

    hole: Hole
    single_line: bool
    language: Language = UNKNOWN

    def __post_init__(self) -> None:
        object.__setattr__(self, "hole", nearby(self.hole))

    def cut(self, text: str) -> Cut | None:
        """Returns the place where generated `text` ends; None to go on.

        A line is judged when its first visible character is known, so a dedent costs one token, not
        a line.
        """
        before = scan_prefix(self.hole.prefix, self.language)
        cuts = (self._cut_at_line(text), self._cut_behind_text(text, before))
        by_lines = min((cut for cut in cuts if cut is not None), default=None)
        surplus = scan(text, self.language, before).unmatched
        if surplus >= 0 and (by_lines is None or surplus < by_lines.offset):
            return Cut(surplus, "closer")
        return by_lines

    def _cut_at_line(self, text: str) -> Cut | None:
        if self.single_line:
            end = text.find("\n")
            # A middle may begin with the line end of the line above; then the line after it is
            # meant.
            if end == 0 and not self.hole.prefix.rpartition("\n")[2].strip():
                end = text.find("\n", 1)
            return Cut(end, "line") if end >= 0 else None
        if "\n" not in text:
            return None
        return self._cut_in_lines(text)

    def _cut_behind_text(self, text: str, before: Scan) -> Cut | None:
        """Cuts at the end of the line on which the string or comment around the cursor ends."""
        if before.is_code or self.language.is_prose:
            return None
        offset = -1
        while (offset := text.find("\n", offset + 1)) >= 0:
            after = scan(text[:offset], self.language, before)
            if (after.quote, after.comment) != (before.quote, before.comment):
                return Cut(offset, "string" if before.quote else "comment")
        return None

    def _cut_in_lines(self, text: str) -> Cut | None:
        cursor_line = self.hole.prefix.rpartition("\n")[2]
        lines = text.split("\n")
        is_statement = bool(cursor_line.strip())
        block = indentation(cursor_line)
        if not is_statement and not lines[0].strip():
            # The cursor stands on a blank line and the model went on to the next one.
            first = next((line for line in lines[1:] if line.strip()), "")
            block = min(block, indentation(first)) if block else indentation(first)
        elif not is_statement and not cursor_line:
            block = indentation(lines[0])
        below = _next_line(self.hole.suffix)
        outer = depth_of(cursor_line, self.language)
        depth = outer + depth_of(lines[0], self.language)
        offset = len(lines[0])
        seen_text = bool(lines[0].strip()) or is_statement
        if (
            is_statement
            and lines[0].strip()
            and depth <= 0
            and statement_ends(self.hole.prefix, lines[0], self.language)
        ):
            return Cut(offset, "statement")
        for number, line in enumerate(lines[1:], 1):
            is_whole = number < len(lines) - 1
            if line.strip():
                width = indentation(line)
                if (
                    depth <= 0
                    and seen_text
                    and (width < block or (is_statement and width <= block))
                ):
                    return Cut(offset, "dedent")
                # A closer of what the completion opened is not the one below.
                is_own = depth > max(0, outer) and not line.strip(" \t)]};,")
                if is_whole and below and line.strip() == below and not is_own:
                    return Cut(offset, "line below")
                if is_whole and number >= 2 and line == lines[number - 1] == lines[number - 2]:
                    return Cut(offset, "repetition")
                depth += depth_of(line, self.language)
                seen_text = True
            elif is_whole and seen_text and depth <= 0:
                return Cut(offset, "blank line")
            offset += 1 + len(line)
        return None


def _next_line(suffix: str) -> str:
    """Returns the first line below the cursor's that is not blank, without its white space."""
    below = suffix.partition("\n")[2]
    while below:
        line, _, below = below.partition("\n")
        if line.strip():
            return line.strip()
    return ""


@lru_cache(maxsize=64)
def depth_of(line: str, language: Language) -> int:
    """Returns brackets opened less closed; those in strings and comments do not count."""
    state = scan(line, language)
    return len(state.open) - state.surplus
