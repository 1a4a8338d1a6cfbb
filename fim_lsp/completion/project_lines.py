"""Keeps what the project has written up to date: which files there are, and their lines.

Lines come from open documents and from the workspace index; they go when a file is renamed,
removed, or turns out to be one that may not be shared.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from fim_lsp.completion import line_ngrams
from fim_lsp.completion.line_index import MAX_LINES
from fim_lsp.completion.line_ngrams import LineNgramSuggester
from fim_lsp.document import DocumentSnapshot
from fim_lsp.exclusion.gitignore import is_rules_file
from fim_lsp.settings import Settings
from fim_lsp.workspace.project import Project


class ProjectLines:
    """The lines of one editor's project, and the index of its files."""

    def __init__(self, when_forgotten: Callable[[], None]) -> None:
        """Begins empty.

        Args:
            when_forgotten: called when lines are gone of which suggestions may have been made.
        """
        self.suggester = LineNgramSuggester()
        self.project = Project()
        self._when_forgotten = when_forgotten

    def folders_opened(
        self, roots: Sequence[str], settings: Settings, when_done: Callable[[int], None]
    ) -> None:
        """Looks through the editor's folders, if that is wanted, in the background.

        Args:
            roots: paths of the folders.
            settings: those in force.
            when_done: called with the number of files.
        """
        if not settings.enabled or not settings.workspace_index:
            self.project.stop()
            return
        lines = MAX_LINES if settings.project_memory else 0
        self.project.look_through(
            roots, settings.exclude, lines, self.suggester.learn_file, when_done
        )

    def document_opened(self, snapshot: DocumentSnapshot, settings: Settings) -> None:
        """Learns from a document, or forgets what is gone where it is a secret, perhaps renamed."""
        if not snapshot.is_shared:
            self._forget(self.suggester.forget_missing)
        elif settings.project_memory and settings.enabled:
            self.suggester.learn(snapshot, settings)

    def document_saved(self, snapshot: DocumentSnapshot, settings: Settings) -> None:
        """Indexes a file anew, or forgets it where it may be shared no longer."""
        if is_rules_file(snapshot.uri):
            self._judge_again(settings)
        if snapshot.is_shared:
            self.project.saved(snapshot.uri, snapshot.text)
        else:
            self.file_gone(snapshot.uri)

    def file_gone(self, uri: str) -> None:
        """Forgets what was learnt of a file or a folder that is no longer there by this name."""
        self._forget(partial(self.suggester.forget, uri))

    def close(self) -> None:
        """Ends the index."""
        self.project.stop()

    def _forget(self, forget: Callable[[], bool]) -> None:
        if forget():
            self._when_forgotten()

    def _judge_again(self, settings: Settings) -> None:
        """Finds in a thread which of the files that are known may be shared no longer."""
        loop = asyncio.get_running_loop()
        find = partial(line_ngrams.unshared, self.suggester.index.paths, settings.exclude)
        work = loop.run_in_executor(None, find)
        work.add_done_callback(
            lambda found: self._forget(partial(self.suggester.forget_all, found.result()))
        )
