"""Makes scripts to type: whole files, or the changes of commits in the files as they were."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

from fim_lsp.errors import FimLspError
from fim_lsp.exclusion.judge import is_excluded
from model_runtime.errors import GitError
from model_runtime.git import git
from model_runtime.syntax.languages import language_id

_MAX_BYTES = 200_000
"""Bytes of a file; a larger one is data or was made by a program."""


@dataclass(frozen=True, slots=True)
class Insertion:
    """An edit: at `offset`, `removed` characters go and `text` is typed."""

    offset: int
    removed: int
    text: str


@dataclass(frozen=True, slots=True)
class Script:
    """A document as it is before, and the edits to it, from top to bottom.

    Offsets hold when the insertions before have been made.
    """

    path: Path
    language: str
    before: str
    insertions: tuple[Insertion, ...]
    label: str
    """Name in the report: the path as given, with the commit where there is one."""


def of_files(paths: Sequence[Path]) -> list[Script]:
    """Returns a script for each file; of a folder, for each file of a known language below it.

    Raises:
        FimLspError: a path is missing or holds no text.
    """
    scripts = []
    for path in paths:
        if path.is_dir():
            known = (
                file for file in sorted(path.rglob("*"))
                if file.is_file() and language_id(file.name) != "plaintext"
                and file.stat().st_size <= _MAX_BYTES and is_excluded(str(file.absolute())) is None
                and not any(part.startswith(".") for part in file.relative_to(path).parts)
            )  # fmt: skip
            scripts += [of_file(file) for file in known]
        else:
            scripts.append(of_file(path))
    if not scripts:
        raise FimLspError("there is no file to type; name source files or folders that hold some")
    return scripts


def of_file(path: Path) -> Script:
    """Returns the script of a whole file, typed into an empty document.

    Raises:
        FimLspError: it is missing, too large, or no UTF-8 text.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise FimLspError(f"{path}: no such file") from None
    except OSError as error:
        raise FimLspError(f"{path}: {error.strerror}") from None
    text = _text(raw)
    if text is None:
        raise FimLspError(f"{path}: not UTF-8 text of at most {_MAX_BYTES // 1000} kB")
    insertions = (Insertion(0, 0, text),) if text else ()
    return Script(path.resolve(), language_id(path.name), "", insertions, str(path))


def of_commits(revisions: str, repository: Path, root: Path | None = None) -> list[Script]:
    """Returns a script for each file that a commit of a range changed or added, oldest first.

    Args:
        revisions: as `git rev-list` takes them.
        repository: a folder in it.
        root: the folder that holds the files for the server, the repository's own by default.

    Raises:
        FimLspError: git is missing, or does not know the range.
    """
    top = _top(repository)
    scripts = [
        script
        for commit in _commits(revisions, repository)
        for script in _of_commit(commit, top, root or top)
    ]
    if not scripts:
        raise FimLspError(f"--git {revisions}: no commit there changed a source file")
    return scripts


def write_tree_before(revisions: str, repository: Path, folder: Path) -> None:
    """Writes the files as they were before the first commit of a range; none before the very first.

    Raises:
        FimLspError: git is missing, or does not know the range.
    """
    for first in _commits(revisions, repository)[:1]:
        if not _git(repository, "rev-list", "--parents", "-1", first).split()[1:]:
            return
        files = _files_of(f"{first}^", _top(repository))
        texts = _blobs(repository, [blob for _, blob in files])
        for (name, _), text in zip(files, texts, strict=True):
            # Whatever it calls itself, it stays inside.
            path = (folder / name).resolve()
            is_inside = path.is_relative_to(folder.resolve())
            if text is not None and is_inside and is_excluded(name) is None:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(text)


def insertions_between(before: str, after: str) -> tuple[Insertion, ...]:
    """Returns the edits between two texts, by lines, less what changed lines share.

    New lines are typed at the end of the line above them, as after the Enter key, so that the line
    below does not stand right of the cursor meanwhile.
    """
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    starts = [0]
    for line in new:
        starts.append(starts[-1] + len(line))
    edits = []
    # `offset` counts in the new text: everything above an edit has its final form by then.
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        gone, come = "".join(old[i1:i2]), "".join(new[j1:j2])
        if tag == "insert" and j1 and new[j1 - 1].endswith("\n") and come.endswith("\n"):
            edits.append(Insertion(starts[j1] - 1, 0, f"\n{come[:-1]}"))
            continue
        head = _common(gone, come)
        tail = _common(gone[head:][::-1], come[head:][::-1])
        edits.append(
            Insertion(starts[j1] + head, len(gone) - head - tail, come[head : len(come) - tail])
        )
    return tuple(edits)


def _commits(revisions: str, repository: Path) -> list[str]:
    """Returns the commits of a range, the oldest first."""
    return _git(repository, "rev-list", "--reverse", "--no-merges", revisions, "--").split()


def _top(repository: Path) -> Path:
    return Path(_git(repository, "rev-parse", "--show-toplevel").strip())


def _of_commit(commit: str, top: Path, root: Path) -> Iterator[Script]:
    listing = _git(top, "diff-tree", "-r", "-z", "--root", "--no-renames", "--no-commit-id",
                   "--diff-filter=AM", "--name-status", commit)  # fmt: skip
    fields = listing.split("\0")
    for status, name in zip(fields[::2], fields[1::2], strict=False):
        if language_id(name) == "plaintext" or is_excluded(name) is not None:
            continue
        after = _blob(top, f"{commit}:{name}")
        before = _blob(top, f"{commit}^:{name}") if status == "M" else ""
        if not after or before is None:
            continue
        edits = insertions_between(before, after)
        label = f"{name} ({commit[:7]})"
        if any(edit.text for edit in edits):
            yield Script(root / name, language_id(name), before, edits, label)


def _blob(top: Path, name: str) -> str | None:
    return _text(_git_bytes(top, "cat-file", "blob", name))


def _text(raw: bytes) -> str | None:
    """Returns the text with plain line ends; None for what nobody types."""
    if len(raw) > _MAX_BYTES or b"\0" in raw:
        return None
    try:
        return raw.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError:
        return None


def _common(one: str, other: str) -> int:
    """Returns the length of the common beginning."""
    return len(os.path.commonprefix((one, other)))  # noqa: RUF071


def _files_of(commit: str, top: Path) -> list[tuple[str, str]]:
    """Returns the blob of each file by its name; neither links nor submodules."""
    files = []
    for line in filter(None, _git(top, "ls-tree", "-r", "-z", commit).split("\0")):
        entry, _, name = line.partition("\t")
        mode, _, blob = entry.split()
        if mode.startswith("100"):
            files.append((name, blob))
    return files


def _blobs(folder: Path, blobs: Sequence[str]) -> Iterator[bytes | None]:
    """Yields the content of each blob, in their order; None for one that the repository lacks."""
    asked = "".join(f"{blob}\n" for blob in blobs)
    answer = _git_bytes(folder, "cat-file", "--batch", given=asked.encode())
    at = 0
    for _ in blobs:
        end = answer.index(b"\n", at)
        header = answer[at:end].split()
        if header[-1] == b"missing":
            yield None
            at = end + 1
            continue
        size = int(header[2])
        yield answer[end + 1 : end + 1 + size]
        at = end + size + 2


def _git(folder: Path, *arguments: str) -> str:
    return _git_bytes(folder, *arguments).decode("utf-8", "surrogateescape")


def _git_bytes(folder: Path, *arguments: str, given: bytes = b"") -> bytes:
    try:
        return git(folder, *arguments, given=given)
    except GitError as error:
        raise FimLspError(str(error)) from None
