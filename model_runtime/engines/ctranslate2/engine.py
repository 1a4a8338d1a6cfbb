"""Runs a bundle with CTranslate2: the default on CPUs, and the lightest to install.

One worker thread decodes and hands tokens over through a queue.  A prefill cannot be interrupted;
cancelling and closing act at the next token.  KV state is reused through static prompts, see
`anchors`; since CTranslate2 never drops them, the model is loaded anew when they exceed a budget
(about 30 ms for 34 M parameters).

CTranslate2's seeds are not reproducible on a live model, so `SamplingParams.seed` is ignored here;
greedy decoding is deterministic.
"""

from __future__ import annotations

import importlib
import logging
import sys
import threading
import weakref
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

import ctranslate2

from model_runtime.engines.artifact_cache import artifact_folder
from model_runtime.engines.ctranslate2.static_prompts import Cut, StaticPrompts
from model_runtime.engines.known_logits import KnownLogits
from model_runtime.engines.protocol import (
    DraftCounts,
    GeneratedToken,
    SamplingParams,
    ScoredToken,
    TokenStream,
    check_fits,
    check_scorable,
)
from model_runtime.engines.threads import usable_threads
from model_runtime.errors import EngineError, EngineUnavailable
from model_runtime.models.bundle import ModelBundle
from model_runtime.models.decoder import DecoderSpec
from model_runtime.prompt.forced_text import ForcedText

if TYPE_CHECKING:
    from model_runtime.models.weights import Float32

logger = logging.getLogger(__name__)
T = TypeVar("T")

_MIN_CACHE_BYTES = 80 * 2**20
_MAX_THREADS = 4
"""More threads than this speed up neither prefill nor decoding of models this small."""


class _Cancelled(Exception):
    """The request was taken back in the middle of a spelling."""


