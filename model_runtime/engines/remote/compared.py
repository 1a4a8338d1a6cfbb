"""Keeps what a server was found to be when it was compared with the model at hand.

Another server may be started at the same address, without a request that fails meanwhile.  So it is
asked again from time to time, and whenever an answer looks as if it came from another one.
"""

from __future__ import annotations

import threading
import time

from model_runtime.engines.remote.client import HttpClient
from model_runtime.engines.remote.dialect import Dialect, Piece, ServerFacts
from model_runtime.engines.remote.known_model import KnownModel

_CHECK_SECONDS = 60.0
"""Time after which a server is asked anew which model it has."""


class ComparedServer:
    """One server and the model at hand; may be used by several threads."""

    def __init__(self, dialect: Dialect, client: HttpClient, model: KnownModel, named: str) -> None:
        """Asks nothing yet.

        Args:
            dialect: the way to speak to it.
            client: connects to it.
            model: the model at hand.
            named: name of the model there; empty where it serves one alone.
        """
        self._dialect, self._client, self._model, self._named = dialect, client, model, named
        self._checking = threading.Lock()
        self._facts: ServerFacts | None = None
        self.has_probabilities = True
        """Whether it tells how sure its model is; False from the first answer without."""
        self._due_at = 0.0
        self._told_name = ""
        """Name of its model as its answers have it."""

    def facts(self) -> ServerFacts:
        """Compares the server with the model, where that is due; returns what it is.

        Raises:
            ServerProblem: it does not answer, or differs.
        """
        with self._checking:
            facts = self._facts
            if facts is not None and time.monotonic() < self._due_at:
                return facts
            dialect, client, self._facts = self._dialect, self._client, None
            if facts is None or facts.identity != dialect.identity(client, facts.served):
                facts = dialect.facts(client, self._model, self._named)
                self.has_probabilities = facts.has_probabilities
                self._told_name = ""
            self._facts, self._due_at = facts, time.monotonic() + _CHECK_SECONDS
            return facts

    def observe(self, piece: Piece) -> None:
        """Asks what the server is where the first piece of an answer may be that of another one.

        Its model has another name then, or it knew nothing of a prompt: one that has just been
        started does not, and to ask costs less than what it has read.

        Raises:
            ServerProblem: it is another one.
        """
        is_renamed = bool(piece.model and self._told_name and piece.model != self._told_name)
        self._told_name = piece.model or self._told_name
        if is_renamed or piece.cached_tokens == 0:
            self._due_at = 0.0
            self.facts()

    def forget(self) -> None:
        """Lets the next call of `facts` compare everything anew, after a failure."""
        self._facts = None
