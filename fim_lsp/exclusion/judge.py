"""Judges which files must not reach a model: secrets by their names, and what the user adds.

Excluded files are neither completed nor used as context for others; files that git ignores are
completed, but no context for others.  The built-in list cannot be switched off.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache, lru_cache
from pathlib import Path
from urllib.parse import unquote

from fim_lsp.exclusion.gitignore import is_ignored
from fim_lsp.exclusion.globs import GlobError, Rule, Rules, expression
from fim_lsp.exclusion.secret_names import BACKUPS, SECRET_FILES, SECRET_FOLDERS
from fim_lsp.uris import local_path

MAX_GLOBS = 500
MAX_CHARACTERS_OF_GLOB = 1000
MAX_CHARACTERS = 10_000
"""All globs together have no more characters."""
_MAX_CHARACTERS_OF_PATH = 2000
_MAX_CHARACTERS_OF_URI = 4 * _MAX_CHARACTERS_OF_PATH
_MAX_FOLDERS = 100
"""A longer or deeper path is excluded: nobody nests folders so deep in good faith."""
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:(?=/|[^/\\]*$)")


class ExclusionKind(Enum):
    """Says who wants a file left alone; the value is the sentence for people."""

    SECRET = "{rule} is on the built-in list of secrets"
    BY_USER = "fimLsp.exclude names {rule}"
    BY_GIT = "git ignores it"
    TOO_LONG = "its path is too long"


@dataclass(frozen=True, slots=True)
class Exclusion:
    """The reason for which a file is left alone; as a text it is a sentence for people."""

    kind: ExclusionKind
    rule: str = ""
    """The glob that matched, where there is one."""

    def __str__(self) -> str:
        return self.kind.value.replace("{rule}", self.rule)


_TOO_LONG = Exclusion(ExclusionKind.TOO_LONG)


def is_excluded(uri_or_path: str, exclude: tuple[str, ...] = ()) -> Exclusion | None:
    """Returns why a file is left alone, or None when it is not.

    A link is judged by its own name and by that of the file it leads to now.

    Args:
        uri_or_path: as the editor names it, or a path of the file system.
        exclude: the user's globs; see `problems_of` for what they may be.  The last one that
            matches the path or a folder above it decides; with `!` before it, it takes back what
            earlier ones say, though nothing in a folder that they name.
    """
    if len(uri_or_path) > _MAX_CHARACTERS_OF_URI:
        return _TOO_LONG
    if reason := is_excluded_by_name(uri_or_path, exclude):
        return reason
    targets = (is_excluded_by_name(path, exclude) for path in _targets(uri_or_path))
    return next(filter(None, targets), None)


def is_unshared(uri_or_path: str, exclude: tuple[str, ...] = ()) -> Exclusion | None:
    """Returns why a file may be no context for other ones, or None when it may.

    Args:
        uri_or_path: as the editor names it, or a path of the file system.
        exclude: the user's globs.
    """
    if reason := is_excluded(uri_or_path, exclude):
        return reason
    path = _local(uri_or_path)
    if path and any(map(is_ignored, {path, *_targets(path)})):
        return Exclusion(ExclusionKind.BY_GIT)
    return None


@lru_cache(maxsize=1024)
def is_excluded_by_name(uri_or_path: str, exclude: tuple[str, ...] = ()) -> Exclusion | None:
    """Returns why a file is left alone if it is no link, or None; see `is_excluded`."""
    for path in _paths(uri_or_path):
        if len(path) > _MAX_CHARACTERS_OF_PATH or path.count("/") > _MAX_FOLDERS:
            return _TOO_LONG
        folder, _, name = path.rpartition("/")
        if reason := is_folder_excluded(folder, exclude):
            return reason
        for bare in {name, _without_backup_marks(name)}:
            if rule := _secret_files().last(f"{folder}/{bare}"):
                return Exclusion(ExclusionKind.SECRET, rule.text)
        if reason := _named_by_user(path, exclude):
            return reason
    return None


@lru_cache(maxsize=4096)
def is_folder_excluded(folder: str, exclude: tuple[str, ...] = ()) -> Exclusion | None:
    """Returns why all files of a folder are left alone, or None when they are not.

    Args:
        folder: its path, with slashes between its parts only.
        exclude: the user's globs.
    """
    above, _, _ = folder.rpartition("/")
    if above and (reason := is_folder_excluded(above, exclude)):
        return reason
    if rule := _secret_folders().last(folder, is_folder=True):
        return Exclusion(ExclusionKind.SECRET, rule.text)
    return _named_by_user(folder, exclude, is_folder=True)


def problems_of(globs: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    """Returns the globs that can be used, and a sentence for each that cannot.

    Globs are patterns of `.gitignore` that belong to no folder: one with a slash within may begin
    at any folder of a path, one that begins with a slash or `~` is a whole path.  Letters' case is
    ignored, a backslash is a slash, and `#` begins no comment.
    """
    good: list[str] = []
    sentences: list[str] = []
    num_characters = 0
    for glob in globs:
        num_characters += len(glob)
        if len(good) == MAX_GLOBS or num_characters > MAX_CHARACTERS:
            sentences.append(
                f"exclude has more than {MAX_GLOBS} globs or {MAX_CHARACTERS:,} characters; "
                f"those from number {len(good) + len(sentences) + 1} on are left out"
            )
            break
        try:
            _user_rule(glob)
            good.append(glob)
        except GlobError as error:
            shown = glob if len(glob) <= 60 else f"{glob[:57]}..."
            sentences.append(f"exclude has the glob {shown!r}, which names nothing: {error}")
    return tuple(good), sentences


def _named_by_user(
    path: str, exclude: tuple[str, ...], *, is_folder: bool = False
) -> Exclusion | None:
    rule = _user_rules(exclude).last(path, is_folder=is_folder) if exclude else None
    if rule is None or rule.is_negated:
        return None
    return Exclusion(ExclusionKind.BY_USER, rule.text)


@cache
def _secret_folders() -> Rules:
    return Rules((Rule(f"{glob}/", f"**/{glob}") for glob in SECRET_FOLDERS), ignores_case=True)


@cache
def _secret_files() -> Rules:
    return Rules((Rule(glob, f"**/{glob}") for glob in SECRET_FILES), ignores_case=True)


@lru_cache(maxsize=16)
def _user_rules(exclude: tuple[str, ...]) -> Rules:
    good, _ = problems_of(exclude)
    return Rules((rule for rule in map(_user_rule, good) if rule.glob), ignores_case=True)


def _user_rule(glob: str) -> Rule:
    """Returns a rule for whole paths without their first slash; an empty one for slashes alone."""
    if len(glob) > MAX_CHARACTERS_OF_GLOB:
        raise GlobError(f"it is longer than {MAX_CHARACTERS_OF_GLOB:,} characters")
    text = glob.replace("\\", "/")
    is_negated = text.startswith("!")
    text = text.removeprefix("!")
    if text.startswith("~"):
        try:
            text = Path(text).expanduser().as_posix()
        except RuntimeError:
            raise GlobError("there is no such home folder") from None
    bare = text.rstrip(" /")
    if bare and not bare.startswith("/") and not re.match(r"[A-Za-z]:/", bare):
        bare = f"**/{bare}"
    expression(bare.lstrip("/"))
    return Rule(glob, bare.lstrip("/"), is_negated, is_for_folders=text.rstrip().endswith("/"))


def _paths(uri_or_path: str) -> set[str]:
    """Returns all readings of a name: not all editors escape `#`, `?` and `%` in paths."""
    match = _SCHEME.match(uri_or_path)
    if match is None:
        return {_plain(uri_or_path)}
    rest = uri_or_path[match.end() :]
    bare = re.split("[?#]", rest, maxsplit=1)[0]
    return {
        _plain(name) for name in (bare, unquote(bare), unquote(unquote(bare)), rest, unquote(rest))
    }


def _plain(path: str) -> str:
    """Returns the path without empty parts and the dots and blanks that Windows passes over."""
    parts = (part.rstrip(". ") for part in path.replace("\\", "/").split("/"))
    return "/".join(part for part in parts if part)


def _without_backup_marks(name: str) -> str:
    """Returns the name of the file that a backup is a copy of.

    >>> [_without_backup_marks(name) for name in (".#a.py", "#.env#", "k.pem.bak~", ".k.pem.swp")]
    ['a.py', '.env', 'k.pem', '.k.pem']
    """
    bare = name.removeprefix(".#").removeprefix("#")
    while (ending := next(filter(bare.lower().endswith, BACKUPS), "")) and bare != ending:
        bare = bare[: -len(ending)]
    return bare


def _local(uri_or_path: str) -> str:
    """Returns the absolute path of a name, or an empty text."""
    path = local_path(uri_or_path) if _SCHEME.match(uri_or_path) else uri_or_path
    return path if path and os.path.isabs(path) and "\0" not in path else ""


def _targets(uri_or_path: str) -> tuple[str, ...]:
    """Returns the file that a name leads to, if that is another one than it says."""
    path = _local(uri_or_path)
    if not path:
        return ()
    try:
        target = Path(os.path.realpath(path)).as_posix()
    except (OSError, RuntimeError):  # links in a circle lead nowhere
        return ()
    return () if target == path else (target,)
