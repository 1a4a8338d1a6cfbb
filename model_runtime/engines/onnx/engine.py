"""Runs a bundle with ONNX Runtime: several times as fast per key on CPUs as CTranslate2.

The graph is ours (`onnx.folder`) and computes in float32 with weights of 8 bits.  A large model may
have two forms of them, one to read with and one to write with (`onnx.forms`), and a shortlist of
its output head (`onnx.shortlist`).  Prefix reuse and passes are those of `slot_engine`.  A thread
watches the cancel flag while a prompt runs, so that a prefill is interrupted within a node of the
graph; what was finished is kept.  A seed makes sampling reproducible.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from model_runtime.engines import huge_pages
from model_runtime.engines.abilities import WeightForms
from model_runtime.engines.kept_budget import kept_budget
from model_runtime.engines.kind import EngineOptions
from model_runtime.engines.numpy_sampling import Draws, pick, score
from model_runtime.engines.onnx.file import DECODER, model_path
from model_runtime.engines.onnx.forms import Forms, chosen_forms, form_folder, forms_file
from model_runtime.engines.onnx.head import Head, Places, is_head_apart, open_head
from model_runtime.engines.onnx.matrices import columns_of_a_step
from model_runtime.engines.onnx.session import Buffers, cancellable, open_session, run_options
from model_runtime.engines.onnx.shortlist import Shortlist, open_shortlist
from model_runtime.engines.protocol import GeneratedToken, SamplingParams, ScoredToken
from model_runtime.engines.slot_engine import SlotEngine
from model_runtime.engines.slot_passes import Passes
from model_runtime.engines.threads import usable_threads
from model_runtime.errors import EngineError, EngineUnavailable
from model_runtime.models.bundle import ModelBundle
from model_runtime.models.decoder import DecoderSpec
from model_runtime.models.weights import Float32

_MAX_THREADS = 8
_SHORT = 16
"""Passes of fewer ids take about as long as one of a single id."""
_WATCHED_SECONDS = 0.01
"""Passes that are over sooner need no thread that watches the flag."""


class Reading(NamedTuple):
    """A second form of a decoder."""

    session: Any
    """Session of its graph, as `open_session` returns it."""
    least: int
    """Ids of the shortest pass that it runs."""


class OnnxPasses(Passes[Buffers, Places]):
    """Passes of the graphs that ONNX Runtime has loaded."""

    def __init__(
        self,
        session: Any,
        head: Head,
        spec: DecoderSpec,
        *,
        reading: Reading | None = None,
        shortlist: Shortlist | None = None,
    ) -> None:
        """Takes a loaded model.

        Args:
            session: the decoder, as `open_session` returns it.
            head: gives the logits of what the decoder returns.
            spec: the shape of the model.
            reading: runs long passes; None where the first session runs them, too.
            shortlist: picks greedily in place of the head; None for the head alone.
        """
        self.session = session
        self._reading: Any = reading
        self._shortlist = shortlist
        self.row_bytes = spec.kv_bytes_per_token()
        self._head: Any = head
        self._spec = spec
        self._options = run_options()
        self._short_seconds = 0.0
        """Time of the last pass of few ids."""

    def new_text(self, rows: int) -> Buffers:
        """Implements `Passes.new_text`."""
        sessions = [self.session, self._reading.session] if self._reading else [self.session]
        return Buffers(sessions, self._spec, rows)

    def resize(self, text: Buffers, rows: int, kept: int) -> None:
        """Implements `Passes.resize`."""
        text.resize(rows, kept)

    def copy(self, target: Buffers, source: Buffers, count: int) -> None:
        """Implements `Passes.copy`."""
        target.copy(source, count)
        target.other_places = [place for place in source.other_places if place < count]

    def cancellable(self, cancel: threading.Event, *, num_ids: int) -> AbstractContextManager[Any]:
        """Implements `Passes.cancellable`."""
        is_long = num_ids >= _SHORT or self._short_seconds > _WATCHED_SECONDS
        return cancellable(cancel, watched=is_long)

    def run(
        self, text: Buffers, start: int, ids: Sequence[int], options: Any = None, kept: int = 1
    ) -> Places:
        """Implements `Passes.run`; the head is not run before its logits are asked for."""
        rows = text.bind(start, ids, kept)
        session, binding = self.session, text.bindings[0]
        if self._reading is not None and len(ids) >= self._reading.least:
            session, binding = self._reading.session, text.bindings[1]
        started = time.perf_counter()
        try:
            session.run_with_iobinding(binding, options or self._options)
        except Exception as error:  # its own classes, which derive from nothing else
            raise EngineError(f"ONNX Runtime failed ({error}); open the model again") from error
        if len(ids) < _SHORT:
            self._short_seconds = time.perf_counter() - started
        return Places(rows, self._head, is_plain=self._is_plain(text, start, ids))

    def _is_plain(self, text: Buffers, start: int, ids: Sequence[int]) -> bool:
        if self._shortlist is None:
            return False
        text.other_places = [
            *(place for place in text.other_places if place < start),
            *self._shortlist.other_places(start, ids),
        ]
        return not text.other_places

    def pick(
        self, logits: Places, row: int, sampling: SamplingParams, random: Draws
    ) -> GeneratedToken:
        """Implements `Passes.pick`."""
        if self._shortlist and sampling.temperature <= 0 and not logits.has_logits:
            return self._shortlist.pick(logits.rows[row], is_plain=logits.is_plain)
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
        self._reading = self._head = self._shortlist = None


class OnnxEngine(SlotEngine[Buffers, Places]):
    """An engine for processors; the module's description says what is particular to it."""

    name = "onnx"

    def __init__(
        self,
        folder: Path,
        spec: DecoderSpec,
        context_length: int,
        *,
        forms: Forms,
        reading: Path | None = None,
        shortlist: Shortlist | None = None,
        threads: int = 0,
        kept_bytes: int | None = None,
    ) -> None:
        """Loads a folder.

        Args:
            folder: as `onnx.folder` writes it.
            spec: of the decoder in it.
            context_length: most ids that prompt and answer may have together.
            forms: names what is in the folders.
            reading: folder of the second form, where there is one.
            shortlist: of the same model; None for the whole head at each id.
            threads: 0 chooses.
            kept_bytes: memory for what has been read of texts; None fits it to this machine.

        Raises:
            EngineUnavailable: ONNX Runtime cannot load it here.
        """
        number = usable_threads(threads, _MAX_THREADS, weights=spec.count_parameters())
        session = open_session(model_path(folder, DECODER), number)
        second = None
        if reading is not None:
            second = Reading(open_session(model_path(reading, DECODER), number), forms.reading_from)
        head = open_head(folder, session, number)
        passes = OnnxPasses(session, head, spec, reading=second, shortlist=shortlist)
        super().__init__(
            passes,
            context_length,
            spec.vocab,
            kept_bytes=kept_budget(passes.row_bytes, kept_bytes),
            id_seconds=forms.id_seconds,
        )
        self.weight_forms = WeightForms(
            forms.writing, forms.reading or forms.writing, has_shortlist=shortlist is not None
        )
        """Implements `FormChooser.weight_forms`."""
        self._chosen_by: Path | None = None
        """File with the times by which the forms were chosen."""
        huge_pages.move_soon()

    @classmethod
    def open(
        cls,
        bundle: ModelBundle,
        *,
        device: str = "cpu",
        threads: int = 0,
        kind: str | None = None,
        is_exact: bool = False,
        kept_bytes: int | None = None,
    ) -> OnnxEngine:
        """Derives the graph of a bundle, where that is not done yet, and loads it.

        Args:
            bundle: the model.
            device: "cpu", or "auto" for the same.
            threads: 0 chooses.
            kind: one of `onnx.matrices.KINDS`; by default 8 bits if the bundle's weights are int8,
                in the forms that are fastest here.
            is_exact: computes the whole output head for each id, also where a shortlist would do.
            kept_bytes: memory for what has been read of texts; None fits it to this machine.

        Raises:
            BundleError: the weights are damaged.
            EngineUnavailable: ONNX Runtime cannot load it here.
        """
        if device == "cuda":
            raise EngineUnavailable(
                "the engine onnx runs on processors only; set device to cpu, or engine to torch"
            )
        manifest = bundle.manifest
        weights = manifest.decoder.count_parameters()
        number = usable_threads(threads, _MAX_THREADS, weights=weights)
        if kind is None and manifest.weights.dtype == "int8":
            forms = chosen_forms(bundle, number)
        else:
            forms = Forms(kind or "float32")

        def load(*, anew: bool) -> OnnxEngine:
            reading, shortlist = None, None
            if forms.reading:
                reading = form_folder(bundle, forms.reading, anew=anew)
            folder = form_folder(bundle, forms.writing, anew=anew)
            columns = columns_of_a_step(forms.writing, manifest.decoder.hidden)
            if columns and not is_exact and is_head_apart(folder):
                shortlist = open_shortlist(bundle, number, columns=columns, anew=anew)
            return cls(
                folder,
                manifest.decoder,
                manifest.context_length,
                forms=forms,
                reading=reading,
                shortlist=shortlist,
                threads=number,
                kept_bytes=kept_bytes,
            )

        try:
            engine = load(anew=False)
        except EngineUnavailable:  # the files may have been damaged since they were written
            engine = load(anew=True)
        engine._chosen_by = forms_file(bundle, number)
        return engine

    def forget_choice(self) -> None:
        """Implements `FormChooser.forget_choice`."""
        if self._chosen_by is not None:
            with suppress(OSError):
                self._chosen_by.unlink(missing_ok=True)


def open_model(bundle: ModelBundle, options: EngineOptions) -> OnnxEngine:
    """Opens a bundle for the registry; raises what `OnnxEngine.open` does."""
    return OnnxEngine.open(
        bundle, device=options.device, threads=options.threads, kept_bytes=options.kept_bytes
    )
