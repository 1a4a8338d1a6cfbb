r"""Turns globs as in .gitignore into regular expressions that never try the same thing twice.

`*` and `?` stay inside a folder, `[...]` is one character, `**` is any number of folders.  A glob
may come from a folder of somebody else's, and plain translations take exponential time on
`*a*a*a*a*b`.  Here every `*` and `**` but the last of a glob stops at its first fit and is never
asked for another one (an atomic group, as `fnmatch` of the standard library has it), which finds
whatever there is to find: so a match takes at most the length of the path times that of the glob.
"""

# Why this is no library's: pathspec's expressions backtrack.  Five `*a` in a pattern took it 55 ms
# for one path, and each further one ten times as long; who writes a `.gitignore` could stop the
# server by it.  tests/fim_lsp/exclusion/test_gitignore.py compares our reading with git's own.

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import count
from typing import NamedTuple

_CLASSES = {
    "alnum": "a-zA-Z0-9", "alpha": "a-zA-Z", "blank": r" \t", "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9", "graph": r"\x21-\x7e", "lower": "a-z", "print": r"\x20-\x7e",
    "punct": r"!-/:-@\[-`{-~", "space": r" \t-\r", "upper": "A-Z", "xdigit": "0-9a-fA-F",
}  # fmt: skip
"""Named sets of characters, as in `[[:digit:]]`."""
_TOKEN = re.compile(r"\\(.)|(\*+)|(\?)|(\[)|([^\\*?\[]+)", re.DOTALL)
_IN_SET = r"(?:\\.|\[:\w*:\]|(?!\[:\w*:\])[^\]\\])"
_SET = re.compile(rf"\[(?P<mark>[!^]?)(?P<content>(?:\]|{_IN_SET}){_IN_SET}*)\]", re.DOTALL)
_BETWEEN_SLASHES = re.compile(r"(?:\\[^/]|(?:" + _SET.pattern + r")|[^/])+|/", re.DOTALL)
"""A slash in a bracket divides nothing."""
_MEMBER = re.compile(
    r"\[:(?P<name>\w*):\]|(?P<first>\\.|[^\\])(?:-(?P<last>\\.|[^\\]))?", re.DOTALL
)
_ANY_FOLDERS = "(?:[^/]*/)*?"
_NOTHING = "(?!)"


class GlobError(ValueError):
    """A glob that means nothing; its text says why."""


class Rule(NamedTuple):
    """A glob, and what a match says."""

    text: str
    """The glob as its author wrote it."""
    glob: str
    """The same for whole paths: `**/` stands before what may lie anywhere."""
    is_negated: bool = False
    """Whether the rule takes back what one before it says."""
    is_for_folders: bool = False


class Rules:
    """Rules in their order, of which the last one that matches decides.

    Most paths match none, and one expression for all of them says so.

    Raises:
        GlobError: a glob means nothing.
    """

    def __init__(self, rules: Iterable[Rule], *, ignores_case: bool = False) -> None:
        self._flags = re.IGNORECASE if ignores_case else re.RegexFlag(0)
        self._rules = tuple(rules)
        names = [rule for rule in self._rules if _is_name(rule)]
        paths = [rule for rule in self._rules if not _is_name(rule)]
        self._is_name = _any_of((rule.glob.removeprefix("**/") for rule in names), self._flags)
        self._is_path = _any_of((rule.glob for rule in paths), self._flags)

    def last(self, path: str, *, is_folder: bool = False) -> Rule | None:
        """Returns the last rule that matches a path, which neither begins nor ends with a slash."""
        if not self._is_name(path.rpartition("/")[2]) and not self._is_path(path):
            return None
        for rule in reversed(self._rules):
            if (is_folder or not rule.is_for_folders) and _alone(rule.glob, self._flags)(path):
                return rule
        return None


def expression(glob: str, number: Iterator[int] | None = None) -> str:
    r"""Returns a regular expression for whole paths.

    Args:
        glob: its parts divided by slashes, none before the first and none behind the last.
        number: names the groups; expressions that are put together need one for all.

    Raises:
        GlobError: a bracket is not closed, or a backslash has nothing behind it.

    >>> bool(re.match(expression("**/a*b/?.py"), "x/y/aXb/1.py"))
    True
    """
    number = number or count()
    *earlier, last = _blocks(glob)
    parts = []
    for index, block in enumerate(earlier):
        found = "".join(f"{_of_part(part, number)}/" for part in block)
        parts.append(_atomic(_ANY_FOLDERS + found, number) if index else found)
    if not last:  # a glob that ends with `**` takes all that lies below
        return "".join(parts) + r"(?s:.+)\Z"
    parts += [_ANY_FOLDERS] if earlier else []
    return "".join(parts) + "/".join(_of_part(part, number) for part in last) + r"\Z"


def _blocks(glob: str) -> list[list[str]]:
    """Returns the parts between one `**` and the next; several in a row, or more stars, are one."""
    parts = [""]
    for token in _BETWEEN_SLASHES.finditer(glob):
        if token[0] == "/":
            parts.append("")
        else:
            parts[-1] = token[0]
    blocks: list[list[str]] = [[]]
    for part in parts:
        if set(part) != {"*"} or part == "*":
            blocks[-1].append(part)
        elif blocks[-1] or len(blocks) == 1:
            blocks.append([])
    return blocks


def _of_part(glob: str, number: Iterator[int]) -> str:
    """Returns a regular expression for the name of one file or folder."""
    fixed, at = [""], 0
    while at < len(glob):
        token = _TOKEN.match(glob, at)
        if token is None:
            raise GlobError("there is nothing behind its last backslash")
        at = token.end()
        escaped, stars, mark, bracket, plain = token.groups()
        if stars:
            fixed.append("")
        elif bracket:
            members = _SET.match(glob, token.start())
            if members is None:
                raise GlobError("a bracket is not closed")
            fixed[-1] += _set(members["mark"], members["content"])
            at = members.end()
        else:
            fixed[-1] += "[^/]" if mark else re.escape(escaped or plain)
    first, *between = fixed
    if not between:
        return first
    *middle, last = between
    return first + "".join(_atomic(f"[^/]*?{part}", number) for part in middle) + "[^/]*" + last


def _set(mark: str, content: str) -> str:
    """Returns a regular expression for one character of a set, or for one that is not in it."""
    members = ""
    for found in _MEMBER.finditer(content):
        if found["name"] is not None:
            members += _CLASSES.get(found["name"], "")
            continue
        first, last = found["first"][-1], (found["last"] or found["first"])[-1]
        if first <= last:
            members += f"{re.escape(first)}-{re.escape(last)}"
    if not members:
        return "[^/]" if mark else _NOTHING
    return f"(?!/)[{'^' if mark else ''}{members}]"


def _atomic(part: str, number: Iterator[int]) -> str:
    """Returns an expression that keeps its first fit; Python 3.10 has no `(?>...)`."""
    name = f"g{next(number)}"
    return f"(?=(?P<{name}>{part}))(?P={name})"


def _is_name(rule: Rule) -> bool:
    return rule.glob.startswith("**/") and "/" not in rule.glob[3:]


@lru_cache(maxsize=4096)
def _alone(glob: str, flags: re.RegexFlag) -> Callable[[str], object]:
    return _any_of([glob], flags)


def _any_of(globs: Iterable[str], flags: re.RegexFlag) -> Callable[[str], object]:
    number = count()
    whole = "|".join(expression(glob, number) for glob in globs)
    return re.compile(whole or _NOTHING, flags).match
