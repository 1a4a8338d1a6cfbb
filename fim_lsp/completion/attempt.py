"""Holds one request on its way through the steps that answer it, and what the steps share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fim_lsp.completion.inputs import Inputs
from fim_lsp.completion.pending import PendingRequest
from fim_lsp.completion.reasons import Reason, Silence
from fim_lsp.completion.request import CompletionRequest
from fim_lsp.completion.trace import AnsweredBy, RequestTrace
from fim_lsp.suggestion import Completion


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request, what is known of its place, and its trace."""

    inputs: Inputs
    trace: RequestTrace
    pending: PendingRequest
    cached: Sequence[Completion] | None
    """Suggestions that the cache has; empty where the same place gave nothing before."""

    @property
    def request(self) -> CompletionRequest:
        """The request that is answered."""
        return self.inputs.request

    def reject(self, silence: Silence) -> list[Completion]:
        """Notes why nothing is suggested, and returns that: no suggestions."""
        self.trace.reject(silence)
        return []

    def known_before(self, source: AnsweredBy, known: Sequence[Completion]) -> list[Completion]:
        """Returns the one suggestion that typing gets of those made for this place before."""
        self.trace.answered_by = source
        if not known:
            return self.reject(Silence(Reason.NOTHING_BEFORE))
        self.trace.is_prefetched = known[0].is_prefetched
        return list(known[:1])  # who asked there before was given several
