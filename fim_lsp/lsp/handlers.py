"""Handles each message of the protocol by one short function.  Types of LSP stop here.

The rules for `textDocument/inlineCompletion`, learnt from how editors behave:

* null for a request that a newer one or an edit has overtaken, an empty list for "nothing to
  suggest": Neovim lets its ghost text stand at null, and takes it away at an empty list;
* never an error, except to a request that the client cancelled: VS Code rings a bell at any other;
* always a range, on one line; never a `filterText`, never a snippet: Neovim honours neither.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException

from fim_lsp.completion.provider import CompletionProvider
from fim_lsp.document import DocumentSnapshot, Indentation
from fim_lsp.lsp import completion_list, history_requests, model_requests
from fim_lsp.lsp.document_states import wants_document_states
from fim_lsp.lsp.documents import end_of_edit, install_documents
from fim_lsp.lsp.fields import field_at
from fim_lsp.lsp.inline_items import ACCEPT, to_items
from fim_lsp.lsp.model_offer import offer_a_model, shows_actions
from fim_lsp.lsp.session import FimServer, ProviderFactory
from fim_lsp.model_host.host import ModelHost
from fim_lsp.model_offers.manager import ModelManager
from fim_lsp.settings import SECTION, Settings, section_of
from fim_lsp.suggestion import SelectedSuggestion

logger = logging.getLogger(__name__)

COPILOT_ACCEPT = "github.copilot.didAcceptCompletionItem"


def new_server(
    host: ModelHost,
    make_provider: ProviderFactory = CompletionProvider,
    shared: Settings | None = None,
    models: ModelManager | None = None,
) -> FimServer:
    """Returns a server for one more editor; the arguments are those of `FimServer`."""
    server = FimServer(host, make_provider, shared, models)
    for method, handler in _FEATURES.items():
        options = _OPTIONS.get(method)
        server.feature(method, options)(handler)
    server.command(ACCEPT)(accept)
    model_requests.install(server)
    history_requests.install(server)
    return server


# Life


def initialize(server: FimServer, params: lsp.InitializeParams) -> None:
    """Takes the editor's settings and begins to load the model."""
    install_documents(server.protocol)
    client = params.client_info
    logger.info(
        "client %s %s, positions in %s",
        client.name if client else "unknown",
        (client.version or "") if client else "",
        server.documents.encoding,
    )
    server.configure(params.initialization_options)
    capabilities = field_at(server.protocol.raw_params, "capabilities")
    server.can_ask = shows_actions(capabilities)
    server.states.is_wanted = wants_document_states(capabilities)
    server.text_only.initialize(capabilities)
    completion_list.offer(server, capabilities)


def initialized(server: FimServer, params: lsp.InitializedParams) -> None:
    """Reports the model's state, and asks for the settings."""
    server.start_reporting()
    # Not in the capabilities: VS Code would register the name and clash with Copilot's own
    # extension.
    server.command(COPILOT_ACCEPT)(accept)
    _ask_for_settings(server)
    server.spawn(offer_a_model(server))


def did_change_configuration(server: FimServer, params: lsp.DidChangeConfigurationParams) -> None:
    """Takes pushed settings, or fetches them from a client that only says that they changed."""
    section = section_of(params.settings)
    if section is not None:
        server.change_settings(section)
    else:
        _ask_for_settings(server)


def _ask_for_settings(server: FimServer) -> None:
    workspace = server.client_capabilities.workspace
    if workspace is not None and workspace.configuration:
        server.spawn(_pull_settings(server))


async def _pull_settings(server: FimServer) -> None:
    item = lsp.ConfigurationItem(section=SECTION)
    try:
        answer = await server.protocol.send_request_async(
            lsp.WORKSPACE_CONFIGURATION, lsp.ConfigurationParams([item])
        )
    except JsonRpcException as error:
        logger.info("the client does not tell its settings: %s", error)
        return
    if isinstance(answer, list) and answer and answer[0] is not None:
        server.change_settings(answer[0])


# Documents; pygls has applied the change before it calls these.


def did_open(server: FimServer, params: lsp.DidOpenTextDocumentParams) -> None:
    """Takes a document that was opened, or opened again with another text."""
    server.opened(params.text_document.uri)


def did_change(server: FimServer, params: lsp.DidChangeTextDocumentParams) -> None:
    """Takes an edit of a document."""
    changes = params.content_changes
    place = end_of_edit(changes[-1], server.documents.encoding) if changes else None
    uri, version = params.text_document.uri, params.text_document.version
    server.changed(uri, place)
    if server.text_only.is_one and (document := server.documents.get(uri)) is not None:
        accept(server, server.text_only.edited(uri, version, document.source))


def did_save(server: FimServer, params: lsp.DidSaveTextDocumentParams) -> None:
    """Takes a document that was written to the disk."""
    server.saved(params.text_document.uri)


def did_rename(server: FimServer, params: lsp.RenameFilesParams) -> None:
    """Forgets the old names of files or folders."""
    for file in params.files:
        server.renamed(file.old_uri)


def did_change_folders(server: FimServer, params: lsp.DidChangeWorkspaceFoldersParams) -> None:
    """Takes the new folders of the workspace."""
    server.look_through()


def did_close(server: FimServer, params: lsp.DidCloseTextDocumentParams) -> None:
    """Forgets a document that was closed."""
    server.closed(params.text_document.uri)


