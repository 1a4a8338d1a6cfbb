"""The output head, which turns the last output of a decoder's graph into logits."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from model_runtime.engines.onnx.file import OUTPUT_HEAD, model_path
from model_runtime.engines.onnx.session import open_session, run_options
from model_runtime.errors import EngineError
from model_runtime.models.weights import Float32
from model_runtime.telemetry import import_silenced

onnxruntime = import_silenced("onnxruntime")


class Head(Protocol):
    """Gives logits of what a decoder's graph returns."""

    def logits(self, rows: Float32) -> Float32:
        """Returns the logits of some places, float32 [places, vocabulary]; the next call may write
        there as well.

        Args:
            rows: last output of the decoder's graph, float32 [places, width].

        Raises:
            EngineError: ONNX Runtime broke.
        """


class JoinedHead:
    """The head of a decoder whose graph returns logits already."""

    def logits(self, rows: Float32) -> Float32:
        """Implements `Head.logits`."""
        return rows


class HeadApart:
    """A head with a graph of its own, and the memory that it reads and writes."""

    def __init__(self, session: Any) -> None:
        """Takes the head's session, as `open_session` returns it."""
        self._session = session
        self._binding = session.io_binding()
        self._options = run_options()
        self._hidden = np.empty((1, 0, session.get_inputs()[0].shape[-1]), np.float32)
        self._logits = np.empty((1, 0, session.get_outputs()[0].shape[-1]), np.float32)

    def logits(self, rows: Float32) -> Float32:
        """Implements `Head.logits`; `rows` are hidden ones, float32 [places, hidden]."""
        if len(rows) != self._hidden.shape[1]:
            self._hidden = np.empty((1, *rows.shape), np.float32)
            self._logits = np.empty((1, len(rows), self._logits.shape[2]), np.float32)
            value = onnxruntime.OrtValue.ortvalue_from_numpy
            self._binding.bind_ortvalue_input("hidden", value(self._hidden))
            self._binding.bind_ortvalue_output("logits", value(self._logits))
        self._hidden[0] = rows
        try:
            self._session.run_with_iobinding(self._binding, self._options)
        except Exception as error:  # its own classes, which derive from nothing else
            raise EngineError(f"ONNX Runtime failed ({error}); open the model again") from error
        found: Float32 = self._logits[0]
        return found


def is_head_apart(folder: Path) -> bool:
    """Tells whether the head of a model has a graph of its own in its folder."""
    return model_path(folder, OUTPUT_HEAD).exists()


def open_head(folder: Path, decoder: Any, threads: int) -> Head:
    """Loads the head of a model.

    Args:
        folder: as `write_onnx_folder` has filled it.
        decoder: the session of the decoder's graph in it.
        threads: threads that share each operator.

    Raises:
        EngineUnavailable: ONNX Runtime cannot load it here.
    """
    if decoder.get_outputs()[-1].name == "logits":
        return JoinedHead()
    return HeadApart(open_session(model_path(folder, OUTPUT_HEAD), threads))


class Places:
    """The last places of a pass, until the next pass; logits are computed when they are needed."""

    def __init__(self, rows: Float32, head: Head, *, is_plain: bool = False) -> None:
        """Takes what a pass gave.

        Args:
            rows: last output of the decoder's graph, float32 [places, width].
            head: computes the logits.
            is_plain: whether the whole text up to the last place is ASCII.
        """
        self.rows = rows
        self.is_plain = is_plain
        self._head = head

    @property
    def has_logits(self) -> bool:
        """Tells whether the logits are computed."""
        return "logits" in self.__dict__

    @cached_property
    def logits(self) -> Float32:
        """Logits after each place, float32 [places, vocabulary]."""
        return self._head.logits(self.rows)
