"""One short function per message of the protocol.  Types of LSP stop here.

The rules for `textDocument/inlineCompletion`, learnt from how editors behave:

* null for a request that a newer one or an edit has overtaken, an empty list for "nothing to
  suggest": Neovim lets its ghost text stand at null, and takes it away at an empty list;
* never an error, except to a request that the client cancelled: VS Code rings a bell at any other;
* always a range, on one line; never a `filterText`, never a snippet: Neovim honours neither.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException

from fim_lsp import fallback
from fim_lsp.completer import Completer
from fim_lsp.completion import Completion, SelectedSuggestion, Trigger
from fim_lsp.document import DocumentSnapshot, Indentation
from fim_lsp.documents import end_of_edit, install_documents
from fim_lsp.engine_host import EngineHost
from fim_lsp.positions import Encoding, end_of_line, num_units, start_of_line
from fim_lsp.server import ACCEPT, CompleterFactory, FimServer
from fim_lsp.settings import Settings, section_of

logger = logging.getLogger(__name__)

EXPLAIN = "fimLsp/explain"
COPILOT_ACCEPT = "github.copilot.didAcceptCompletionItem"


def new_server(
    host: EngineHost,
    make_completer: CompleterFactory = Completer,
    shared: Settings | None = None,
) -> FimServer:
    """A server for one more editor; `shared` are the settings of a process that serves several."""
    server = FimServer(host, make_completer, shared)
    for method, handler in _FEATURES.items():
        options = _OPTIONS.get(method)
        server.feature(method, options)(handler)
    server.command(ACCEPT)(accept)
    return server


# Life


def initialize(server: FimServer, params: lsp.InitializeParams) -> None:
    """Take the editor's settings and begin to load the model."""
    install_documents(server.protocol)
    client = params.client_info
    logger.info(
        "client %s %s, positions in %s",
        client.name if client else "unknown",
        (client.version or "") if client else "",
        server.documents.encoding,
    )
    server.configure(params.initialization_options)
    fallback.offer(server, server.protocol.raw_params.get("capabilities"))


def initialized(server: FimServer, params: lsp.InitializedParams) -> None:
    """Report the model's state, and ask for the settings."""
    server.start_reporting()
    # Not in the capabilities: VS Code would register the name and clash with Copilot's own
    # extension.
    server.command(COPILOT_ACCEPT)(accept)
    _ask_for_settings(server)


def did_change_configuration(server: FimServer, params: lsp.DidChangeConfigurationParams) -> None:
    """Take pushed settings, or fetch them from a client that only says that they changed."""
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
    try:
        await server.pull_settings()
    except JsonRpcException as error:
        logger.info("the client does not tell its settings: %s", error)


# Documents; pygls has applied the change before it calls these.


def did_open(server: FimServer, params: lsp.DidOpenTextDocumentParams) -> None:
    """A document was opened, or opened again with another text."""
    server.opened(params.text_document.uri)


def did_change(server: FimServer, params: lsp.DidChangeTextDocumentParams) -> None:
    """A document was edited."""
    changes = params.content_changes
    place = end_of_edit(changes[-1], server.documents.encoding) if changes else None
    server.changed(params.text_document.uri, place)


def did_save(server: FimServer, params: lsp.DidSaveTextDocumentParams) -> None:
    """A document was written to the disk."""
    server.saved(params.text_document.uri)


def did_rename(server: FimServer, params: lsp.RenameFilesParams) -> None:
    """Files or folders were renamed."""
    for file in params.files:
        server.renamed(file.old_uri)


def did_change_folders(server: FimServer, params: lsp.DidChangeWorkspaceFoldersParams) -> None:
    """The workspace has other folders."""
    server.look_through()


def did_close(server: FimServer, params: lsp.DidCloseTextDocumentParams) -> None:
    """A document was closed."""
    server.closed(params.text_document.uri)


def notebook_did_open(server: FimServer, params: lsp.DidOpenNotebookDocumentParams) -> None:
    """A notebook was opened; each cell is a document."""
    for cell in params.cell_text_documents:
        server.changed(cell.uri)


def notebook_did_change(server: FimServer, params: lsp.DidChangeNotebookDocumentParams) -> None:
    """Cells were edited, added or removed."""
    cells = params.change.cells
    if cells is None:
        return
    if cells.structure is not None:
        for cell in cells.structure.did_open or ():
            server.changed(cell.uri)
        for closed in cells.structure.did_close or ():
            server.closed(closed.uri)
    for content in cells.text_content or ():
        server.changed(content.document.uri)


def notebook_did_close(server: FimServer, params: lsp.DidCloseNotebookDocumentParams) -> None:
    """A notebook was closed."""
    for cell in params.cell_text_documents:
        server.closed(cell.uri)


