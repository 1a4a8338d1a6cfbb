"""Holds the project of one editor: indexed in the background, read when something is wanted."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
from collections.abc import Callable, Iterator, Sequence, Set
from itertools import chain, islice
from pathlib import Path
from weakref import WeakKeyDictionary

from fim_lsp.background import PROCESS_FLAGS
from fim_lsp.document import DocumentSnapshot
from fim_lsp.exclusion.judge import is_unshared
from fim_lsp.uris import local_path
from fim_lsp.workspace.definitions import defined_names
from fim_lsp.workspace.index import WorkspaceIndex
from fim_lsp.workspace.source_file import MAX_BYTES, read_text
from model_runtime.syntax.languages import language_id

logger = logging.getLogger(__name__)

_MAX_FILES_READ = 16
"""Files for one prompt."""
_MAX_CHARACTERS_SAVED = 50_000
"""Characters of a saved document; a larger one would hold up the event loop."""

MAX_READERS = 2
"""Processes that look through projects at the same time, for all editors together."""

Learn = Callable[[str, str], None]
"""Takes a file's path and its text."""


_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


def _turn() -> asyncio.Semaphore:
    """Returns what the projects of this event loop wait for before they start a process."""
    return _turns.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(MAX_READERS))


class Project:
    """The index of a workspace's files.  Belongs to the event loop, but for `files`."""

    def __init__(self) -> None:
        self.index = WorkspaceIndex()
        self._roots: tuple[str, ...] = ()
        self._exclude: tuple[str, ...] = ()
        self._asked: object = None
        self._task: asyncio.Task[None] | None = None

    def look_through(
        self,
        roots: Sequence[str],
        exclude: tuple[str, ...],
        lines: int,
        learn: Learn,
        when_done: Callable[[int], None] = lambda num_files: None,
    ) -> None:
        """Looks at every source file once, in a process of its own, at the lowest priority.

        A call with the same arguments changes nothing.

        Args:
            roots: folders of the workspace.
            exclude: the user's globs; secrets are left out in any case.
            lines: lines of text that `learn` gets in all, the last changed files first.
            learn: called on the event loop.
            when_done: called with the number of files.
        """
        asked = (tuple(roots), exclude, lines > 0)
        if asked == self._asked:
            return
        self.stop()
        self._asked, self._roots, self._exclude = asked, tuple(roots), exclude
        self.index = WorkspaceIndex()
        if roots:
            request = {"roots": list(roots), "exclude": list(exclude), "lines": lines}
            self._task = asyncio.ensure_future(self._read(json.dumps(request), learn, when_done))

    def stop(self) -> None:
        """Ends the process, if it runs, and forgets the project."""
        self._asked = None
        if self._task is not None:
            self._task.cancel()
        self._task = None
        self.index = WorkspaceIndex()

    def saved(self, uri: str, text: str) -> None:
        """Indexes a document that was written to the disk, which may define something new."""
        path = local_path(uri)
        if path is None or self._asked is None or self._relative(path) is None:
            return
        if len(text) <= _MAX_CHARACTERS_SAVED and is_unshared(path, self._exclude) is None:
            self.index.add(path, defined_names(text, language_id(path)))
            self.index.version += 1

    def files(self, uri: str, names: Set[str]) -> Iterator[DocumentSnapshot]:
        """Yields files that define one of these names, then those beside the document.

        They are read as they are now, one by one, on the engine's thread.
        """
        own, index = local_path(uri), self.index
        if own is None:
            return
        found = dict.fromkeys(chain(index.defining(names), index.beside(own)))
        found.pop(own, None)
        for path in islice(found, _MAX_FILES_READ):
            relative = self._relative(path)
            # Judged now: it may be another file than it was, or under other rules.
            if relative is None or is_unshared(path, self._exclude) is not None:
                continue
            text = read_text(path)
            if text is not None:
                yield DocumentSnapshot(
                    Path(path).as_uri(), language_id(path), 0, text, 0, path=relative
                )

    async def _read(self, request: str, learn: Learn, when_done: Callable[[int], None]) -> None:
        async with _turn():
            await self._run_reader(request, learn, when_done)

    async def _run_reader(
        self, request: str, learn: Learn, when_done: Callable[[int], None]
    ) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "fim_lsp.workspace.reader",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=8 * MAX_BYTES,
            # Not the user's folder: Python would import from there first.
            cwd=Path(__file__).parents[2],
            creationflags=PROCESS_FLAGS,
        )
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(request.encode() + b"\n")
            async for line in process.stdout:
                known = json.loads(line)
                if "path" not in known:
                    logger.info("index of the workspace: %d files", known["files"])
                    break
                self.index.add(known["path"], known["names"])
                if "text" in known:
                    learn(known["path"], known["text"])
                await asyncio.sleep(0)  # a line that has come already would not let others in
            self.index.version += 1
            when_done(len(self.index))
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await asyncio.shield(process.wait())

    def _relative(self, path: str) -> str | None:
        """Returns the path below the innermost root; None outside of all."""
        inside = [
            path[len(root) + 1 :]
            for root in (Path(root).as_posix().rstrip("/") for root in self._roots)
            if path.startswith(f"{root}/")
        ]
        return min(inside, key=len, default=None)
