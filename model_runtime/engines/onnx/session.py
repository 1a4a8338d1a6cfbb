"""A graph loaded by ONNX Runtime, the memory that it reads and writes, and how to stop a pass."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from model_runtime.errors import EngineUnavailable
from model_runtime.models.decoder import DecoderSpec
from model_runtime.models.weights import Float32
from model_runtime.telemetry import import_silenced

onnxruntime = import_silenced("onnxruntime")

_POLL_SECONDS = 0.002
"""Seconds between two looks at the cancel flag during a prefill."""
_SILENT = 4
"""A log level; a pass that is cancelled would else be reported on standard error."""


class Buffers:
    """Keys and values of one text, and the small tensors of a pass, all bound to sessions once.

    ONNX Runtime reads and writes the memory of these numpy arrays.
    """

    def __init__(self, sessions: Sequence[Any], spec: DecoderSpec, capacity: int) -> None:
        """Reserves the rows of one text.

        Args:
            sessions: forms of one decoder, any of which may run the next pass.
            spec: the shape of the model.
            capacity: rows.

        Raises:
            MemoryError: there is not enough.
        """
        self.bindings = [session.io_binding() for session in sessions]
        """Inputs and outputs of each session."""
        asked = sessions[0].get_outputs()[-1]
        self._output, self._width = asked.name, asked.shape[-1]
        self._spec = spec
        self.other_places: list[int] = []
        """Places of ids that a shortlist of the output head leaves out."""
        self._bound: dict[str, Any] = {}
        self._position = self._input("position", np.zeros(1, np.int64))
        self._last = self._input("seqlens_k", np.zeros(1, np.int32))
        self._total = self._input("total", np.zeros((), np.int32))
        self._kept = self._input("rows_kept", np.zeros(1, np.int64))
        # Made anew where a pass has another size; most have the size of the last one.
        self._ids = np.empty((1, 0), np.int64)
        self._last_rows = np.empty((1, 0, self._width), np.float32)
        self._rows = self._bind_rows(capacity)

    def _bind_rows(self, capacity: int) -> Float32:
        """Returns new memory, [layers, 2, 1, kv_heads, capacity, head_dim], from now on in use."""
        spec = self._spec
        # Zeros take no memory before they are written.
        shape = (spec.layers, 2, 1, spec.kv_heads, capacity, spec.head_dim)
        rows: Float32 = np.zeros(shape, np.float32)
        for number in range(spec.layers):
            for place, kind in enumerate("kv"):
                self._input(f"past_{kind}{number}", rows[number, place])
                self._give(f"present_{kind}{number}", self._bound[f"past_{kind}{number}"])
        return rows

    def _input(self, name: str, array: Any) -> Any:
        self._bound[name] = onnxruntime.OrtValue.ortvalue_from_numpy(array)
        for binding in self.bindings:
            binding.bind_ortvalue_input(name, self._bound[name])
        return array

    def _give(self, output: str, value: Any) -> None:
        for binding in self.bindings:
            binding.bind_ortvalue_output(output, value)

    def bind(self, start: int, ids: Sequence[int], kept: int) -> Float32:
        """Prepares a pass over `ids` from position `start` on.

        Returns:
            Where it will write its last output of the last places, float32 [kept, width]; the next
            pass may write there as well.
        """
        total = start + len(ids)
        self._position[0], self._last[0], self._total[()] = start, total - 1, total
        self._kept[0] = kept
        if len(ids) != self._ids.shape[1]:
            self._ids = self._input("input_ids", np.empty((1, len(ids)), np.int64))
        self._ids[0] = ids
        if kept != self._last_rows.shape[1]:
            self._last_rows = np.empty((1, kept, self._width), np.float32)
            self._bound[self._output] = onnxruntime.OrtValue.ortvalue_from_numpy(self._last_rows)
            self._give(self._output, self._bound[self._output])
        rows: Float32 = self._last_rows[0]
        return rows

    def resize(self, capacity: int, kept: int) -> None:
        """Moves the first `kept` rows to memory of another size.

        Raises:
            MemoryError: there is not enough, and nothing has changed.
        """
        before = self._rows
        self._rows = self._bind_rows(capacity)
        self._rows[..., :kept, :] = before[..., :kept, :]

    def copy(self, other: Buffers, count: int) -> None:
        """Takes over the first `count` rows of another text."""
        self._rows[..., :count, :] = other._rows[..., :count, :]


@contextmanager
def cancellable(cancel: threading.Event, *, watched: bool) -> Iterator[Any]:
    """Yields options of passes that end when `cancel` is set, which raises a failure in them."""
    options = run_options()
    if not watched:
        yield options
        return
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_POLL_SECONDS):
            if cancel.is_set():
                options.terminate = True
                return

    watcher = threading.Thread(target=watch, name="onnx cancel", daemon=True)
    watcher.start()
    try:
        yield options
    finally:
        done.set()
        watcher.join()


def run_options() -> Any:
    """Returns options of passes that nobody stops."""
    options = onnxruntime.RunOptions()
    options.log_severity_level = _SILENT
    # What it is without being set: to look for an entry that is not there raises an exception in
    # ONNX Runtime at every pass, which took 70 microseconds of the 1,000 of a small model's token.
    options.add_run_config_entry("gpu_graph_id", "0")
    return options


def open_session(path: Path, threads: int) -> Any:
    """Loads a graph that an `OnnxFile` has written.

    Args:
        path: of the graph.
        threads: threads that share each operator.

    Raises:
        EngineUnavailable: ONNX Runtime cannot load it here.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = _SILENT
    # Threads that spin between two keys would take a core from the editor.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own classes, which derive from nothing else
        raise EngineUnavailable(
            f"ONNX Runtime cannot load {path} ({error}); set engine to ctranslate2"
        ) from error
