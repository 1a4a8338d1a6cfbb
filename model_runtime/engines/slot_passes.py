"""The interface between the decoding loop of `slot_engine` and a backend that runs passes.

A pass runs some ids of one text and writes their keys and values in place, row by row.  Rows beyond
those that the loop counts are never read: a canceled pass or a wrong guess is forgotten by not
being counted.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Generic, TypeVar

from model_runtime.engines.numpy_sampling import Draws
from model_runtime.engines.protocol import GeneratedToken, SamplingParams, ScoredToken
from model_runtime.models.weights import Float32

Text = TypeVar("Text")
"""The keys and values of one text, as a backend holds them."""
Logits = TypeVar("Logits")
"""Logits of some places, [places, vocabulary], as a backend hands them out."""


class Passes(ABC, Generic[Text, Logits]):
    """A backend with a loaded model; logits that it hands out hold until its next pass."""

    min_ids = 32
    """Ids of a pass below which shorter ones are not worth it, however long it takes."""
    max_ids = 128
    """Most ids of a prompt that run in one pass."""

    row_bytes: int
    """Bytes of the keys and values of one id."""
    row_step = 128
    """Rows by which the memory of a text grows."""

    @abstractmethod
    def new_text(self, rows: int) -> Text:
        """Returns memory for the keys and values of so many ids.

        Raises:
            MemoryError: there is not enough.
            EngineError: the backend broke.
        """

    @abstractmethod
    def resize(self, text: Text, rows: int, kept: int) -> None:
        """Gives a text memory for so many ids; the first `kept` rows stay.

        Raises:
            MemoryError: there is not enough, and nothing has changed.
            EngineError: the backend broke.
        """

    @abstractmethod
    def copy(self, target: Text, source: Text, count: int) -> None:
        """Copies the first `count` rows of `source` to `target`."""

    @abstractmethod
    def run(
        self, text: Text, start: int, ids: Sequence[int], options: Any = None, kept: int = 1
    ) -> Logits:
        """Runs `ids`, the first of which is at `start`; returns the logits of the last `kept`.

        Raises:
            EngineError: the backend broke, or was canceled through `options`.
        """

    @abstractmethod
    def pick(
        self, logits: Logits, row: int, sampling: SamplingParams, random: Draws
    ) -> GeneratedToken:
        """Chooses the token after one of the places."""

    @abstractmethod
    def row(self, logits: Logits, row: int) -> Float32:
        """Copies the logits of one place, float32 [vocabulary]."""

    @abstractmethod
    def score(self, logits: Logits, ids: Sequence[int]) -> list[ScoredToken]:
        """Returns the probability of each id at its place."""

    def cancellable(self, cancel: threading.Event, *, num_ids: int) -> AbstractContextManager[Any]:
        """Returns options of passes over `num_ids` ids in all, which fail once `cancel` is set."""
        return nullcontext()

    def close(self) -> None:
        """Frees the model's memory; no pass runs afterwards."""
