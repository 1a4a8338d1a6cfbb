"""Lists the files of a folder that are source code of the project.

No program is run for it, git neither: the folder may be somebody else's.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from fim_lsp.exclusion.gitignore import is_ignored_by, levels_below, levels_within, work_tree_of
from fim_lsp.exclusion.judge import is_excluded_by_name, is_folder_excluded
from model_runtime.syntax.languages import language, language_id

MAX_FILES = 100_000
"""Files of a folder; the rest is left out."""
_MAX_DIRECTORIES = 50_000
_VENDORED_DIRS = frozenset(
    {"node_modules", "bower_components", "vendor", "venv", "env", "site-packages", "__pycache__",
     "build", "dist", "target", "out", "obj", "bin", "coverage", "Pods", "DerivedData"}
)  # fmt: skip
"""Folders of files that were installed or built, where no `.gitignore` says so."""

_DATA = frozenset({"json", "jsonc", "xml", "html", "toml", "yaml"})
"""Languages that define nothing."""


def source_files(root: Path, exclude: tuple[str, ...] = ()) -> list[str]:
    """Returns paths below a folder, with slashes, the last changed first; no secret, link or data.

    Nothing that git ignores is among them, and outside of git no hidden or vendored folder.
    """
    found: dict[str, float] = {}
    for name, entry in _files(root, exclude):
        if len(found) == MAX_FILES:
            break
        try:
            found[name] = entry.stat(follow_symlinks=False).st_mtime
        except OSError:  # it has gone meanwhile
            continue
    return sorted(found, key=lambda name: (-found[name], name))


def is_project(root: Path) -> bool:
    """Tells whether a folder may be looked through: no home folder, and none that holds those.

    >>> is_project(Path.home()), is_project(Path(Path.home().anchor)), is_project(Path("/no/such"))
    (False, False, False)
    """
    try:
        home, root = Path.home().resolve(), root.resolve()
    except (OSError, RuntimeError):
        return False
    return root.is_dir() and root != home and root not in home.parents


def _files(root: Path, exclude: tuple[str, ...]) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yields files of the project, those of the upper folders first; no link is followed."""
    real = os.path.realpath(root)
    bases = {Path(path).as_posix().strip("/") for path in (os.path.abspath(root), real)}
    top = work_tree_of(real)
    above = "" if top in (None, real) else f"{Path(real).relative_to(str(top)).as_posix()}/"
    levels = () if top is None else levels_within(top, above)
    if levels is None:
        return
    waiting = deque([("", levels)])
    for _ in range(_MAX_DIRECTORIES):
        if not waiting:
            return
        folder, levels = waiting.popleft()
        try:
            with os.scandir(os.path.join(real, folder)) as found:
                entries = {entry.name: entry for entry in found}
        except OSError:
            continue
        if top is not None and folder:
            if ".git" in entries:  # a work tree of its own, such as a submodule
                continue
            if ".gitignore" in entries:
                levels = levels_below(levels, top, above + folder)
        for name in sorted(entries):
            path, entry = f"{folder}{name}", entries[name]
            try:
                is_folder = entry.is_dir(follow_symlinks=False)
                if not is_folder and not (_is_code(name) and entry.is_file(follow_symlinks=False)):
                    continue
            except OSError:
                continue
            if is_folder and (
                name == ".git" if top else name.startswith(".") or name in _VENDORED_DIRS
            ):
                continue
            judge = is_folder_excluded if is_folder else is_excluded_by_name
            if any(judge(f"{base}/{path}", exclude) for base in bases):
                continue
            if is_ignored_by(levels, above + path, is_folder=is_folder):
                continue
            if is_folder:
                waiting.append((f"{path}/", levels))
            else:
                yield path, entry


def _is_code(name: str) -> bool:
    kind = language(language_id(name))
    return bool(kind.id) and not kind.is_prose and kind.id not in _DATA
