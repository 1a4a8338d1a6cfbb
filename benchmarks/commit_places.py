"""Finds places in the commits of a repository, each in its project as it was before the commit.

The document is as the commit leaves it above the place and as it was below, and the files that the
commit lists before it have been changed and are open.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.context_sources import MIN_CHARACTERS, cut_of
from fim_lsp.document import DocumentSnapshot
from fim_lsp.errors import FimLspError
from fim_lsp.replay import script
from fim_lsp.replay.script import Script
from model_runtime.syntax.brackets import scan_prefix
from model_runtime.syntax.languages import language

SUFFIXES = {
    "click": (".py",),
    "gson": (".java",),
    "rack": (".rb",),
    "memchr": (".rs",),
    "fmt": (".h", ".cc"),
}
"""Maps repositories to the ends of the names of their source files."""
_OF_EACH_COMMIT = 3
_MAX_FILES, _MAX_LINES = 10, 80
"""Files that a commit changes, and lines that it adds to one; larger ones were not typed."""


class Place(NamedTuple):
    """A place in a document that a commit changes, and what was written there."""

    commit: str
    date: str
    """Day of the commit."""
    root: Path
    snapshot: DocumentSnapshot
    rest: str
    """Rest of the cursor's line."""
    opened: Sequence[DocumentSnapshot]
    """The files that were changed before, the last one first."""


class Change(NamedTuple):
    """A commit, and the source files that it changes a little."""

    commit: str
    date: str
    """Day of the commit."""
    files: list[Script]
    """All that it changes, in its order."""
    typed: list[tuple[int, list[tuple[str, str, str]]]]
    """Numbers of those that are typed, and their new lines."""


def changes(repository: Path, root: Path) -> Iterator[Change]:
    """Yields the commits of a repository that change source files, the newest first.

    Args:
        repository: one of `SUFFIXES`.
        root: the folder of the files.
    """
    asked = ["git", "-C", str(repository), "log", "--no-merges", "--format=%H %cs", "HEAD", "--"]
    listing = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
    suffixes = SUFFIXES[repository.name]
    for commit, date in (line.split() for line in listing.splitlines()):
        try:
            files = script.of_commits(range_of(commit), repository, root)
        except FimLspError:  # no source, or no commit before it
            continue
        if len(files) > _MAX_FILES:
            continue
        known = [
            (number, added_lines(one))
            for number, one in enumerate(files)
            if one.before and one.path.name.endswith(suffixes)
        ]
        typed = [(number, lines) for number, lines in known if 0 < len(lines) <= _MAX_LINES]
        if typed:
            yield Change(commit, date, files, typed)


def range_of(commit: str) -> str:
    """Returns the revisions that are one commit."""
    return f"{commit}~..{commit}"


def places(repository: Path, count: int) -> Iterator[Place]:
    """Yields places of the newest commits, a few of each commit, while their tree is there."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve() / repository.name
        for change in changes(repository, root):
            root.mkdir()
            script.write_tree_before(range_of(change.commit), repository, root)
            found = list(_of(change, root))[:count]
            yield from found
            shutil.rmtree(root)
            count -= len(found)
            if not count:
                return


def _of(change: Change, root: Path) -> Iterator[Place]:
    """Yields one place of each of a few files."""
    draw = random.Random(change.commit)
    known = change.typed
    for number, lines in sorted(draw.sample(known, min(_OF_EACH_COMMIT, len(known)))):
        before, line, below = draw.choice(lines)
        cut = cut_of(line, draw)
        snapshot = _snapshot(
            root, change.files[number], f"{before}{line[:cut]}{below}", len(before) + cut
        )
        opened = []
        for one in reversed(change.files[:number]):
            text, last = one.before, one.insertions[-1]
            for edit in one.insertions:
                text = text[: edit.offset] + edit.text + text[edit.offset + edit.removed :]
            opened.append(_snapshot(root, one, text, last.offset + len(last.text)))
        yield Place(change.commit, change.date, root, snapshot, line[cut:], opened)


def added_lines(one: Script) -> list[tuple[str, str, str]]:
    """Returns the lines of code that are typed whole, each with the text above and below it."""
    found = []
    spoken = language(one.language)
    document = one.before
    for edit in one.insertions:
        above = document[: edit.offset] + edit.text
        below = document[edit.offset + edit.removed :]
        document = above + below
        if below and not below.startswith("\n") and not edit.text.endswith("\n"):
            continue  # it ends within a line
        for start in (edit.offset + at + 1 for at, sign in enumerate(edit.text) if sign == "\n"):
            end = above.find("\n", start)
            line = above[start : end if end >= 0 else None]
            bare = line.strip()
            is_comment = bare.startswith((spoken.line_comment, "/*"))
            is_code = not is_comment and scan_prefix(above[:start], spoken).is_code
            if len(bare) > MIN_CHARACTERS and is_code:
                rest = below if below.startswith("\n") else f"\n{below}"
                found.append((above[:start], line, rest))
    return found


def _snapshot(root: Path, one: Script, text: str, offset: int) -> DocumentSnapshot:
    name = one.path.relative_to(root).as_posix()
    return DocumentSnapshot(one.path.as_uri(), one.language, 1, text, offset, path=name)
