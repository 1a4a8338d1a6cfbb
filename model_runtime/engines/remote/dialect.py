"""The seam between the one remote engine and the ways in which servers speak HTTP.

A dialect writes the body of a request and reads the events of its answer; connections, errors,
back-off, forced text and ids are the engine's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from model_runtime.engines.protocol import SamplingParams

if TYPE_CHECKING:
    from model_runtime.engines.remote.client import HttpClient
    from model_runtime.engines.remote.known_model import KnownModel

MAX_ALTERNATIVES = 20
"""Likeliest ids that a server is asked for beside the one that it chose; vLLM allows no more."""


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """Says what a server is, once it was compared with the model at hand."""

    identity: tuple[object, ...]
    """Differs where the server has another model; is asked for again from time to time."""
    context_length: int
    """Most ids of prompt and answer."""
    max_concurrency: int
    """Answers that the server writes side by side."""
    served: str = ""
    """Name of the model there; empty where it needs none."""
    has_probabilities: bool = True
    """False where it is known to tell no log-probabilities."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Says what is to be continued, and how."""

    prompt: Sequence[int]
    sampling: SamplingParams
    max_tokens: int
    alternatives: int
    """Likeliest ids that are wanted beside each; 0 for none."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Holds what one event of an answer says."""

    ids: tuple[int, ...] = ()
    """Ids that were decoded; none where the server tells texts alone."""
    text: str | None = None
    """Their text; None where the ids are sure to be complete."""
    logprobs: tuple[float, ...] = ()
    """Natural log-probabilities of the ids; empty where the server tells none."""
    alternatives: tuple[Mapping[int, float], ...] = ()
    """Log-probabilities of the likeliest ids in place of each, as far as they are told."""
    is_end: bool = False
    """Whether the answer is over."""
    ended_itself: bool = False
    """Whether it is over because the model ended it."""
    cached_tokens: int | None = None
    """Ids of the prompt that the server had read before; None where it does not say."""
    read_tokens: int | None = None
    """Ids of the prompt that it read now."""
    model: str = ""
    """Name of the model that writes the answer; empty where it is not told."""


class Dialect(Protocol):
    """One way to speak to servers."""

    name: str
    """Name of the engine."""
    usual_address: str
    """Address at which such a server listens unless it is told otherwise."""
    path: str
    """Path that prompts are posted to."""

    def facts(self, client: HttpClient, model: KnownModel, served: str) -> ServerFacts:
        """Asks the server what it is and compares that with the model at hand.

        Args:
            client: connects to it.
            model: the model at hand.
            served: name of the model there; empty where it serves one alone.

        Raises:
            ServerProblem: it does not answer, or has another model; the message names what differs.
        """
        ...

    def identity(self, client: HttpClient, served: str) -> tuple[object, ...]:
        """Asks for no more than `ServerFacts.identity`.

        Raises:
            ServerProblem: it does not answer.
        """
        ...

    def is_running(self, client: HttpClient, tag: int) -> bool | None:
        """Tells whether the server works on the answer with a tag; None where it does not say.

        Raises:
            ServerProblem: it does not answer.
        """
        ...

    def body(self, wanted: Wanted, tag: int, model: KnownModel, served: str) -> dict[str, Any]:
        """Returns the body that asks for an answer; arguments as above."""
        ...

    def events(self, lines: Iterator[str], place: str) -> Iterator[Mapping[str, Any]]:
        """Yields the events of an answer.

        Raises:
            ServerProblem: a line is none of this dialect.
        """
        ...

    def piece(self, event: Mapping[str, Any], place: str) -> Piece:
        """Reads one event.

        Raises:
            ServerProblem: it is malformed.
        """
        ...