def notebook_did_open(server: FimServer, params: lsp.DidOpenNotebookDocumentParams) -> None:
    """Takes a notebook that was opened; each cell is a document."""
    for cell in params.cell_text_documents:
        server.cell_opened(cell.uri)


def notebook_did_change(server: FimServer, params: lsp.DidChangeNotebookDocumentParams) -> None:
    """Takes cells that were edited, added or removed."""
    cells = params.change.cells
    if cells is None:
        return
    if cells.structure is not None:
        for cell in cells.structure.did_open or ():
            server.cell_opened(cell.uri)
        for closed in cells.structure.did_close or ():
            server.closed(closed.uri)
    for content in cells.text_content or ():
        server.changed(content.document.uri)


def notebook_did_close(server: FimServer, params: lsp.DidCloseNotebookDocumentParams) -> None:
    """Forgets the cells of a notebook that was closed."""
    for cell in params.cell_text_documents:
        server.closed(cell.uri)


def did_focus(server: FimServer, params: Any) -> None:
    """Notes that the user went to another document (Copilot's extension of the protocol)."""
    uri = field_at(params, "textDocument", "uri")
    if isinstance(uri, str):
        server.visited(uri)


# Completions


async def inline_completion(
    server: FimServer, params: lsp.InlineCompletionParams
) -> lsp.InlineCompletionList | None:
    """Answers with suggestions, an empty list, or null; see the rules at the top."""
    # First of all, and before any await: later edits must not reach this request.
    snapshot = server.snapshot(
        params.text_document.uri, params.position, _indentation(server.protocol.raw_params)
    )
    try:
        if snapshot is None:
            logger.info("completion nothing (the document is not open)")
            return lsp.InlineCompletionList([])
        if _is_overtaken(server.protocol.raw_params, snapshot):
            return None
        server.visited(snapshot.uri)
        completions = await server.provider.complete(
            server.request(
                snapshot,
                server.text_only.trigger(snapshot, params.context),
                _selected(server, snapshot, params.context),
            )
        )
        if completions is None or not server.is_current(snapshot):
            return None
        server.text_only.answered(snapshot, completions)
        return to_items(completions, snapshot, server.documents.encoding)
    except asyncio.CancelledError:
        if server.protocol.is_shut_down:
            return None
        raise  # `$/cancelRequest`: answered -32800 by pygls
    except Exception:
        logger.exception("an inline completion failed")
        return None


def accept(server: FimServer, *arguments: Any) -> None:
    """Counts an accepted suggestion; the editor runs this as the item's command."""
    for completion_id in arguments[:1]:
        if isinstance(completion_id, str):
            server.provider.accepted(completion_id)


def _selected(
    server: FimServer, snapshot: DocumentSnapshot, context: lsp.InlineCompletionContext
) -> SelectedSuggestion | None:
    """Returns the entry of the suggest popup, if it lies on the cursor's line as it should."""
    info = context.selected_completion_info
    if info is None:
        return None
    start = server.snapshot(snapshot.uri, info.range.start)
    end = server.snapshot(snapshot.uri, info.range.end)
    if start is None or end is None or not start.line == end.line == snapshot.line:
        return None
    return SelectedSuggestion(start.offset, end.offset, info.text)


def _is_overtaken(raw: Mapping[str, Any], snapshot: DocumentSnapshot) -> bool:
    """Tells whether a client that names a version (Copilot's) asked about a text that is gone."""
    version = field_at(raw, "textDocument", "version")
    return isinstance(version, int) and version < snapshot.version


def _indentation(raw: Mapping[str, Any]) -> Indentation | None:
    size = field_at(raw, "formattingOptions", "tabSize")
    uses_spaces = field_at(raw, "formattingOptions", "insertSpaces")
    if not isinstance(size, int) or not 0 < size <= 64:
        return None
    return Indentation(size, bool(uses_spaces))


_FEATURES: dict[str, Callable[..., Any]] = {
    lsp.INITIALIZE: initialize,
    lsp.INITIALIZED: initialized,
    lsp.WORKSPACE_DID_CHANGE_CONFIGURATION: did_change_configuration,
    lsp.TEXT_DOCUMENT_DID_OPEN: did_open,
    lsp.TEXT_DOCUMENT_DID_CHANGE: did_change,
    lsp.TEXT_DOCUMENT_DID_SAVE: did_save,
    lsp.TEXT_DOCUMENT_DID_CLOSE: did_close,
    lsp.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS: did_change_folders,
    lsp.WORKSPACE_DID_RENAME_FILES: did_rename,
    lsp.NOTEBOOK_DOCUMENT_DID_OPEN: notebook_did_open,
    lsp.NOTEBOOK_DOCUMENT_DID_CHANGE: notebook_did_change,
    lsp.NOTEBOOK_DOCUMENT_DID_CLOSE: notebook_did_close,
    lsp.TEXT_DOCUMENT_INLINE_COMPLETION: inline_completion,
    "textDocument/didFocus": did_focus,
}
_EVERY_FILE = lsp.FileOperationFilter(lsp.FileOperationPattern("**"))
_OPTIONS = {
    lsp.WORKSPACE_DID_RENAME_FILES: lsp.FileOperationRegistrationOptions([_EVERY_FILE]),
    # Without options pygls does not advertise the method at all.
    lsp.TEXT_DOCUMENT_INLINE_COMPLETION: lsp.InlineCompletionOptions(),
}
