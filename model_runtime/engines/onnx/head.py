"""The output head: the matrix that turns what the decoder computes into logits."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from model_runtime.engines.onnx.session import run_options
from model_runtime.errors import EngineError
from model_runtime.models.decoder import DecoderSpec
from model_runtime.models.weights import Float32
from model_runtime.telemetry import import_silenced

onnxruntime = import_silenced("onnxruntime")


class OutputHead:
    """The head's graph, loaded, with the memory that it reads and writes."""

    def __init__(self, session: Any, spec: DecoderSpec) -> None:
        """Takes the head's session, as `open_session` returns it, and the shape of the model."""
        self._session = session
        self._binding = session.io_binding()
        self._options = run_options()
        self._hidden = np.empty((1, 0, spec.hidden), np.float32)
        self._logits = np.empty((1, 0, spec.vocab), np.float32)

    def logits(self, hidden: Float32) -> Float32:
        """Returns the logits of some places, float32 [places, vocabulary]; the next call may write
        there as well.

        Args:
            hidden: what the decoder computed for them, float32 [places, hidden].

        Raises:
            EngineError: ONNX Runtime broke.
        """
        if len(hidden) != self._hidden.shape[1]:
            self._hidden = np.empty((1, *hidden.shape), np.float32)
            self._logits = np.empty((1, len(hidden), self._logits.shape[2]), np.float32)
            value = onnxruntime.OrtValue.ortvalue_from_numpy
            self._binding.bind_ortvalue_input("hidden", value(self._hidden))
            self._binding.bind_ortvalue_output("logits", value(self._logits))
        self._hidden[0] = hidden
        try:
            self._session.run_with_iobinding(self._binding, self._options)
        except Exception as error:  # its own classes, which derive from nothing else
            raise EngineError(f"ONNX Runtime failed ({error}); open the model again") from error
        rows: Float32 = self._logits[0]
        return rows

    def close(self) -> None:
        """Frees the head's memory."""
        self._session = None


class Places:
    """The last places of a pass, until the next pass; logits are computed when they are needed."""

    def __init__(self, hidden: Float32, head: OutputHead) -> None:
        """Takes what the decoder computed for them, float32 [places, hidden], and the head."""
        self.hidden = hidden
        self._head = head

    @cached_property
    def logits(self) -> Float32:
        """Logits after each place, float32 [places, vocabulary]."""
        return self._head.logits(self.hidden)