class CTranslate2Engine:
    """An `Engine`; see the module for what is particular to it."""

    name = "ctranslate2"

    def __init__(
        self,
        folder: Path,
        spec: DecoderSpec,
        context_length: int,
        *,
        threads: int = 0,
        device: str = "cpu",
        cache_bytes: int | None = None,
    ) -> None:
        """Load a CTranslate2 folder.

        Args:
            folder: as `ctranslate2_folder` writes it.
            spec: tells how much memory a cached token takes.
            context_length: most ids that prompt and answer may have together.
            threads: 0 chooses.
            device: "cpu" or "cuda".
            cache_bytes: memory for cached prompts; at least one whole context by default.

        Raises:
            EngineUnavailable: CTranslate2 cannot load it here.
        """
        self.context_length = context_length
        self._vocab = spec.vocab
        self._model = _Model(folder, device, usable_threads(threads, _MAX_THREADS))
        if cache_bytes is None:
            cache_bytes = max(_MIN_CACHE_BYTES, context_length * spec.kv_bytes_per_token())
        self._anchors = StaticPrompts(
            bytes_per_token=spec.kv_bytes_per_token(), budget_bytes=cache_bytes
        )
        self._known = KnownLogits(bytes_of_each=4 * spec.vocab)
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ctranslate2")
        self._closed = threading.Event()
        # A model that is still alive when Python shuts down aborts the process: its threads then
        # wait for an interpreter that is gone.
        self._free_at_exit = weakref.finalize(self, self._model.free)

    @classmethod
    def open(
        cls,
        bundle: ModelBundle,
        *,
        device: str = "cpu",
        threads: int = 0,
        kind: str | None = None,
        cache_bytes: int | None = None,
    ) -> CTranslate2Engine:
        """Derive CTranslate2's form of a bundle, where that is not done yet, and load it.

        Args:
            bundle: the model.
            device: "cpu" or "cuda".
            threads: 0 chooses.
            kind: "int8" or "float32"; by default as the bundle stores its weights.
            cache_bytes: memory for cached prompts.

        Raises:
            BundleError: the weights are damaged.
            EngineUnavailable: CTranslate2 cannot load it here.
        """
        manifest = bundle.manifest
        chosen = kind or ("int8" if manifest.weights.dtype == "int8" else "float32")

        def build(folder: Path) -> None:
            _import_writer().write_ctranslate2_folder(bundle, folder, chosen)

        folder = artifact_folder(
            bundle, kind=f"ctranslate2-{chosen}", version=ctranslate2.__version__, build=build
        )
        return cls(
            folder,
            manifest.decoder,
            manifest.context_length,
            device=device,
            threads=threads,
            cache_bytes=cache_bytes,
        )

    def generate(
        self,
        prompt: Sequence[int],
        sampling: SamplingParams,
        cancel: threading.Event | None = None,
        forced: ForcedText | None = None,
    ) -> TokenStream:
        """As `Engine.generate`."""
        check_fits(prompt, sampling, self.context_length)
        ids = list(prompt)
        self._check_known(ids)
        cut = self._anchors.cut(ids)
        cached_tokens = cut.length if cut.is_cached else 0
        counts = DraftCounts()
        tokens = self._tokens(ids, sampling, cancel or threading.Event(), forced, counts)
        return TokenStream(tokens, cached_tokens=cached_tokens, drafts=counts)

    def generate_batch(
        self,
        prompts: Sequence[Sequence[int]],
        sampling: SamplingParams,
        seeds: Sequence[int | None] | None = None,
    ) -> list[list[GeneratedToken]]:
        """As `Engine.generate_batch`; seeds are ignored, and cached prompts are not used."""
        for prompt in prompts:
            check_fits(prompt, sampling, self.context_length)
            self._check_known(prompt)
        if not prompts or sampling.max_tokens < 1:
            return [[] for _ in prompts]
        answers: list[list[GeneratedToken]] = [[] for _ in prompts]
        # Beside a prompt of a single id CTranslate2 4.8 reports the others' prompts as answers.
        single = [number for number, ids in enumerate(prompts) if len(ids) == 1]
        longer = [number for number, ids in enumerate(prompts) if len(ids) > 1]
        for numbers in filter(None, (single, longer)):
            batch = [list(prompts[number]) for number in numbers]
            on_step = partial(self._note, [answers[number] for number in numbers])
            self._work(partial(self._model.decode, batch, 0, sampling, on_step))
        return answers

    def _note(self, answers: list[list[GeneratedToken]], step: Any) -> bool:
        answers[step.batch_id].append(GeneratedToken(step.token_id, step.log_prob))
        return self._closed.is_set()

    def logprobs(self, ids: Sequence[int]) -> list[ScoredToken]:
        """As `Engine.logprobs`."""
        import numpy as np

        check_scorable(ids, self.context_length)
        self._check_known(ids)
        if len(ids) == 1:
            return []
        table = self._work(lambda: self._model.logprobs(list(ids[:-1])))
        chosen = table[np.arange(len(ids) - 1), ids[1:]]
        return [
            ScoredToken(float(logprob), int(best))
            for logprob, best in zip(chosen, table.argmax(-1), strict=True)
        ]

    def _check_known(self, ids: Sequence[int]) -> None:
        if not 0 <= min(ids) <= max(ids) < self._vocab:  # CTranslate2 would read END in its place
            raise EngineError(f"the prompt has an id outside of the vocabulary of {self._vocab}")

    def _work(self, job: Callable[[], T]) -> T:
        """Run a job on the model's thread and wait for it."""
        if self._closed.is_set():
            raise EngineError("the engine is closed; open a new one")
        try:
            return self._worker.submit(job).result()
        except (RuntimeError, ValueError) as error:
            raise EngineError(f"CTranslate2 failed ({error}); open the model again") from error

    def close(self) -> None:
        """As `Engine.close`; an open stream ends at its next token."""
        self._closed.set()
        self._worker.shutdown(wait=True)
        self._free_at_exit()

    def _tokens(
        self,
        ids: list[int],
        sampling: SamplingParams,
        cancel: threading.Event,
        forced: ForcedText | None,
        counts: DraftCounts,
    ) -> Generator[GeneratedToken, None, None]:
        if self._closed.is_set():
            raise EngineError("the engine is closed; open a new one")
        if sampling.max_tokens < 1 or cancel.is_set():
            return
        if forced is not None:
            for token in self._spelled(forced, ids, sampling, cancel, counts):
                if cancel.is_set():
                    return
                ids.append(token.id)
                forced = forced.after(token.id)
                yield token
            if cancel.is_set() or len(ids) >= self.context_length:
                return
            sampling = replace(sampling, max_tokens=sampling.max_tokens - forced.is_beyond)
            if sampling.max_tokens < 1:
                return
        counts.read += len(ids) - self._anchors.cut(ids).length
        yield from self._decoded(ids, sampling, cancel)

    def _spelled(
        self,
        forced: ForcedText,
        ids: list[int],
        sampling: SamplingParams,
        cancel: threading.Event,
        counts: DraftCounts,
    ) -> list[GeneratedToken]:
        """The tokens that spell a forced text; none where it was cancelled.

        Each partial spelling whose logits are not known costs one decoded id, behind a cached part
        of the prompt.
        """
        from model_runtime.engines.numpy_sampling import Draws  # not at the top, for numpy:
        from model_runtime.engines.spelling import spell  # a start does without it

        def logits_after(more: Sequence[int]) -> Float32:
            whole = [*ids, *more]
            known = self._known.after(whole)
            if known is None:
                if cancel.is_set():
                    raise _Cancelled
                counts.read += len(whole) - self._anchors.cut(whole).length
                known = self._work(partial(self._one_step, whole))
                self._known.keep(whole, known)
            return known

        try:
            return spell(forced, logits_after, sampling, Draws(sampling.seed))
        except _Cancelled:
            return []

    def _one_step(self, ids: list[int]) -> Float32:
        """Logits after `ids`, behind a cached prompt; on the model's thread."""
        cut = self._cached(ids)
        logits = self._model.next_logits(ids, cut.length)
        self._anchors.add(ids[: cut.length])
        return logits

    def _cached(self, ids: list[int]) -> Cut:
        """Where to split `ids`, with room made for what will be cached; on the model's thread."""
        cut = self._anchors.cut(ids)
        if not cut.is_cached and not self._anchors.has_room(cut.length):
            logger.debug("dropping %d bytes of cached prompts", self._anchors.used_bytes)
            self._anchors.clear()
            self._model.reload()
        return cut

    def _decoded(
        self, ids: list[int], sampling: SamplingParams, cancel: threading.Event
    ) -> Generator[GeneratedToken, None, None]:
        tokens: SimpleQueue[GeneratedToken | None] = SimpleQueue()
        left = threading.Event()

        def on_step(step: Any) -> bool:
            """Called by CTranslate2 for each token, the stop token included; True stops."""
            tokens.put(GeneratedToken(step.token_id, step.log_prob))
            return left.is_set() or cancel.is_set() or self._closed.is_set()

        def decode() -> None:
            try:
                cut = self._cached(ids)
                self._model.decode([ids], cut.length, sampling, on_step)
                self._anchors.add(ids[: cut.length])
            finally:
                tokens.put(None)

        try:
            decoding = self._worker.submit(decode)
        except RuntimeError as error:
            raise EngineError("the engine was closed meanwhile; open a new one") from error
        try:
            while (token := tokens.get()) is not None and not cancel.is_set():
                yield token
        finally:
            left.set()
            failure = decoding.exception()  # waits until the model is free for the next request
        if failure is not None:
            raise EngineError(f"CTranslate2 failed ({failure}); open the model again") from failure


