"""The likeliest id without the whole output head: all ids in 4 bits, the best few in 8.

A head of 150,000 ids is a quarter of the work of an id.  Four bits of it, half of the memory that
is read, tell within a few tenths which logits are large; those of the best ids are then computed
from the rows of the 8-bit head, with its rounding of the input, so that they are its own.  Ids that
stand for other characters than ASCII, a third of such a vocabulary, are looked at only where the
text has some already or nothing else is likely.

What comes back is the greedy choice and its probability.  Whoever asks for logits of other ids, to
sample, to score or to spell a forced text, gets those of the whole head.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from model_runtime.engines.artifact_cache import artifact_folder
from model_runtime.engines.numpy_sampling import Draws, pick
from model_runtime.engines.onnx.block_quantization import (
    Blocks,
    QuantisedMatrix,
    quantise_blocks,
)
from model_runtime.engines.onnx.file import CONTRIB, OnnxFile, model_path
from model_runtime.engines.onnx.matrices import ACCURACY_LEVEL
from model_runtime.engines.onnx.session import open_session, run_options
from model_runtime.engines.protocol import GeneratedToken, SamplingParams
from model_runtime.errors import EngineError
from model_runtime.models.bundle import ModelBundle
from model_runtime.models.decoder import EMBEDDING, HEAD
from model_runtime.models.tensors import Int8Matrix
from model_runtime.models.weights import Array, Float32, dequantise_rows
from model_runtime.telemetry import import_silenced

onnxruntime = import_silenced("onnxruntime")

COUNT = 64
"""Ids of each part whose logits come from 8 bits; the likeliest was never below the tenth."""
_SCREEN = Blocks(4, 128)
_UNSURE = 0.3
"""Probability of the likeliest plain id below which the others are looked at as well."""
_PLAIN, _OTHER = "plain", "other"
_PARTS, _ROWS, _SCALE = "is_other.npy", "rows.npy", "scale.npy"
_NUM_ROWS = 2**14
"""Rows that are rounded at a time."""
_GREEDY = SamplingParams(1, frozenset())


class _Part:
    """Some ids of the head in 4 bits, and the memory that it reads and writes."""

    def __init__(self, session: Any, hidden: Float32, logits: Float32) -> None:
        self._session = session
        self._options = run_options()
        self._binding = session.io_binding()
        self._best = np.empty((1, session.get_outputs()[1].shape[-1]), np.int64)
        self.logits = logits
        value = onnxruntime.OrtValue.ortvalue_from_numpy
        self._values = [value(hidden), value(logits), value(self._best)]
        self._binding.bind_ortvalue_input("hidden", self._values[0])
        self._binding.bind_ortvalue_output("logits", self._values[1])
        self._binding.bind_ortvalue_output("best", self._values[2])

    def run(self) -> Array:
        """Computes the logits; returns the places of the largest of them, int64 [COUNT]."""
        try:
            self._session.run_with_iobinding(self._binding, self._options)
        except Exception as error:  # its own classes, which derive from nothing else
            raise EngineError(f"ONNX Runtime failed ({error}); open the model again") from error
        best: Array = self._best[0]
        return best


class Shortlist:
    """Picks greedily; one caller at a time."""

    def __init__(self, folder: Path, threads: int, columns: int) -> None:
        """Loads what `write_shortlist` has written.

        Args:
            folder: has the graphs.
            threads: threads that share each operator.
            columns: columns of its input that the whole head rounds with one step.

        Raises:
            EngineUnavailable: ONNX Runtime cannot load it here.
        """
        is_other: Array = np.load(folder / _PARTS)
        # Few of its rows are read, so they stay in the file.
        matrix = Int8Matrix(np.load(folder / _ROWS, mmap_mode="r"), np.load(folder / _SCALE))
        self._ids = np.concatenate([np.flatnonzero(~is_other), np.flatnonzero(is_other)])
        self._is_other = is_other
        self._columns = columns
        self._matrix = matrix
        self._hidden = np.empty((1, matrix.stored.shape[1]), np.float32)
        logits = np.empty((1, len(is_other)), np.float32)
        num_plain = len(is_other) - int(is_other.sum())
        sessions = [open_session(model_path(folder, name), threads) for name in (_PLAIN, _OTHER)]
        ranges = (logits[:, :num_plain], logits[:, num_plain:])
        self._plain, self._other = (
            _Part(session, self._hidden, own) for session, own in zip(sessions, ranges, strict=True)
        )
        self._logits = logits[0]
        self._num_plain = num_plain

    def other_places(self, start: int, ids: Sequence[int]) -> list[int]:
        """Returns the places of ids that are not plain, the first of which is at `start`."""
        found: list[int] = np.flatnonzero(self._is_other[np.asarray(ids)]).tolist()
        return [start + place for place in found]

    def pick(self, hidden: Float32, *, is_plain: bool) -> GeneratedToken:
        """Returns the likeliest id.

        Args:
            hidden: what the head reads of the place, float32 [hidden].
            is_plain: whether the text so far is ASCII.

        Raises:
            EngineError: ONNX Runtime broke.
        """
        self._hidden[0] = hidden
        rounded = _rounded(hidden, self._columns)
        self._look(self._plain, 0, rounded)
        if is_plain:
            token = self._likeliest(self._num_plain)
            if np.exp(token.logprob) >= _UNSURE:
                return token
        self._look(self._other, self._num_plain, rounded)
        return self._likeliest(len(self._logits))

    def _look(self, part: _Part, start: int, rounded: Float32) -> None:
        places = start + part.run()
        ids = self._ids[places]
        rows = self._matrix.stored[ids].astype(np.float32)
        self._logits[places] = (rows @ rounded) * self._matrix.scale[ids]

    def _likeliest(self, end: int) -> GeneratedToken:
        token = pick(self._logits[:end], _GREEDY, Draws(0))
        return token._replace(id=int(self._ids[token.id]))


def _rounded(hidden: Float32, columns: int) -> Float32:
    """Rounds as the 8-bit head does: to 127 steps of the largest amount of so many columns."""
    padded = np.pad(hidden, (0, -len(hidden) % columns)).reshape(-1, columns)
    step = np.abs(padded).max(axis=1, keepdims=True) / np.float32(127)
    rounded: Float32 = np.rint(padded / np.where(step > 0, step, 1)) * step
    return rounded.reshape(-1)[: len(hidden)]


def open_shortlist(
    bundle: ModelBundle, threads: int, *, columns: int, anew: bool = False
) -> Shortlist | None:
    """Derives the shortlist of a bundle, where that is not done yet, and loads it.

    Args:
        bundle: the model.
        threads: threads that share each operator.
        columns: columns of its input that the whole head rounds with one step.
        anew: derives it also where there is one, because that cannot be loaded.

    Returns:
        None for a model whose head is not in 8 bits or squashes its logits, or whose vocabulary is
        almost all of one kind.

    Raises:
        BundleError: the weights are damaged.
        EngineUnavailable: ONNX Runtime cannot load it here.
    """

    def build(target: Path) -> None:
        spec, tensors = bundle.manifest.decoder, bundle.open_weights()
        name = EMBEDDING if spec.tied else HEAD
        if tensors.is_int8(name) and spec.logit_softcap is None:
            write_shortlist(tensors.int8(name), _is_other(bundle), target)

    folder = artifact_folder(
        bundle,
        kind="onnx-shortlist",
        version=onnxruntime.__version__,
        build=build,
        anew=anew,
    )
    return Shortlist(folder, threads, columns) if model_path(folder, _PLAIN).exists() else None


def write_shortlist(head: Int8Matrix, is_other: Array, target: Path) -> None:
    """Fills `target` with a graph for plain ids and one for the others.

    inputs    hidden float32 [1, hidden]
    outputs   logits float32 [1, ids]; best int64 [1, COUNT], the places of the largest

    Args:
        head: its matrix, [vocabulary, hidden].
        is_other: bool [vocabulary], False for plain ids.
        target: an empty folder; gets no graph where either kind of ids is too rare.
    """
    if min(int(is_other.sum()), int((~is_other).sum())) < COUNT:
        return
    for name, array in ((_PARTS, is_other), (_ROWS, head.stored), (_SCALE, head.scale)):
        np.save(target / name, array)
    for graph, chosen in ((_PLAIN, ~is_other), (_OTHER, is_other)):
        stored, scales = _in_four_bits(head, np.flatnonzero(chosen))
        columns = head.stored.shape[1]
        with OnnxFile(target, graph) as file:
            hidden = file.input("hidden", "float32", [1, columns])
            logits = file.node(
                "MatMulNBits",
                [hidden, file.constant("weights", stored), file.constant("scales", scales)],
                ["logits"],
                domain=CONTRIB,
                N=len(stored),
                K=columns,
                bits=_SCREEN.bits,
                block_size=_SCREEN.size,
                accuracy_level=ACCURACY_LEVEL,
            )
            count = file.integers("count", [COUNT])
            file.node("TopK", [logits, count], ["largest", "best"], sorted=0)
            file.output("logits", "float32", [1, len(stored)])
            file.output("best", "int64", [1, COUNT])


def _in_four_bits(head: Int8Matrix, ids: Array) -> QuantisedMatrix:
    """Rounds some rows, a few at a time: as floats all of them would take a lot of memory."""
    parts = [
        quantise_blocks(dequantise_rows(head.stored[some], head.scale[some]), _SCREEN)
        for some in np.split(ids, range(_NUM_ROWS, len(ids), _NUM_ROWS))
    ]
    return QuantisedMatrix(*map(np.concatenate, zip(*parts, strict=True)))


def _is_other(bundle: ModelBundle) -> Array:
    """Returns which ids stand for text that is not ASCII, or for nothing, bool [vocabulary]."""
    texts = bundle.tokenizer.token_texts.texts
    other = np.ones(bundle.manifest.decoder.vocab, bool)
    # A sentinel has no text; the one that ends an answer is as likely as any word.
    other[: len(texts)] = [not text.isascii() for text in texts]
    return other