def did_focus(server: FimServer, params: Any) -> None:
    """The user went to another document (Copilot's extension of the protocol)."""
    uri = _at(params, "textDocument", "uri")
    if isinstance(uri, str):
        server.visited(uri)


# Completions


async def inline_completion(
    server: FimServer, params: lsp.InlineCompletionParams
) -> lsp.InlineCompletionList | None:
    """Answer with suggestions, an empty list, or null; see the rules at the top."""
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
        completions = await server.completer.complete(
            snapshot,
            _trigger(params.context),
            server.settings,
            _selected(server, snapshot, params.context),
            partial(server.other_documents, snapshot.uri),
        )
        if completions is None or not server.is_current(snapshot):
            return None
        return to_items(completions, snapshot, server.documents.encoding)
    except asyncio.CancelledError:
        if server.protocol.is_shut_down:
            return None
        raise  # `$/cancelRequest`: answered -32800 by pygls
    except Exception:
        logger.exception("an inline completion failed")
        return None


def to_items(
    completions: Sequence[Completion], snapshot: DocumentSnapshot, encoding: Encoding
) -> lsp.InlineCompletionList:
    """Completions as the editor wants them."""
    text = snapshot.text
    start_of_cursors_line = start_of_line(text, snapshot.offset)
    end_of_cursors_line = end_of_line(text, snapshot.offset)

    def position(offset: int) -> lsp.Position:
        inside = min(max(offset, start_of_cursors_line), end_of_cursors_line)
        before = text[start_of_cursors_line:inside]
        return lsp.Position(snapshot.line, num_units(before, encoding))

    return lsp.InlineCompletionList(
        [
            lsp.InlineCompletionItem(
                insert_text=completion.text.replace("\r\n", "\n").replace("\r", "\n"),
                range=lsp.Range(position(completion.start), position(completion.end)),
                command=lsp.Command("Suggestion accepted", ACCEPT, arguments=[completion.id]),
            )
            for completion in completions
            if completion.text
        ]
    )


def accept(server: FimServer, *arguments: Any) -> None:
    """Count an accepted suggestion; the editor runs this as the item's command."""
    server.counts["accepted"] += 1
    for completion_id in arguments[:1]:
        if isinstance(completion_id, str):
            server.completer.accepted(completion_id)


def did_show(server: FimServer, params: Any) -> None:
    """Count a suggestion that was shown (Copilot's extension of the protocol)."""
    server.counts["shown"] += 1


def did_partially_accept(server: FimServer, params: Any) -> None:
    """Count a word or a line that was taken from a suggestion (Copilot's extension)."""
    server.counts["partly accepted"] += 1


def explain(server: FimServer, params: Any) -> list[dict[str, Any]]:
    """The last decisions, with their reasons and timings."""
    return server.completer.explain()


def _trigger(context: lsp.InlineCompletionContext) -> Trigger:
    if context.trigger_kind is lsp.InlineCompletionTriggerKind.Invoked:
        return Trigger.INVOKED
    return Trigger.AUTOMATIC


def _selected(
    server: FimServer, snapshot: DocumentSnapshot, context: lsp.InlineCompletionContext
) -> SelectedSuggestion | None:
    """The entry of the suggest popup, if it lies on the cursor's line as the standard has it."""
    info = context.selected_completion_info
    if info is None:
        return None
    start = server.snapshot(snapshot.uri, info.range.start)
    end = server.snapshot(snapshot.uri, info.range.end)
    if start is None or end is None or not start.line == end.line == snapshot.line:
        return None
    return SelectedSuggestion(start.offset, end.offset, info.text)


def _is_overtaken(raw: Mapping[str, Any], snapshot: DocumentSnapshot) -> bool:
    """Whether the client (Copilot's send a version) asked about a text that is gone."""
    version = _at(raw, "textDocument", "version")
    return isinstance(version, int) and version < snapshot.version


def _indentation(raw: Mapping[str, Any]) -> Indentation | None:
    size = _at(raw, "formattingOptions", "tabSize")
    uses_spaces = _at(raw, "formattingOptions", "insertSpaces")
    if not isinstance(size, int) or not 0 < size <= 64:
        return None
    return Indentation(size, bool(uses_spaces))


def _at(value: Any, *keys: str) -> Any:
    """What stands at a path of keys, or None."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


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
    "textDocument/didShowCompletion": did_show,
    "textDocument/didPartiallyAcceptCompletion": did_partially_accept,
    EXPLAIN: explain,
}
_EVERY_FILE = lsp.FileOperationFilter(lsp.FileOperationPattern("**"))
_OPTIONS = {
    lsp.WORKSPACE_DID_RENAME_FILES: lsp.FileOperationRegistrationOptions([_EVERY_FILE]),
    # Without options pygls does not advertise the method at all.
    lsp.TEXT_DOCUMENT_INLINE_COMPLETION: lsp.InlineCompletionOptions(),
}
