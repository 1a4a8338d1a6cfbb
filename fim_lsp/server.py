"""The server of one editor: the only state that changes, and it changes on the event loop only."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from functools import cache, partial
from itertools import islice
from typing import Any, cast
from urllib.parse import unquote

from cattrs import Converter
from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer
from pygls.protocol import default_converter

from fim_lsp import version
from fim_lsp.completer import Completer
from fim_lsp.document import DocumentSnapshot, Indentation
from fim_lsp.documents import OpenDocuments
from fim_lsp.engine_host import EngineHost
from fim_lsp.protocol import FimProtocol
from fim_lsp.settings import SECTION, Settings, section_of
from fim_lsp.sharing import Sharing
from fim_lsp.status import StatusReporter
from fim_lsp.uris import local_path

logger = logging.getLogger(__name__)

ACCEPT = "fimLsp.accept"
"""The command that travels with each suggestion, and that the editor runs when it is accepted."""

CompleterFactory = Callable[[EngineHost], Completer]

_EVERY_NOTEBOOK = lsp.NotebookDocumentSyncOptions(
    notebook_selector=[lsp.NotebookDocumentFilterWithNotebook(notebook="*")]
)
_START = lsp.Position(0, 0)
_MOST_OTHER_DOCUMENTS = 32
"""More are not worth the milliseconds that it takes to look at them."""


class FimServer(LanguageServer):
    """Documents, settings and pending work of one editor; the model is shared with others."""

    protocol: FimProtocol

    def __init__(
        self,
        host: EngineHost,
        make_completer: CompleterFactory = Completer,
        shared: Settings | None = None,
    ) -> None:
        """Take what is shared with the servers of other editors.

        Args:
            host: has the model.
            make_completer: makes the completer of this editor.
            shared: settings of the process where it serves several editors, which may not change
                what all of them have in common; None where there is only this one.
        """
        super().__init__(
            "fim-lsp",
            version(),
            protocol_cls=FimProtocol,
            converter_factory=_converter,
            notebook_document_sync=_EVERY_NOTEBOOK,
        )
        self.completer = make_completer(host)
        self.settings = shared or Settings()
        self.counts: Counter[str] = Counter()
        """Suggestions shown, partly accepted and accepted; kept here, told nobody."""
        self._host = host
        self._shared = shared
        self._initial_settings = self.settings
        self._problems: list[str] = []
        self._told_problems: set[str] = set()
        self._ignored: list[str] = []
        self._told_ignored: list[str] = []
        self._recent: dict[str, str] = {}
        """Open documents, the last visited one last: the name without escapes, as opened."""
        self._edited: dict[str, lsp.Position] = {}
        """Where the last edit of an open document ended."""
        self._sharing = Sharing()
        self._is_reporting = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._status = StatusReporter(host, self.protocol, self.spawn)

    # Documents

    @property
    def documents(self) -> OpenDocuments:
        """What the editor has open."""
        return cast(OpenDocuments, self.workspace)

    def snapshot(
        self, uri: str, position: lsp.Position, indentation: Indentation | None = None
    ) -> DocumentSnapshot | None:
        """The document as it is now, with the cursor at a position; None when it is not open."""
        document = self.documents.get(uri)
        if document is None:
            return None
        text, offset = document.around(position)
        return DocumentSnapshot(
            uri=document.uri,
            language_id=document.language_id or "",
            version=document.version or 0,
            text=text,
            offset=offset,
            path=self.documents.relative_path(uri),
            line=document.line_of(position),
            indentation=indentation,
            is_shared=self._sharing.is_shared(document.uri, self.settings.exclude),
        )

    def is_current(self, snapshot: DocumentSnapshot) -> bool:
        """Whether the document is still as the snapshot shows it."""
        document = self.documents.get(snapshot.uri)
        return document is not None and (document.version or 0) == snapshot.version

    def other_documents(self, uri: str) -> Sequence[DocumentSnapshot]:
        """The open documents that may serve as context, the last visited one first.

        The position of each is where it was edited last, its start if it was not.
        """
        snapshots = (
            self.snapshot(other, self._edited.get(unquote(other), _START))
            for other in islice(reversed(self._recent.values()), _MOST_OTHER_DOCUMENTS)
            if other != uri and self._sharing.is_shared(other, self.settings.exclude)
        )
        return [snapshot for snapshot in snapshots if snapshot is not None]

    def visited(self, uri: str) -> None:
        """The user is in that document now, if it is open."""
        document = self.documents.get(uri)
        self._recent.pop(unquote(uri), None)
        if document is not None:
            self._recent[unquote(uri)] = document.uri

    def changed(self, uri: str, place: lsp.Position | None = None) -> None:
        """The text of a document is another one; requests for the old one are over.

        Args:
            uri: of the document.
            place: where the edit ends, if that is known; the cursor is probably there.
        """
        self.visited(uri)
        self.completer.document_changed(self._recent.get(unquote(uri), uri))
        if place is not None and self.documents.get(uri) is not None:
            self._edited[unquote(uri)] = place
            self.completer.rests(
                partial(self.snapshot, uri, place),
                self.settings,
                partial(self.other_documents, uri),
            )

    def opened(self, uri: str) -> None:
        """A document is there, perhaps one to learn from."""
        self._sharing.look_again()
        self.changed(uri)
        snapshot = self.snapshot(uri, _START)
        if snapshot is not None:
            self.completer.document_opened(snapshot, self.settings)

    def saved(self, uri: str) -> None:
        """A document was written to the disk."""
        self._sharing.look_again()
        snapshot = self.snapshot(uri, _START)
        if snapshot is not None:
            self.completer.document_saved(snapshot, self.settings)

    def renamed(self, old_uri: str) -> None:
        """A file or a folder has another name now."""
        self._sharing.look_again()
        self.completer.file_gone(old_uri)

    def look_through(self) -> None:
        """The folders of the workspace are there, or are others."""
        folders = [folder.uri for folder in self.documents.folders.values()]
        roots = [local_path(uri) for uri in folders or [self.documents.root_uri or ""]]
        self.completer.project_opened(
            [root for root in roots if root], self.settings, self._status.indexed
        )

    def closed(self, uri: str) -> None:
        """Forget a document."""
        self._sharing.look_again()
        self._edited.pop(unquote(uri), None)
        self.completer.document_closed(self._recent.pop(unquote(uri), uri))

    # Settings

    def configure(self, options: object) -> None:
        """Take the settings of `initialize`; later ones replace them one by one."""
        found = section_of(options)
        settings, problems = self._parse(options if found is None else found, self.settings)
        self._initial_settings = settings
        self._use(settings, problems)

    def change_settings(self, section: object) -> None:
        """Take new settings; what they do not name is as it was at `initialize`."""
        settings, problems = self._parse(section, self._initial_settings)
        self._use(settings, problems)
        self.tell_problems()

    async def pull_settings(self) -> None:
        """Ask the client for the settings; run it in a task of its own, by `spawn`."""
        answer = await self.protocol.send_request_async(
            lsp.WORKSPACE_CONFIGURATION,
            lsp.ConfigurationParams([lsp.ConfigurationItem(section=SECTION)]),
        )
        if isinstance(answer, list) and answer and answer[0] is not None:
            self.change_settings(answer[0])

    def tell_problems(self) -> None:
        """Show what is wrong with the settings, each problem once until it is mended."""
        new = [text for text in self._problems if text not in self._told_problems]
        self._told_problems = set(self._problems)
        if new:
            message = f"fim-lsp settings: {'; '.join(new)}"
            self.window_show_message(lsp.ShowMessageParams(lsp.MessageType.Warning, message))
        if self._ignored != self._told_ignored:
            self._told_ignored = self._ignored
            message = (
                f"this server is shared; its command line decides on {', '.join(self._ignored)}"
            )
            self.window_log_message(lsp.LogMessageParams(lsp.MessageType.Info, message))

    def _parse(self, section: object, base: Settings) -> tuple[Settings, list[str]]:
        settings, problems = Settings.parse(section, base)
        if self._shared is not None:
            settings, ignored = settings.shared_with(self._shared)
            if ignored and ignored != self._ignored:
                logger.info("settings of an editor that count for none: %s", ", ".join(ignored))
            self._ignored = ignored or self._ignored
        return settings, problems

    def _use(self, settings: Settings, problems: list[str]) -> None:
        for problem in problems:
            logger.warning("settings: %s", problem)
        self._problems = problems
        if settings.log_level != self.settings.log_level:
            for name in ("fim_lsp", "model_runtime"):
                logging.getLogger(name).setLevel(settings.log_level.upper())
        self.settings = settings
        self._sharing.look_again()
        if settings.enabled:
            self._host.apply(settings)
        self._status.enable(settings.enabled)
        if self._is_reporting:
            self.look_through()

    # Life

    def start_reporting(self) -> None:
        """Tell the client about the model and about wrong settings, from now on."""
        window = self.client_capabilities.window
        self._status.start(shows_progress=bool(window and window.work_done_progress))
        self._is_reporting = True
        self.look_through()
        self.tell_problems()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something in a task that nobody cancels while the connection lasts.

        Requests to the client belong here: pygls fails on a reply to a request whose sender was
        cancelled.
        """
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def close(self) -> None:
        """The connection is gone: stop all its work."""
        self._status.stop()
        for uri in list(self._recent.values()):
            self.completer.document_closed(uri)
        self.completer.close()
        for task in self._tasks:
            task.cancel()
        for future in list(self.protocol._request_futures.values()):
            future.cancel()
        self.protocol.writer = None

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Log what pygls would show to the user in a window."""
        data = getattr(error, "data", None)
        trace = "".join(data.get("traceback", ())) if isinstance(data, dict) else ""
        logger.error("%s: %s\n%s", getattr(source, "__name__", source), error, trace)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a background task failed", exc_info=error)


@cache
def _converter() -> Converter:
    """One for all connections: to make one holds up every other editor for 50 ms."""
    return default_converter()  # type: ignore[no-untyped-call, no-any-return]
