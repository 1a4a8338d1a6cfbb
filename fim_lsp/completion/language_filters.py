r"""Filters by rules that need to know the language: comments, strings, brackets, tags.

Like those of `filters`, each is pure, takes the text and the hole, and shortens or empties it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import SequenceMatcher

from fim_lsp.completion.syntax_errors import errors, has_tree
from model_runtime.decoding.block import least_indentation
from model_runtime.decoding.confidence import MIN_CHARACTERS, num_visible
from model_runtime.decoding.stop_rules import indentation, rest_of_line
from model_runtime.prompt.encoder import Hole
from model_runtime.syntax.brackets import scan, scan_prefix
from model_runtime.syntax.languages import Language
from model_runtime.syntax.tags import wrong_closing_tag

LanguageRule = Callable[[str, Hole, Language], str]

_NEAR = 0.9
"""Share of a line that is the same from which on it is a near-copy."""
_MIN_LINE = 12
"""Visible characters of a line that is compared; short lines are alike by chance."""
_LONGEST_LINE = 400
"""Characters of a line; longer ones must be equal to be copies, since to compare them is slow."""
_LONGEST_END = len("end;")
"""Characters of a word or of closers with which many blocks end."""
_MAX_COMMENT_LINES = 3
_LINES_TO_COMPARE = 8
_MAX_CUTS = 16
_MARKS_AT_END = re.compile(r"""(?<=[\w)\]}"'`])[^\w\s(\[{"'`]{1,8}\Z""")
"""Marks that neither open nor quote; one place for each of them is tried."""


def drop_empty_string(text: str, hole: Hole, language: Language) -> str:
    """Drops a text that ends, before it says anything, the string that was just begun.

    >>> from model_runtime.syntax.languages import language
    >>> drop_empty_string('")', Hole('print("', ")"), language("python"))
    ''
    """
    quote = scan_prefix(hole.prefix, language).quote
    just_begun = quote and hole.prefix.endswith(quote)
    return "" if just_begun and text.startswith(quote) else text


def cut_surplus_closer(text: str, hole: Hole, language: Language) -> str:
    """Cuts before a closer of a bracket that neither the text nor the prefix opened.

    >>> from model_runtime.syntax.languages import language
    >>> cut_surplus_closer("a + b)", Hole("x = ", ""), language("python"))
    'a + b'
    """
    unmatched = scan(text, language, scan_prefix(hole.prefix, language)).unmatched
    return text if unmatched < 0 else text[:unmatched]


def cut_comment_ramble(text: str, hole: Hole, language: Language) -> str:
    r"""Cuts comments that lead nowhere: those at the end, and all after three lines of them.

    A cursor inside a comment asked for one.

    >>> from model_runtime.syntax.languages import language
    >>> cut_comment_ramble("x = 1\n# Then\n# and", Hole("", ""), language("python"))
    'x = 1'
    """
    marks = language.line_comments
    if not marks or not scan_prefix(hole.prefix, language).is_code:
        return text
    lines = text.split("\n")
    in_a_row = 0
    for number, line in enumerate(lines):
        in_a_row = in_a_row + 1 if _is_comment(line, marks) else 0
        if in_a_row > _MAX_COMMENT_LINES:
            lines = lines[:number]
            break
    keeps = 1 + max(
        (n for n, line in enumerate(lines) if line.strip() and not _is_comment(line, marks)),
        default=0,
    )
    # White space alone at the end is another rule's business.
    is_comment_below = any(line.strip() for line in lines[keeps:])
    return "\n".join(lines[:keeps]) if is_comment_below else "\n".join(lines)


def cut_near_copies(text: str, hole: Hole, language: Language) -> str:
    """Cuts at the line that is nearly one of the next lines below, or of the last ones above.

    Of data and of prose lines are alike on purpose.
    """
    below = hole.suffix.partition("\n")[2].split("\n", _LINES_TO_COMPARE)[:-1]
    return text if language.is_prose else _cut_at_copies(text, hole, below)


def cut_near_copies_of_others(text: str, hole: Hole, language: Language) -> str:
    """Does as `cut_near_copies` where a whole block is wanted.

    What stands below in other blocks may well be said here again, but no line around them.
    """
    width = least_indentation(hole)
    below = hole.suffix.partition("\n")[2].split("\n", _LINES_TO_COMPARE)[:-1]
    return _cut_at_copies(text, hole, [line for line in below if indentation(line) < width])


def cut_copied_block(text: str, hole: Hole, _: Language) -> str:
    r"""Cuts the last line of a block where it says what comes first below, and all but the first
    where all stand below, one under the other.

    >>> from model_runtime.syntax.languages import UNKNOWN
    >>> cut_copied_block("a()\n  b()", Hole("f:\n  ", "\ng:\n  a()\n  b()\n"), UNKNOWN)
    'a()'
    """
    below = [line.strip() for line in hole.suffix.split("\n") if line.strip()]
    last = text.rpartition("\n")[2].strip()
    if below and last == below[0] and len(last) > _LONGEST_END:
        text = text.rpartition("\n")[0]
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    places = range(len(below) - len(lines) + 1)
    if len(lines) > 1 and any(below[at : at + len(lines)] == lines for at in places):
        return text[: text.index("\n", len(text) - len(text.lstrip()))]
    return text


