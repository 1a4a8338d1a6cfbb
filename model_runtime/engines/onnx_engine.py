"""Runs a bundle with ONNX Runtime: several times as fast per key on CPUs as CTranslate2.

The graph is ours (`onnx_folder`) and computes in float32 with weights in blocks of 8 bits.  KV
state lies in slots of whole contexts (`slots`), which are read and written in place: a text that
begins as a held one costs only what follows, and gives the tokens of a fresh engine.  Prompts run
in passes of some hundred ids, and a thread watches the cancel flag meanwhile, so that a prefill is
interrupted within a node of the graph; what was finished is kept.  A seed makes sampling
reproducible.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from model_runtime.bundle import ModelBundle
from model_runtime.derived import derived_folder
from model_runtime.engine import (
    GeneratedToken,
    SamplingParams,
    ScoredToken,
    TokenStream,
    check_fits,
    check_scorable,
)
from model_runtime.engines.numpy_sampling import Draws, pick, score
from model_runtime.engines.onnx_session import Buffers, cancellable, open_session, run_options
from model_runtime.engines.prefix import common_prefix
from model_runtime.engines.slots import Slots
from model_runtime.engines.threads import usable_threads
from model_runtime.errors import EngineError, EngineUnavailable
from model_runtime.neox import Architecture
from model_runtime.weights import Float32

DEFAULT_KIND = "int8-128"
"""Of bundles with int8 weights."""
PASS = 128
"""Most ids of a prompt that run at once."""

_CACHE_BYTES = 96 * 2**20
_MOST_SLOTS = 16
_MOST_THREADS = 8
_WATCHED = 16
"""Prompts with fewer ids to run are over before a thread could watch them."""


class OnnxEngine:
    """An `Engine`; see the module for what is particular to it."""

    name = "onnx"

    def __init__(
        self,
        folder: Path,
        architecture: Architecture,
        context_length: int,
        *,
        threads: int = 0,
        cache_bytes: int = _CACHE_BYTES,
    ) -> None:
        """Load a folder.

        Args:
            folder: as `onnx_folder` writes it.
            architecture: of the model in it.
            context_length: most ids that prompt and answer may have together.
            threads: 0 chooses.
            cache_bytes: memory for the keys and values of texts; one whole context at the least.

        Raises:
            EngineUnavailable: ONNX Runtime cannot load it here.
        """
        self.context_length = context_length
        self._architecture = architecture
        self._session: Any = open_session(folder, usable_threads(threads, _MOST_THREADS))
        slots = cache_bytes // architecture.kv_bytes(context_length)
        self._slots = Slots(min(_MOST_SLOTS, max(1, slots)))
        self._buffers: list[Buffers] = []

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
        """Derive the graph of a bundle, where that is not done yet, and load it.

        Args:
            bundle: the model.
            device: "cpu", or "auto" for the same.
            threads: 0 chooses.
            kind: one of `onnx_folder.KINDS`; by default 8 bits if the bundle's weights are int8.
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
            from model_runtime.engines.onnx_folder import write_onnx_folder

            write_onnx_folder(bundle, folder, chosen)

        def load(*, anew: bool) -> OnnxEngine:
            version = onnxruntime.__version__
            folder = derived_folder(
                bundle, kind=f"onnx-{chosen}", version=version, build=build, anew=anew
            )
            return cls(
                folder,
                manifest.architecture,
                manifest.context_length,
                threads=threads,
                cache_bytes=cache_bytes,
            )

        try:
            return load(anew=False)
        except EngineUnavailable:  # the files may have been damaged since they were written
            return load(anew=True)

    def generate(
        self, prompt: Sequence[int], sampling: SamplingParams, cancel: threading.Event | None = None
    ) -> TokenStream:
        """As `Engine.generate`; cancelling also interrupts a prefill."""
        check_fits(prompt, sampling, self.context_length)
        ids = list(prompt)
        self._check_known(ids)
        tokens = self._tokens(ids, sampling, cancel or threading.Event())
        return TokenStream(tokens, cached_tokens=self._slots.plan(ids).shared)

    def generate_batch(
        self,
        prompts: Sequence[Sequence[int]],
        sampling: SamplingParams,
        seeds: Sequence[int | None] | None = None,
    ) -> list[list[GeneratedToken]]:
        """As `Engine.generate_batch`, one after another: this graph has a batch of one."""
        for prompt in prompts:
            check_fits(prompt, sampling, self.context_length)
            self._check_known(prompt)
        self._check_open()
        buffers, held, never = self._new_buffers(), list[int](), threading.Event()
        answers = []
        for ids, seed in zip(prompts, seeds or [sampling.seed] * len(prompts), strict=True):
            del held[min(common_prefix(held, ids), len(ids) - 1) :]
            random = Draws(seed)
            answers.append(list(self._continued(buffers, held, list(ids), sampling, random, never)))
        return answers

    def logprobs(self, ids: Sequence[int]) -> list[ScoredToken]:
        """As `Engine.logprobs`; no slot is used."""
        check_scorable(ids, self.context_length)
        self._check_known(ids)
        self._check_open()
        buffers, options = self._new_buffers(), run_options()
        scored: list[ScoredToken] = []
        for start in range(0, len(ids) - 1, PASS):
            part = ids[start : min(start + PASS, len(ids) - 1)]
            logits = self._run(buffers, start, part, options, kept=len(part))
            scored += score(logits, np.array(ids[start + 1 : start + 1 + len(part)]))
        return scored

    def close(self) -> None:
        """As `Engine.close`."""
        self._session = None
        self._buffers.clear()
        self._slots = Slots(1)

    def _check_known(self, ids: Sequence[int]) -> None:
        if not 0 <= min(ids) <= max(ids) < self._architecture.vocab:
            raise EngineError(
                f"the prompt has an id outside of the vocabulary of {self._architecture.vocab}"
            )

    def _check_open(self) -> None:
        if self._session is None:
            raise EngineError("the engine is closed; open a new one")

    def _new_buffers(self) -> Buffers:
        return Buffers(self._session, self._architecture, self.context_length)

    def _tokens(
        self, ids: list[int], sampling: SamplingParams, cancel: threading.Event
    ) -> Generator[GeneratedToken, None, None]:
        self._check_open()
        plan = self._slots.plan(ids)
        if plan.slot == len(self._buffers):
            self._buffers.append(self._new_buffers())
        if plan.slot != plan.source:
            self._buffers[plan.slot].copy(self._buffers[plan.source], plan.shared)
        held = self._slots.take(plan, ids)
        random = Draws(sampling.seed)
        yield from self._continued(self._buffers[plan.slot], held, ids, sampling, random, cancel)

    def _continued(
        self,
        buffers: Buffers,
        held: list[int],
        ids: list[int],
        sampling: SamplingParams,
        random: Draws,
        cancel: threading.Event,
    ) -> Generator[GeneratedToken, None, None]:
        """Decode after `ids`, of which `buffers` hold the first ones already.

        Args:
            buffers: belong to this text.
            held: the ids that they hold; grows after each pass, so that it is true at any time.
            ids: the prompt; at least one more than `held`.
            sampling: as in `generate`.
            random: draws are from here.
            cancel: ends the passes as well.
        """
        if sampling.max_tokens < 1:
            return
        logits = self._prefill(buffers, held, ids, cancel)
        options = run_options()
        for place in range(sampling.max_tokens):
            if logits is None or cancel.is_set():
                return
            token = pick(logits, sampling, random)
            yield token
            if token.id in sampling.stop_ids or place + 1 == sampling.max_tokens:
                return
            if cancel.is_set():
                return
            self._check_open()
            logits = self._run(buffers, len(held), [token.id], options)[-1]
            held.append(token.id)

    def _prefill(
        self, buffers: Buffers, held: list[int], ids: list[int], cancel: threading.Event
    ) -> Float32 | None:
        """Run what is not held; the logits after the last id, or None where it was cancelled."""
        logits = None
        with cancellable(cancel, watched=len(ids) - len(held) >= _WATCHED) as options:
            while len(held) < len(ids) and not cancel.is_set():
                part = ids[len(held) : len(held) + PASS]
                try:
                    logits = self._run(buffers, len(held), part, options)[-1]
                except EngineError:
                    if cancel.is_set():  # the rows of this pass are none of `held`
                        return None
                    raise
                held += part
        return logits

    def _run(
        self, buffers: Buffers, start: int, ids: Sequence[int], options: Any, kept: int = 1
    ) -> Float32:
        """One pass over `ids`, the first of which is at `start`; logits [kept, vocabulary]."""
        logits = buffers.bind(start, ids, kept)
        try:
            self._session.run_with_iobinding(buffers.binding, options)
        except Exception as error:  # its own classes, which derive from nothing else
            raise EngineError(f"ONNX Runtime failed ({error}); open the model again") from error
        return logits
