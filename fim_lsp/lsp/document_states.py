"""Tells a client which of its documents are not completed, so that it need not ask.

Only a client that names `experimental.fimLsp.documentState` among its capabilities is told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from urllib.parse import unquote

from fim_lsp.completion.gate import silence_of_document, silence_of_language
from fim_lsp.completion.reasons import Reason
from fim_lsp.lsp.documents import OpenDocuments
from fim_lsp.lsp.fields import field_at
from fim_lsp.model_host.host import ModelHost
from fim_lsp.model_host.status import HostStatus
from fim_lsp.settings import Settings
from model_runtime.served_model import ServedModel

DOCUMENT_STATE = "fimLsp/documentState"


class DocumentState(Enum):
    """Whether a document is completed; the value is its name in the protocol."""

    ACTIVE = "active"
    DISABLED = "disabled"
    """The user's settings switch it off, altogether or for the language."""
    EXCLUDED = "excluded"
    ON_REQUEST = "onRequest"
    """The model is rarely right in the language: typing gets nothing, the user's command does."""


@dataclass(frozen=True, slots=True)
class StateOfDocument:
    """The state of one document, and the reason for people."""

    state: DocumentState
    message: str = ""


ACTIVE = StateOfDocument(DocumentState.ACTIVE)
"""A client takes documents for active until it is told otherwise."""


def state_of(
    uri: str, language_id: str, settings: Settings, model: ServedModel | None
) -> StateOfDocument:
    """Returns the state of a document; that of the model itself is none of it.

    Args:
        uri: of the document.
        language_id: of the document.
        settings: those in force.
        model: the loaded one; nothing is known of its languages before.
    """
    silence = silence_of_document(uri, language_id, settings)
    if silence is not None:
        is_excluded = silence.reason is Reason.EXCLUDED
        state = DocumentState.EXCLUDED if is_excluded else DocumentState.DISABLED
        return StateOfDocument(state, silence.message)
    silence = None if model is None else silence_of_language(language_id, settings, model)
    if silence is not None:
        return StateOfDocument(DocumentState.ON_REQUEST, silence.message)
    return ACTIVE


def wants_document_states(client_capabilities: object) -> bool:
    """Tells whether a client names the notification among its capabilities, given raw."""
    return field_at(client_capabilities, "experimental", "fimLsp", "documentState") is True


class DocumentStates:
    """Tells one client of its documents; silent until `is_wanted` is set."""

    def __init__(self, host: ModelHost, notify: Callable[[str, object], None]) -> None:
        """Takes what the states depend on.

        Args:
            host: has the model, which may know other languages than the one before.
            notify: sends a notification, given its method and its parameters.
        """
        self.is_wanted = False
        self._host = host
        self._notify = notify
        self._model = host.loaded
        self._unsubscribe: Callable[[], None] | None = None
        self._told: dict[str, StateOfDocument] = {}

    def refresh(self, documents: OpenDocuments, settings: Settings, uri: str | None = None) -> None:
        """Tells the client of states that have changed.

        Args:
            documents: those that are open.
            settings: those in force.
            uri: names the only document to look at; all of them without it.
        """
        if not self.is_wanted:
            return
        for document in documents.all() if uri is None else [documents.get(uri)]:
            if document is not None:
                language_id = document.language_id or ""
                self._tell(
                    document.uri, state_of(document.uri, language_id, settings, self._host.loaded)
                )

    def forget(self, uri: str) -> None:
        """Forgets a document that was closed; the next one of that name is active again."""
        self._told.pop(unquote(uri), None)

    def follow_model(self, look: Callable[[], tuple[OpenDocuments, Settings]]) -> None:
        """Refreshes the states when another model is loaded, until `stop` is called.

        Args:
            look: returns the open documents, and the settings in force.
        """

        def changed(status: HostStatus) -> None:
            model = self._host.loaded
            if model is not None and model is not self._model:
                self._model = model
                self.refresh(*look())

        self._unsubscribe = self._host.subscribe(changed)

    def stop(self) -> None:
        """Follows the model no longer."""
        if self._unsubscribe is not None:
            self._unsubscribe()
        self._unsubscribe = None

    def _tell(self, uri: str, now: StateOfDocument) -> None:
        if self._told.get(unquote(uri), ACTIVE) == now:
            return
        self._told[unquote(uri)] = now
        self._notify(DOCUMENT_STATE, {"uri": uri, "state": now.state.value, "message": now.message})
