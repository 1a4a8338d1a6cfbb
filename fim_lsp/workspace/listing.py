"""Which files of a folder are source code of the project: git's own answer, else all but the usual
heaps of other people's files.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from fim_lsp.exclusions import is_excluded
from model_runtime.languages import language, language_id

MOST_FILES = 100_000
"""Of a folder; the rest is left out."""
_MOST_DIRECTORIES = 50_000
_HEAPS = frozenset(
    {"node_modules", "bower_components", "vendor", "venv", "env", "site-packages", "__pycache__",
     "build", "dist", "target", "out", "obj", "bin", "coverage", "Pods", "DerivedData"}
)  # fmt: skip
"""Folders of files that were installed or made, where no git says so."""

_DATA = frozenset({"json", "jsonc", "xml", "html", "toml", "yaml"})
"""Languages that define nothing."""


def source_files(root: Path, exclude: tuple[str, ...] = ()) -> list[str]:
    """Paths below a folder, with slashes, the last changed first; no secret, no link, no data.

    Git's list where the folder belongs to a work tree: what is tracked or new and not ignored.
    """
    names = _by_git(root)
    found: dict[str, float] = {}
    for name in _by_walking(root) if names is None else names:
        if len(found) == MOST_FILES:
            break
        if not _is_code(name) or is_excluded(str(root / name), exclude) is not None:
            continue
        try:
            status = os.lstat(root / name)
        except OSError:  # it has gone meanwhile
            continue
        found[name] = status.st_mtime
    return sorted(found, key=lambda name: (-found[name], name))


def is_project(root: Path) -> bool:
    """Whether a folder may be looked through: not a home folder, nor one that holds those.

    >>> is_project(Path.home()), is_project(Path(Path.home().anchor)), is_project(Path("/no/such"))
    (False, False, False)
    """
    try:
        home, root = Path.home().resolve(), root.resolve()
    except (OSError, RuntimeError):
        return False
    return root.is_dir() and root != home and root not in home.parents


def _is_code(name: str) -> bool:
    kind = language(language_id(name))
    return bool(kind.id) and not kind.is_prose and kind.id not in _DATA


def _by_git(root: Path) -> list[str] | None:
    """None where git is missing, or refuses, or has nothing to do with the folder."""
    # A repository may name a program as its file system monitor: that must not run.
    command = ["git", "-c", "core.fsmonitor=false", "ls-files", "-z",
               "--cached", "--others", "--exclude-standard", "--deduplicate"]  # fmt: skip
    try:
        done = subprocess.run(
            command,
            cwd=root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except OSError:
        return None
    if done.returncode:
        return None
    return [os.fsdecode(name) for name in done.stdout.split(b"\0") if name]


def _by_walking(root: Path) -> Iterator[str]:
    """Files in folders that are neither hidden, nor links, nor heaps; the upper ones first."""
    waiting = [""]
    for number in range(_MOST_DIRECTORIES):
        if number == len(waiting):
            return
        folder = waiting[number]
        try:
            entries = sorted(os.scandir(root / folder), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            name = f"{folder}{entry.name}"
            try:
                if entry.is_dir(follow_symlinks=False):
                    if not entry.name.startswith(".") and entry.name not in _HEAPS:
                        waiting.append(f"{name}/")
                elif entry.is_file(follow_symlinks=False):
                    yield name
            except OSError:
                continue
