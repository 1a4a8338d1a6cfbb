"""Keeps the suggestions that were shown, until the user accepts them, and tells the statistics."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

from fim_lsp.completion.request import CompletionRequest
from fim_lsp.document import DocumentSnapshot
from fim_lsp.feedback.saved_keys import Day, SavedKeys
from fim_lsp.feedback.threshold import ThresholdAdapter
from fim_lsp.suggestion import Completion

_MAX_SHOWN = 8
"""Suggestions that may still be accepted; each holds its document."""


class ShownSuggestion(NamedTuple):
    """A suggestion that was shown, and the request that it answers."""

    completion: Completion
    request: CompletionRequest


class ShownSuggestions:
    """The last suggestions of one editor."""

    def __init__(self, threshold: ThresholdAdapter, saved_keys: SavedKeys) -> None:
        """Takes the objects that learn from the outcomes of suggestions and count them."""
        self._threshold = threshold
        self._saved_keys = saved_keys
        self._shown: OrderedDict[str, ShownSuggestion] = OrderedDict()

    def observe(self, snapshot: DocumentSnapshot) -> None:
        """Looks at a document for the outcome of what was shown there."""
        self._threshold.observe(snapshot)

    def show(self, request: CompletionRequest, completions: Sequence[Completion]) -> None:
        """Remembers the answer to a request, best first."""
        for completion in completions:
            self._shown[completion.id] = ShownSuggestion(completion, request)
        while len(self._shown) > _MAX_SHOWN:
            self._shown.popitem(last=False)
        # Behind an entry of the popup it is the entry that a user takes or leaves.
        if completions and request.is_typing and request.settings.learn_from_use:
            self._threshold.show(request.snapshot, completions[0], request.settings.eagerness)

    def accept(self, completion_id: str) -> ShownSuggestion | None:
        """Counts an accepted suggestion, and returns it if it is known."""
        self._threshold.accept(completion_id)
        shown = self._shown.pop(completion_id, None)
        if shown is not None and shown.request.settings.learn_from_use:
            self._saved_keys.accept(shown.completion)
        return shown

    def days(self) -> list[Day]:
        """Returns what was accepted on the last days; reads a file."""
        return self._saved_keys.days()

    def close_document(self, uri: str) -> None:
        """Leaves the outcome open of what was shown in a document that is closed."""
        self._threshold.close_document(uri)

    def close(self) -> None:
        """Writes what was learned."""
        self._threshold.close()
        self._saved_keys.close()
