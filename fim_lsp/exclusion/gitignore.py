"""Tells which files git would ignore, without git, which may run what a repository names.

Read as plain text are the `.gitignore` files from the top of the work tree down, the clone's own
`.git/info/exclude` and the user's `~/.config/git/ignore`; a `.git` that is a file or a link is not
followed.  What is tracked although it is ignored counts as ignored, for git's index is not read.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from fim_lsp.exclusion.globs import GlobError, Rule, Rules, expression
from model_runtime.files import open_regular

MAX_BYTES = 32_000
MAX_CHARACTERS_OF_LINE = 1000
"""A file of rules that is longer, or has a longer line, is not understood: all of its folder counts
as ignored.
"""
_EVERYTHING = Rules([Rule("*", "**/*")])
_NAME = ".gitignore"


class Level(NamedTuple):
    """The rules of one folder."""

    start: int
    """Characters of the folder's path below the work tree's top, its last slash included."""
    rules: Rules


Levels = tuple[Level, ...]
"""The rules stand from the weakest to the strongest, which is the innermost."""


def is_rules_file(uri_or_path: str) -> bool:
    """Tells whether a file, by its name, says what git ignores."""
    return uri_or_path.endswith((f"/{_NAME}", "/info/exclude"))


def work_tree_of(folder: str | Path) -> str | None:
    """Returns the innermost folder at or above this one that holds a `.git` of whatever kind."""
    path = os.path.abspath(folder)
    while not os.path.lexists(os.path.join(path, ".git")):
        above = os.path.dirname(path)
        if above == path:
            return None
        path = above
    return path


def levels_at_top(top: str) -> Levels:
    """Returns the rules that hold in a whole work tree, with those of `.gitignore` at its top."""
    settings = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    files = [os.path.join(settings, "git", "ignore")]
    own = os.path.join(top, ".git", "info")
    if not any(os.path.islink(folder) for folder in (os.path.dirname(own), own)):
        files.append(os.path.join(own, "exclude"))
    files.append(os.path.join(top, _NAME))
    return tuple(Level(0, rules) for rules in map(_rules_in, files) if rules is not None)


def levels_below(levels: Levels, top: str, folder: str) -> Levels:
    """Returns the rules that hold in a folder, added to those that hold above it.

    Args:
        levels: of the folder that holds it.
        top: the work tree.
        folder: its path below that, with a slash at its end.
    """
    rules = _rules_in(os.path.join(top, folder, _NAME))
    return levels if rules is None else (*levels, Level(len(folder), rules))


def is_ignored_by(levels: Levels, path: str, *, is_folder: bool) -> bool:
    """Tells whether the rules name a path, whose folder they do not name.

    Args:
        levels: those of its folder.
        path: below the work tree's top, with slashes.
        is_folder: what it is.
    """
    for level in reversed(levels):
        rule = level.rules.last(path[level.start :], is_folder=is_folder)
        if rule is not None:
            return not rule.is_negated
    return False


def is_ignored(path: str) -> bool:
    """Tells whether the rules of a file's work tree name it, or a folder that it lies in."""
    folder, name = os.path.split(os.path.abspath(path))
    top = work_tree_of(folder)
    if top is None:
        return False
    below = os.path.relpath(folder, top).replace(os.sep, "/")
    levels = levels_within(top, "" if below == "." else f"{below}/")
    if levels is None:
        return True
    inside = name if below == "." else f"{below}/{name}"
    return is_ignored_by(levels, inside, is_folder=False)


def levels_within(top: str, folder: str) -> Levels | None:
    """Returns the rules that hold in a folder of a work tree; None if they ignore the folder.

    Args:
        top: the work tree.
        folder: its path below that, with a slash at its end; empty for the top.
    """
    levels, above = levels_at_top(top), ""
    for part in folder.split("/")[:-1]:
        if part == ".git" or is_ignored_by(levels, above + part, is_folder=True):
            return None
        above += f"{part}/"
        levels = levels_below(levels, top, above)
    return levels


def _rules_in(path: str) -> Rules | None:
    """Returns the rules of a file as it is now; None where there is none, or it is a link."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return _read(path, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=128)
def _read(path: str, changed: int, size: int) -> Rules | None:
    """Returns the rules of a file; its time and size are there for the cache."""
    if size > MAX_BYTES:
        return _EVERYTHING
    # Opened so that a link or a pipe that has taken its place in the meantime does no harm.
    try:
        with open_regular(path) as file:
            text = file.read(MAX_BYTES).decode("utf-8-sig", "surrogateescape")
    except OSError:
        return _EVERYTHING
    if max(map(len, text.split("\n"))) > MAX_CHARACTERS_OF_LINE:
        return _EVERYTHING
    rules = tuple(_rules(text))
    return Rules(rules) if rules else None


def _rules(text: str) -> Iterator[Rule]:
    """Yields a rule for each line that means something."""
    for line in text.split("\n"):
        glob = _without_blanks_at_end(line.removesuffix("\r"))
        if not glob or glob.startswith("#"):
            continue
        is_negated = glob.startswith("!")
        glob = glob[1:] if is_negated else glob
        is_for_folders = glob.endswith("/")
        glob = glob.removesuffix("/")
        # A slash at the start or within fastens a rule to the folder of its file.
        glob = glob.removeprefix("/") if "/" in glob else f"**/{glob}"
        try:
            expression(glob)
        except GlobError:
            continue  # git takes it for a rule that names nothing
        if glob and glob != "**/":
            yield Rule(line, glob, is_negated, is_for_folders)


def _without_blanks_at_end(line: str) -> str:
    r"""Returns the line without the blanks at its end, but for one behind a backslash."""
    bare = line.rstrip(" ")
    num_backslashes = len(bare) - len(bare.rstrip("\\"))
    return bare + " " if num_backslashes % 2 and bare != line else bare
