"""Runs a bundle with ONNX Runtime: several times as fast per key on CPUs as CTranslate2.

The graph is ours (`onnx.folder`) and computes in float32 with weights in blocks of 8 bits.  Prefix
reuse, passes and drafts are those of `slot_engine`.  A thread watches the cancel flag while a
prompt runs, so that a prefill is interrupted within a node of the graph; what was finished is kept.
A seed makes sampling reproducible.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np

from model_runtime.engines.artifact_cache import artifact_folder
from model_runtime.engines.kind import EngineOptions
from model_runtime.engines.numpy_sampling import Draws, pick, score
from model_runtime.engines.onnx.file import DECODER, model_path
from model_runtime.engines.onnx.head import Head, Places, open_head
from model_runtime.engines.onnx.session import Buffers, cancellable, open_session, run_options
from model_runtime.engines.protocol import GeneratedToken, SamplingParams, ScoredToken
from model_runtime.engines.slot_engine import SlotEngine
from model_runtime.engines.slot_passes import Passes
from model_runtime.engines.speculative import drafting_of
from model_runtime.engines.threads import usable_threads
from model_runtime.errors import EngineError, EngineUnavailable
from model_runtime.models.bundle import ModelBundle
from model_runtime.models.decoder import DecoderSpec
from model_runtime.models.weights import Float32
from model_runtime.telemetry import import_silenced

onnxruntime = import_silenced("onnxruntime")

DEFAULT_KIND = "int8-128"
"""Number type for bundles with int8 weights."""
_CACHE_BYTES = 96 * 2**20
_MAX_SLOTS = 16
_MAX_THREADS = 8
_WATCHED = 16
"""Prompts with fewer ids to run are over before a thread could watch them."""


class OnnxPasses(Passes[Buffers, Places]):
    """Passes of the graphs that ONNX Runtime has loaded."""

    def __init__(self, session: Any, head: Head, spec: DecoderSpec, context_length: int) -> None:
        """Takes a loaded model.

        Args:
            session: the decoder, as `open_session` returns it.
            head: gives the logits of what the decoder returns.
            spec: the shape of the model.
            context_length: most ids that a text may have.
        """
        self.session = session
        self._head = head
        self._spec, self._context_length = spec, context_length
        self._options = run_options()

    def new_text(self) -> Buffers:
        """Implements `Passes.new_text`."""
        return Buffers(self.session, self._spec, self._context_length)

    def copy(self, target: Buffers, source: Buffers, count: int) -> None:
        """Implements `Passes.copy`."""
        target.copy(source, count)

    def cancellable(self, cancel: threading.Event, *, num_ids: int) -> AbstractContextManager[Any]:
        """Implements `Passes.cancellable`."""
        return cancellable(cancel, watched=num_ids >= _WATCHED)

    def run(
        self, text: Buffers, start: int, ids: Sequence[int], options: Any = None, kept: int = 1
    ) -> Places:
        """Implements `Passes.run`; the head is not run before its logits are asked for."""
        rows = text.bind(start, ids, kept)
        try:
            self.session.run_with_iobinding(text.binding, options or self._options)
        except Exception as error:  # its own classes, which derive from nothing else
            raise EngineError(f"ONNX Runtime failed ({error}); open the model again") from error
        return Places(rows, self._head)

    def pick(
        self, logits: Places, row: int, sampling: SamplingParams, random: Draws
    ) -> GeneratedToken:
        """Implements `Passes.pick`."""
        return pick(logits.logits[row], sampling, random)

    def row(self, logits: Places, row: int) -> Float32:
        """Implements `Passes.row`."""
        copied: Float32 = logits.logits[row].copy()
        return copied

    def score(self, logits: Places, ids: Sequence[int]) -> list[ScoredToken]:
        """Implements `Passes.score`."""
        return score(logits.logits, np.array(ids))

    def close(self) -> None:
        """Implements `Passes.close`."""
        self.session = None
        del self._head


class OnnxEngine(SlotEngine[Buffers, Places]):
    """An engine for processors; the module's description says what is particular to it."""

    name = "onnx"

    def __init__(
        self,
        folder: Path,
        spec: DecoderSpec,
        context_length: int,
        *,
        threads: int = 0,
        cache_bytes: int = _CACHE_BYTES,
    ) -> None:
        """Loads a folder.

        Args:
            folder: as `onnx.folder` writes it.
            spec: of the decoder in it.
            context_length: most ids that prompt and answer may have together.
            threads: 0 chooses.
            cache_bytes: memory for the keys and values of texts; one whole context at the least.

        Raises:
            EngineUnavailable: ONNX Runtime cannot load it here.
        """
        number = usable_threads(threads, _MAX_THREADS)
        session = open_session(model_path(folder, DECODER), number)
        head = open_head(folder, session, number)
        num_slots = cache_bytes // (context_length * spec.kv_bytes_per_token())
        super().__init__(
            OnnxPasses(session, head, spec, context_length),
            context_length,
            spec.vocab,
            num_slots=min(_MAX_SLOTS, max(1, num_slots)),
            drafting=drafting_of(self.name, spec.count_parameters()),
        )

    @classmethod
    def open(
        cls,
        bundle: ModelBundle,
        *,
        device: str = "cpu",
        threads: int = 0,
        kind: str | None = None,
        cache_bytes: int = _CACHE_BYTES,
    ) -> OnnxEngine:
        """Derives the graph of a bundle, where that is not done yet, and loads it.

        Args:
            bundle: the model.
            device: "cpu", or "auto" for the same.
            threads: 0 chooses.
            kind: one of `onnx.folder.KINDS`; by default 8 bits if the bundle's weights are int8.
            cache_bytes: memory for the keys and values of texts.

        Raises:
            BundleError: the weights are damaged.
            EngineUnavailable: ONNX Runtime cannot load it here.
        """
        if device == "cuda":
            raise EngineUnavailable(
                "the engine onnx runs on processors only; set device to cpu, or engine to torch"
            )
        manifest = bundle.manifest
        chosen = kind or (DEFAULT_KIND if manifest.weights.dtype == "int8" else "float32")

        def build(folder: Path) -> None:
            from model_runtime.engines.onnx.folder import write_onnx_folder

            write_onnx_folder(bundle, folder, chosen)

        def load(*, anew: bool) -> OnnxEngine:
            version = onnxruntime.__version__
            folder = artifact_folder(
                bundle, kind=f"onnx-{chosen}", version=version, build=build, anew=anew
            )
            return cls(
                folder,
                manifest.decoder,
                manifest.context_length,
                threads=threads,
                cache_bytes=cache_bytes,
            )

        try:
            return load(anew=False)
        except EngineUnavailable:  # the files may have been damaged since they were written
            return load(anew=True)


def open_model(bundle: ModelBundle, options: EngineOptions) -> OnnxEngine:
    """Opens a bundle for the registry; raises what `OnnxEngine.open` does."""
    return OnnxEngine.open(bundle, device=options.device, threads=options.threads)