def _cut_at_copies(text: str, hole: Hole, below: list[str]) -> str:
    below = _long_lines(below)[:3]
    head = hole.prefix.rpartition("\n")[2]
    above = _long_lines(hole.prefix.rsplit("\n", 3)[-3:-1])
    lines = text.split("\n")
    for number, line in enumerate(lines):
        whole = (head + line if number == 0 else line).strip()
        if len(whole) < _MIN_LINE or not line.strip():
            continue
        # What is the same to the letter above may be meant: the loop rule judges repetition.
        is_copy = any(_is_near(whole, other) for other in below) or whole in above
        if is_copy:
            return "\n".join(lines[:number])
    return text


def cut_to_fewest_errors(text: str, hole: Hole, language: Language) -> str:
    r"""Cuts at the line end that leaves fewest syntax errors; the longest of equals.

    What the text leaves open at its first line it may leave open: editors close it, and a block
    begins so.

    >>> from model_runtime.syntax.languages import language
    >>> cut_to_fewest_errors("a();\nb(c, {", Hole("", ""), language("javascript"))
    'a();'
    """
    if language.is_prose or "\n" not in text:
        return text
    ends = [match.start() for match in re.finditer(r"\n|\Z", text) if text[: match.start()].strip()]
    cuts = [text[:end] for end in (*ends[:1], *ends[1:][-_MAX_CUTS:])]
    return min(reversed(cuts), key=lambda cut: errors(cut, hole, language), default=text)


def cut_trailing_junk(text: str, hole: Hole, language: Language) -> str:
    """Cuts marks at the end that no syntax has a use for, back to the last place that parses.

    >>> from model_runtime.syntax.languages import language
    >>> cut_trailing_junk("total(rows),);", Hole("x = ", ""), language("go"))
    'total(rows)'
    """
    junk = _MARKS_AT_END.search(text)
    if junk is None or not scan_prefix(hole.prefix, language).is_code or not has_tree(language):
        return text
    counts = {
        at: errors(text[:at], hole, language) for at in range(len(text), junk.start() - 1, -1)
    }
    return text[: min(counts, key=lambda at: counts[at])]


def cut_wrong_closing_tag(text: str, hole: Hole, language: Language) -> str:
    r"""Cuts before a tag that closes another element than the innermost open one.

    >>> from model_runtime.syntax.languages import language
    >>> cut_wrong_closing_tag("<li>one</li>\n</div>", Hole("<ul>\n", ""), language("html"))
    '<li>one</li>\n'
    """
    wrong = wrong_closing_tag(hole.prefix, text, language)
    return text if wrong is None else text[:wrong]


LANGUAGE_RULES: tuple[LanguageRule, ...] = (
    drop_empty_string,
    cut_surplus_closer,
    cut_wrong_closing_tag,
    cut_near_copies,
    cut_comment_ramble,
    cut_to_fewest_errors,
    cut_trailing_junk,
)
"""Rules, in the order of their use, after those of `filters`."""

LANGUAGE_RULES_FOR_BLOCK: tuple[LanguageRule, ...] = (
    *(cut_near_copies_of_others if rule is cut_near_copies else rule for rule in LANGUAGE_RULES),
    cut_copied_block,
)
"""Rules for the text of a whole block that is wanted."""


def is_too_short(text: str) -> bool:
    """Tells whether a text is hardly worth the key that accepts it; typing then shows nothing.

    >>> is_too_short("):"), is_too_short("):  # ok")
    (True, False)
    """
    return num_visible(text) < MIN_CHARACTERS


def is_inside_word(hole: Hole) -> bool:
    """Tells whether the cursor stands inside a word, where nothing is wanted unasked.

    >>> is_inside_word(Hole("na", "me")), is_inside_word(Hole("na", ")"))
    (True, False)
    """
    rest = rest_of_line(hole)
    return bool(rest) and _is_word(rest[0]) and hole.prefix[-1:] != "" and _is_word(hole.prefix[-1])


def _is_comment(line: str, marks: tuple[str, ...]) -> bool:
    return line.lstrip().startswith(marks)


def _is_near(one: str, other: str) -> bool:
    if one == other or max(len(one), len(other)) > _LONGEST_LINE:
        return one == other
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    # Numbers and short names in otherwise equal lines are how tables and cases are written.
    return (
        matcher.quick_ratio() >= _NEAR and matcher.ratio() >= _NEAR and _names(one) == _names(other)
    )


def _names(line: str) -> list[str]:
    return re.findall(r"\w+", line)


def _long_lines(lines: list[str]) -> list[str]:
    return [line.strip() for line in lines if len(line.strip()) >= _MIN_LINE]


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"