def _import_writer() -> ModuleType:
    """The module that writes CTranslate2's form, without torch.

    `ctranslate2.specs` imports torch where it is installed, only to know its tensors when it meets
    them; that takes seconds and hundreds of megabytes.
    """
    hides = "torch" not in sys.modules
    if hides:
        sys.modules["torch"] = None  # type: ignore[assignment]
    try:
        return importlib.import_module("model_runtime.engines.ctranslate2.folder")
    finally:
        if hides:
            del sys.modules["torch"]


class _Model:
    """A loaded CTranslate2 model."""

    def __init__(self, folder: Path, device: str, threads: int) -> None:
        self._folder, self._device, self._threads = folder, device, threads
        self._generator: Any = None
        try:
            self.reload()
        except (RuntimeError, ValueError) as error:
            raise EngineUnavailable(
                f"CTranslate2 cannot load {folder} on {device} ({error}); "
                "choose another device or engine"
            ) from error

    def reload(self) -> None:
        """Load the model; any state that it had is dropped.

        `unload_model` would be the call for this, but does nothing, and does not say so, while the
        last batch is still being put away.
        """
        self.free()
        self._generator = ctranslate2.Generator(
            str(self._folder), device=self._device, intra_threads=self._threads, inter_threads=1
        )

    def free(self) -> None:
        self._generator = None  # waits for CTranslate2's threads

    def decode(
        self, prompts: list[list[int]], static_length: int, sampling: SamplingParams, on_step: Any
    ) -> None:
        """Run until a stop id, the limit, or until `on_step` returns True.

        Args:
            prompts: [batch][ids]; one only where it has a static part.
            static_length: leading ids whose state is kept under them.
            sampling: of all prompts.
            on_step: called for each token of each prompt.
        """
        # as in the vocabulary that ctranslate2_folder writes
        strings = [[str(id_) for id_ in ids] for ids in prompts]
        greedy = sampling.temperature <= 0
        self._generator.generate_batch(
            [row[static_length:] for row in strings],
            static_prompt=strings[0][:static_length] or None,
            include_prompt_in_result=False,  # else the prompt would be fed token by token
            max_length=sampling.max_tokens,
            end_token=sorted(sampling.stop_ids),
            return_scores=True,  # without it the callback gets no log-probability
            sampling_topk=1 if greedy else 0,
            sampling_topp=1.0 if greedy else sampling.top_p,
            sampling_temperature=1.0 if greedy else sampling.temperature,
            callback=on_step,
        )

    def next_logits(self, prompt: list[int], static_length: int) -> Float32:
        """Logits of every id after `prompt`, float32 [vocabulary]; arguments as in `decode`."""
        found: list[Float32] = []

        def on_step(step: Any) -> bool:
            found.append(_as_array(step.logits)[0])
            return True

        strings = [str(id_) for id_ in prompt]
        self._generator.generate_batch(
            [strings[static_length:]],
            static_prompt=strings[:static_length] or None,
            include_prompt_in_result=False,
            max_length=1,
            return_logits_vocab=True,
            callback=on_step,
        )
        return found[0]

    def logprobs(self, ids: list[int]) -> Float32:
        """Log-probabilities of every id after each of `ids`, float32 [ids, vocabulary]."""
        rows: Float32 = _as_array(self._generator.forward_batch([ids], return_log_probs=True))[0]
        return rows


def _as_array(view: Any) -> Float32:
    """A copy of what CTranslate2 computed, float32, wherever it lies."""
    import numpy as np

    array: Float32 = np.array(view.to_device(ctranslate2.Device.cpu))
    return array
