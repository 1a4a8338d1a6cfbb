"""Runs a bundle with CTranslate2.

One worker thread decodes and hands tokens over through a queue.  A prefill cannot be interrupted;
cancelling and closing act at the next token.  KV state is reused through static prompts (see
`static_prompts`); since CTranslate2 never drops them, the model is loaded anew when they exceed a
budget (about 30 ms for 34 M parameters).

CTranslate2's seeds are not reproducible on a live model, so `SamplingParams.seed` is ignored here.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Generator, Sequence
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from types import ModuleType
from typing import TYPE_CHECKING, Any

from model_runtime.engines.abilities import KeptTexts
from model_runtime.engines.artifact_cache import artifact_folder
from model_runtime.engines.checks import check_prompt, check_text
from model_runtime.engines.ctranslate2.model import VERSION, LoadedModel
from model_runtime.engines.ctranslate2.static_prompts import StaticPrompts
from model_runtime.engines.ctranslate2.worker import Worker, failure
from model_runtime.engines.forced import SpellingCancelled, yield_spelling
from model_runtime.engines.kept_budget import kept_budget
from model_runtime.engines.kind import EngineOptions
from model_runtime.engines.known_logits import KnownLogits
from model_runtime.engines.protocol import (
    GeneratedToken,
    RunCounts,
    SamplingParams,
    ScoredToken,
    TokenStream,
)
from model_runtime.engines.threads import usable_threads
from model_runtime.models.bundle import ModelBundle
from model_runtime.models.decoder import DecoderSpec
from model_runtime.prompt.forced_text import ForcedText

if TYPE_CHECKING:
    from model_runtime.models.weights import Float32

_USUAL_TEXTS = 2
"""Prompts for which there is memory by default: here keys and values take more of it."""
_MAX_THREADS = 4
"""More threads than this speed up neither prefill nor decoding of models this small."""


class CTranslate2Engine:
    """An engine for processors; the module's description says what is particular to it."""

    name = "ctranslate2"
    max_concurrency = 1

    def __init__(
        self,
        folder: Path,
        spec: DecoderSpec,
        context_length: int,
        *,
        threads: int = 0,
        device: str = "cpu",
        kept_bytes: int | None = None,
    ) -> None:
        """Loads a CTranslate2 folder.

        Args:
            folder: as `ctranslate2.folder` writes it.
            spec: tells how much memory a cached token takes.
            context_length: most ids that prompt and answer may have together.
            threads: 0 chooses.
            device: "cpu" or "cuda".
            kept_bytes: memory for what has been read of texts; None fits it to this machine.

        Raises:
            EngineUnavailable: CTranslate2 cannot load it here.
        """
        self.context_length = context_length
        self._vocab = spec.vocab
        threads = usable_threads(threads, _MAX_THREADS, weights=spec.count_parameters())
        model = LoadedModel(folder, device, threads)
        # CTranslate2 keeps what several heads share once for each of them.
        bytes_per_token = spec.kv_bytes_per_token() * spec.heads // spec.kv_heads
        budget = kept_budget(bytes_per_token, kept_bytes, texts=_USUAL_TEXTS)
        static = StaticPrompts(bytes_per_token=bytes_per_token, budget_bytes=budget)
        self._worker = Worker(model, static)
        self._known = KnownLogits(bytes_of_each=4 * spec.vocab)

    @classmethod
    def open(
        cls,
        bundle: ModelBundle,
        *,
        device: str = "cpu",
        threads: int = 0,
        kind: str | None = None,
        kept_bytes: int | None = None,
    ) -> CTranslate2Engine:
        """Derives CTranslate2's form of a bundle, where that is not done yet, and loads it.

        Args:
            bundle: the model.
            device: "cpu" or "cuda".
            threads: 0 chooses.
            kind: "int8" or "float32"; by default as the bundle stores its weights.
            kept_bytes: memory for what has been read of texts; None fits it to this machine.

        Raises:
            BundleError: the weights are damaged.
            EngineUnavailable: CTranslate2 cannot load it here.
        """
        manifest = bundle.manifest
        chosen = kind or ("int8" if manifest.weights.dtype == "int8" else "float32")

        def build(folder: Path) -> None:
            _import_writer().write_ctranslate2_folder(bundle, folder, chosen)

        folder = artifact_folder(bundle, kind=f"ctranslate2-{chosen}", version=VERSION, build=build)
        return cls(
            folder,
            manifest.decoder,
            manifest.context_length,
            device=device,
            threads=threads,
            kept_bytes=kept_bytes,
        )

    @property
    def kept_texts(self) -> KeptTexts:
        """Implements `TextKeeper.kept_texts`; a text is a static prompt here."""
        return self._worker.kept_texts

    def generate(
        self,
        prompt: Sequence[int],
        sampling: SamplingParams,
        cancel: threading.Event | None = None,
        forced: ForcedText | None = None,
    ) -> TokenStream:
        """Implements `Engine.generate`."""
        check_prompt(prompt, sampling, self.context_length, self._vocab)
        ids = list(prompt)
        cut = self._worker.cut(ids)
        cached_tokens = cut.length if cut.is_cached else 0
        counts = RunCounts()
        tokens = self._tokens(ids, sampling, cancel or threading.Event(), forced, counts)
        return TokenStream(tokens, cached_tokens=cached_tokens, counts=counts)

    def generate_batch(
        self,
        prompts: Sequence[Sequence[int]],
        sampling: SamplingParams,
        seeds: Sequence[int | None] | None = None,
    ) -> list[list[GeneratedToken]]:
        """Implements `BatchDecoder.generate_batch`; ignores seeds, uses no cached prompts."""
        for prompt in prompts:
            check_prompt(prompt, sampling, self.context_length, self._vocab)
        if not prompts or sampling.max_tokens < 1:
            return [[] for _ in prompts]
        answers: list[list[GeneratedToken]] = [[] for _ in prompts]
        # Beside a prompt of a single id CTranslate2 4.8 reports the others' prompts as answers.
        single = [number for number, ids in enumerate(prompts) if len(ids) == 1]
        longer = [number for number, ids in enumerate(prompts) if len(ids) > 1]
        for numbers in filter(None, (single, longer)):
            batch = [list(prompts[number]) for number in numbers]
            on_step = partial(self._note, [answers[number] for number in numbers])
            self._worker.run(partial(self._worker.model.decode, batch, 0, sampling, on_step))
        return answers

    def _note(self, answers: list[list[GeneratedToken]], step: Any) -> bool:
        answers[step.batch_id].append(GeneratedToken(step.token_id, step.log_prob))
        return self._worker.is_closed

    def logprobs(self, ids: Sequence[int]) -> list[ScoredToken]:
        """Implements `Scorer.logprobs`."""
        import numpy as np

        check_text(ids, self.context_length, self._vocab)
        if len(ids) == 1:
            return []
        table = self._worker.run(partial(self._worker.model.logprobs, list(ids[:-1])))
        chosen = table[np.arange(len(ids) - 1), ids[1:]]
        return [
            ScoredToken(float(logprob), int(best))
            for logprob, best in zip(chosen, table.argmax(-1), strict=True)
        ]

    def close(self) -> None:
        """Implements `Engine.close`; an open stream ends at its next token."""
        self._worker.close()

    def _tokens(
        self,
        ids: list[int],
        sampling: SamplingParams,
        cancel: threading.Event,
        forced: ForcedText | None,
        counts: RunCounts,
    ) -> Generator[GeneratedToken, None, None]:
        self._worker.check_open()
        if sampling.max_tokens < 1 or cancel.is_set():
            return
        if forced is not None:
            spelling = self._spelled(forced, ids, sampling, cancel, counts)
            after = yield from yield_spelling(
                spelling, forced, ids, sampling, cancel, self.context_length
            )
            if after is None:
                return
            sampling = after
        counts.read += len(ids) - self._worker.cut(ids).length
        yield from self._decoded(ids, sampling, cancel)

    def _spelled(
        self,
        forced: ForcedText,
        ids: list[int],
        sampling: SamplingParams,
        cancel: threading.Event,
        counts: RunCounts,
    ) -> list[GeneratedToken]:
        """Returns the tokens that spell a forced text; none where it was canceled.

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
                    raise SpellingCancelled
                counts.read += len(whole) - self._worker.cut(whole).length
                known = self._worker.run(partial(self._worker.next_logits, whole))
                self._known.keep(whole, known)
            return known

        try:
            return spell(forced, logits_after, sampling, Draws(sampling.seed))
        except SpellingCancelled:
            return []

    def _decoded(
        self, ids: list[int], sampling: SamplingParams, cancel: threading.Event
    ) -> Generator[GeneratedToken, None, None]:
        tokens: SimpleQueue[GeneratedToken | None] = SimpleQueue()
        left = threading.Event()

        def on_step(step: Any) -> bool:
            """Hands each token over, the stop token included; True stops CTranslate2."""
            tokens.put(GeneratedToken(step.token_id, step.log_prob))
            return left.is_set() or cancel.is_set() or self._worker.is_closed

        def decode() -> None:
            try:
                self._worker.decode(ids, sampling, on_step)
            finally:
                tokens.put(None)

        decoding = self._worker.start(decode)
        try:
            while (token := tokens.get()) is not None and not cancel.is_set():
                yield token
        finally:
            left.set()
            error = decoding.exception()  # waits until the model is free for the next request
        if error is not None:
            raise failure(error) from error


def _import_writer() -> ModuleType:
    """Imports the module that writes CTranslate2's form, without torch.

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


def open_model(bundle: ModelBundle, options: EngineOptions) -> CTranslate2Engine:
    """Opens a bundle for the registry; raises what `CTranslate2Engine.open` does."""
    device = "cpu" if options.device == "auto" else options.device
    return CTranslate2Engine.open(
        bundle, device=device, threads=options.threads, kept_bytes=options.kept_bytes
    )
