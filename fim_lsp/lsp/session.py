"""Holds the session of one editor: the only state that changes, on the event loop only."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from functools import cache, partial
from itertools import islice
from typing import Any, cast

from cattrs import Converter
from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer
from pygls.protocol import default_converter

from fim_lsp import version
from fim_lsp.completion.provider import CompletionProvider
from fim_lsp.completion.request import CompletionRequest
from fim_lsp.document import DocumentHandle, DocumentSnapshot, Indentation
from fim_lsp.exclusion.gitignore import is_rules_file
from fim_lsp.lsp.document_states import DocumentStates
from fim_lsp.lsp.documents import OpenDocument, OpenDocuments
from fim_lsp.lsp.editor_settings import EditorSettings
from fim_lsp.lsp.jsonrpc import FimProtocol
from fim_lsp.lsp.recent_documents import RecentDocuments
from fim_lsp.lsp.sharing import Sharing
from fim_lsp.lsp.status import StatusReporter
from fim_lsp.lsp.text_only_client import TextOnlyClient
from fim_lsp.model_host.host import ModelHost
from fim_lsp.model_offers.manager import ModelManager
from fim_lsp.settings import Settings
from fim_lsp.suggestion import SelectedSuggestion, Trigger
from fim_lsp.uris import local_path

logger = logging.getLogger(__name__)

ProviderFactory = Callable[[ModelHost], CompletionProvider]

_EVERY_NOTEBOOK = lsp.NotebookDocumentSyncOptions(
    notebook_selector=[lsp.NotebookDocumentFilterWithNotebook(notebook="*")]
)
_START = lsp.Position(0, 0)
_MAX_OTHER_DOCUMENTS = 32
"""Documents that may serve as context; more are not worth the time to look at them."""


class FimServer(LanguageServer):
    """Documents, settings and pending work of one editor; the model is shared with others."""

    protocol: FimProtocol

    def __init__(
        self,
        host: ModelHost,
        make_provider: ProviderFactory = CompletionProvider,
        shared: Settings | None = None,
        models: ModelManager | None = None,
    ) -> None:
        """Takes what is shared with the servers of other editors.

        Args:
            host: has the model.
            make_provider: makes the provider of this editor.
            shared: settings of the process where it serves several editors; see `EditorSettings`.
            models: chooses and adds models for all editors of the process.
        """
        super().__init__(
            "fim-lsp",
            version(),
            protocol_cls=FimProtocol,
            converter_factory=_shared_converter,
            notebook_document_sync=_EVERY_NOTEBOOK,
        )
        self.provider = make_provider(host)
        self.models = models or ModelManager(host)
        """Models that may be chosen, added and offered."""
        self.can_ask = False
        """Whether the client can show its user a question with answers to choose from."""
        self.cancellable: dict[str | int, Callable[[], None]] = {}
        """Ends of the work that progress bars show, by their tokens."""
        self._host = host
        self._settings = EditorSettings(shared)
        self._recent = RecentDocuments()
        self._sharing = Sharing()
        self.states = DocumentStates(host, self.protocol.notify)
        """States of documents that the client is told, if it wants that."""
        self.text_only = TextOnlyClient()
        self._is_reporting = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._status = StatusReporter(host, self.models.adder, self.protocol, self.spawn)

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._settings.now

    @property
    def documents(self) -> OpenDocuments:
        """The documents that the editor has open."""
        return cast(OpenDocuments, self.workspace)

    # Requests

    def snapshot(
        self, uri: str, position: lsp.Position, indentation: Indentation | None = None
    ) -> DocumentSnapshot | None:
        """Returns a document as it is now, with the cursor at a position; None if not open."""
        document = self.documents.get(uri)
        if document is None:
            return None
        return self._handle(document, position, indentation).read()

    def request(
        self,
        snapshot: DocumentSnapshot,
        trigger: Trigger = Trigger.AUTOMATIC,
        selected: SelectedSuggestion | None = None,
    ) -> CompletionRequest:
        """Returns a request for a completion at the cursor of a document."""
        others = partial(self.other_documents, snapshot.uri)
        return CompletionRequest(snapshot, trigger, self.settings, selected, others)

    def is_current(self, snapshot: DocumentSnapshot) -> bool:
        """Tells whether the document is still as the snapshot shows it."""
        document = self.documents.get(snapshot.uri)
        return document is not None and (document.version or 0) == snapshot.version

    def other_documents(self, uri: str) -> Sequence[DocumentHandle]:
        """Returns the open documents that may serve as context, the last visited one first.

        The position of each is where it was edited last, its start if it was not.
        """
        found = (
            (self.documents.get(other), self._recent.last_edit(other))
            for other in islice(self._recent, _MAX_OTHER_DOCUMENTS)
            if other != uri and self._sharing.is_shared(other, self.settings.exclude)
        )
        return [self._handle(document, place) for document, place in found if document is not None]

    def _handle(
        self, document: OpenDocument, position: lsp.Position, indentation: Indentation | None = None
    ) -> DocumentHandle:
        return document.handle(
            position,
            self.documents.relative_path(document.uri),
            is_shared=self._sharing.is_shared(document.uri, self.settings.exclude),
            indentation=indentation,
        )

    def _request_at(self, uri: str, place: lsp.Position) -> CompletionRequest | None:
        snapshot = self.snapshot(uri, place)
        return None if snapshot is None else self.request(snapshot)

    # Documents

    def visited(self, uri: str) -> None:
        """Notes that the user is in a document now, if it is open."""
        document = self.documents.get(uri)
        if document is not None:
            self._recent.visit(document.uri)

    def changed(self, uri: str, place: lsp.Position | None = None) -> None:
        """Ends requests for the old text of a document.

        Args:
            uri: of the document.
            place: where the edit ends, if that is known; the cursor is probably there.
        """
        self.visited(uri)
        name = self._recent.name(uri)
        if place is None or self.documents.get(uri) is None:
            self.provider.document_changed(name)
        else:
            self._recent.edit(uri, place)
            self.provider.document_changed(name, partial(self._request_at, uri, place))

    def opened(self, uri: str) -> None:
        """Takes in a new document, perhaps one to learn from."""
        self._sharing.look_again()
        self.changed(uri)
        self.states.refresh(self.documents, self.settings, uri)
        if (snapshot := self.snapshot(uri, _START)) is not None:
            self.provider.lines.document_opened(snapshot, self.settings)

    def cell_opened(self, uri: str) -> None:
        """Takes in a new cell of a notebook."""
        self.changed(uri)
        self.states.refresh(self.documents, self.settings, uri)

    def saved(self, uri: str) -> None:
        """Takes in a document that was written to the disk."""
        self._sharing.look_again()
        if is_rules_file(uri):
            self.states.refresh(self.documents, self.settings)
        if (snapshot := self.snapshot(uri, _START)) is not None:
            self.provider.lines.document_saved(snapshot, self.settings)

    def renamed(self, old_uri: str) -> None:
        """Forgets the old name of a file or a folder."""
        self._sharing.look_again()
        self.provider.lines.file_gone(old_uri)

    def look_through(self) -> None:
        """Indexes the folders of the workspace."""
        folders = [folder.uri for folder in self.documents.folders.values()]
        roots = [local_path(uri) for uri in folders or [self.documents.root_uri or ""]]
        self.provider.lines.folders_opened(
            [root for root in roots if root], self.settings, self._status.indexed
        )

    def closed(self, uri: str) -> None:
        """Forgets a document."""
        self._sharing.look_again()
        self.provider.document_closed(self._recent.forget(uri))
        self.states.forget(uri)

    # Settings

    def configure(self, options: object) -> None:
        """Takes the settings of `initialize`; later ones replace them one by one."""
        self._settings.begin(options)
        self._use_settings()

    def change_settings(self, section: object) -> None:
        """Takes new settings; what they do not name is as it was at `initialize`."""
        self._settings.change(section)
        self._use_settings()
        self.tell_problems()

    def tell_problems(self) -> None:
        """Shows what is wrong with the settings, each problem once until it is mended."""
        if message := self._settings.new_problems():
            self.window_show_message(lsp.ShowMessageParams(lsp.MessageType.Warning, message))
        if message := self._settings.newly_ignored():
            self.window_log_message(lsp.LogMessageParams(lsp.MessageType.Info, message))

    def _use_settings(self) -> None:
        self._sharing.look_again()
        if self.settings.enabled:
            self._host.apply(self.settings)
        self._status.enable(self.settings.enabled)
        if self._is_reporting:
            self.look_through()
            self.states.refresh(self.documents, self.settings)

    # Life

    def start_reporting(self) -> None:
        """Tells the client about the model and about wrong settings, from now on."""
        window = self.client_capabilities.window
        self._status.start(shows_progress=bool(window and window.work_done_progress))
        self.states.follow_model(lambda: (self.documents, self.settings))
        self._is_reporting = True
        self.look_through()
        self.tell_problems()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs something in a task that nobody cancels while the connection lasts.

        Requests to the client belong here: pygls fails on a reply to a request whose sender was
        cancelled.
        """
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def cancel_progress(self, token: str | int) -> None:
        """Ends the work that a progress bar shows, if it can be ended."""
        if end := self.cancellable.get(token):
            end()

    def close(self) -> None:
        """Stops all work of a connection that is gone."""
        self._status.stop()
        self.states.stop()
        for uri in self._recent:
            self.provider.document_closed(uri)
        self.provider.close()
        for task in self._tasks:
            task.cancel()
        self.protocol.cancel_requests()
        self.protocol.writer = None

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Logs what pygls would show to the user in a window."""
        data = getattr(error, "data", None)
        trace = "".join(data.get("traceback", ())) if isinstance(data, dict) else ""
        logger.error("%s: %s\n%s", getattr(source, "__name__", source), error, trace)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a background task failed", exc_info=error)


@cache
def _shared_converter() -> Converter:
    """Returns one for all connections: to make one holds up every other editor for 50 ms."""
    return default_converter()  # type: ignore[no-untyped-call, no-any-return]
