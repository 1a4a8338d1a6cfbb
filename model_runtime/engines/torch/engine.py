"""Runs a bundle with PyTorch: the engine for GPUs, and a reference on processors.

It computes in float32 on a processor, in bfloat16 on a GPU (float32 with ALiBi, whose distances
bfloat16 would round), or with weight-only int8.  The network is ours (`torch.network`), over keys
and values that lie in place; on a GPU short passes are CUDA graphs (`torch.passes`).  Prefix reuse,
passes are those of `slot_engine`; a pass is interrupted between two layers.  A seed
makes sampling reproducible.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch

from model_runtime.engines.checks import check_prompt
from model_runtime.engines.kept_budget import kept_budget
from model_runtime.engines.kind import EngineOptions
from model_runtime.engines.numpy_sampling import Draws, pick
from model_runtime.engines.protocol import GeneratedToken, SamplingParams, ScoredToken
from model_runtime.engines.slot_engine import SlotEngine
from model_runtime.engines.slot_passes import Passes
from model_runtime.engines.torch.network import Network
from model_runtime.engines.torch.passes import SPAN, Rows, TorchText
from model_runtime.errors import EngineError, EngineUnavailable
from model_runtime.models.bundle import ModelBundle
from model_runtime.models.positions import Alibi
from model_runtime.models.weights import Float32


class TorchPasses(Passes[TorchText, Rows]):
    """Passes of a network that PyTorch runs."""

    max_ids = 256
    row_step = SPAN

    def __init__(self, network: Network) -> None:
        """Takes a network."""
        self.network: Any = network
        self.row_bytes = network.spec.kv_bytes_per_token(network.dtype.itemsize)

    def new_text(self, rows: int) -> TorchText:
        """Implements `Passes.new_text`."""
        with _failing_as_memory_error():
            return TorchText(self.network, rows)

    def resize(self, text: TorchText, rows: int, kept: int) -> None:
        """Implements `Passes.resize`."""
        with _failing_as_memory_error():
            text.resize(rows, kept)

    def cancellable(
        self, cancel: threading.Event, *, num_ids: int
    ) -> AbstractContextManager[threading.Event]:
        """Implements `Passes.cancellable`: a pass looks at the flag between two layers."""
        return nullcontext(cancel)

    def copy(self, target: TorchText, source: TorchText, count: int) -> None:
        """Implements `Passes.copy`."""
        target.copy(source, count)

    def run(
        self, text: TorchText, start: int, ids: Sequence[int], options: Any = None, kept: int = 1
    ) -> Rows:
        """Implements `Passes.run`."""
        with _failing_as_engine_error():
            return text.run(start, ids, kept, options)

    def pick(
        self, logits: Rows, row: int, sampling: SamplingParams, random: Draws
    ) -> GeneratedToken:
        """Implements `Passes.pick`."""
        if sampling.temperature > 0:
            return pick(self.row(logits, row), sampling, random)
        # Found on the device: a row of the vocabulary would take longer to fetch than to compute.
        with _failing_as_engine_error():
            id_, logprob = logits.likeliest[:, row].tolist()
        return GeneratedToken(int(id_), logprob)

    def row(self, logits: Rows, row: int) -> Float32:
        """Implements `Passes.row`."""
        with _failing_as_engine_error():
            array: Float32 = logits.logits[row].cpu().numpy().copy()
        return array

    def score(self, logits: Rows, ids: Sequence[int]) -> list[ScoredToken]:
        """Implements `Passes.score`."""
        with _failing_as_engine_error():
            targets = torch.tensor(ids, device=logits.logits.device)
            chosen = logits.logits.log_softmax(-1).gather(1, targets[:, None])[:, 0]
        return list(map(ScoredToken, chosen.tolist(), map(int, logits.likeliest[0].tolist())))

    def close(self) -> None:
        """Implements `Passes.close`."""
        self.network = None


class TorchEngine(SlotEngine[TorchText, Rows]):
    """An engine for GPUs; the module's description says what is particular to it."""

    name = "torch"

    def __init__(
        self, network: Network, context_length: int, *, kept_bytes: int | None = None
    ) -> None:
        """Takes a network.

        Args:
            network: the weights.
            context_length: most ids that prompt and answer may have together.
            kept_bytes: memory for what has been read of texts; None fits it to this machine.
        """
        spec, passes = network.spec, TorchPasses(network)
        free = torch.cuda.mem_get_info()[0] if network.device.type == "cuda" else None
        super().__init__(
            passes,
            context_length,
            spec.vocab,
            kept_bytes=kept_budget(passes.row_bytes, kept_bytes, free=free),
        )
        self._network: Any = network

    @classmethod
    def open(
        cls,
        bundle: ModelBundle,
        *,
        device: str = "auto",
        threads: int = 0,
        kind: str | None = None,
        kept_bytes: int | None = None,
    ) -> TorchEngine:
        """Loads a bundle.

        Args:
            bundle: the model.
            device: "cpu", "cuda", or "auto" for a GPU if there is one.
            threads: of PyTorch, for the whole process; 0 leaves its own choice.
            kind: one of `torch.network.KINDS`; by default float32 on a processor and bfloat16 on
                a GPU.
            kept_bytes: memory for what has been read of texts; None fits it to this machine.

        Raises:
            BundleError: the weights are damaged.
            EngineUnavailable: there is no such device, or it has too little memory.
        """
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        if device == "cuda" and not torch.cuda.is_available():
            raise EngineUnavailable("PyTorch finds no CUDA device; set device to cpu or auto")
        if threads:
            torch.set_num_threads(threads)
        is_exact = device == "cpu" or isinstance(bundle.manifest.decoder.positions, Alibi)
        try:
            network = Network(
                bundle, torch.device(device), kind or ("float32" if is_exact else "bfloat16")
            )
        except torch.OutOfMemoryError as error:
            raise EngineUnavailable(
                f"the model does not fit on {device}; set device to cpu"
            ) from error
        return cls(network, bundle.manifest.context_length, kept_bytes=kept_bytes)

    def generate_batch(
        self,
        prompts: Sequence[Sequence[int]],
        sampling: SamplingParams,
        seeds: Sequence[int | None] | None = None,
    ) -> list[list[GeneratedToken]]:
        """Implements `BatchDecoder.generate_batch`; a prompt that has ended leaves the batch."""
        for prompt in prompts:
            check_prompt(prompt, sampling, self.context_length, self._vocab)
        self._check_open()
        if not prompts or sampling.max_tokens < 1:
            return [[] for _ in prompts]
        random = [Draws(seed) for seed in seeds or [sampling.seed] * len(prompts)]
        answers: list[list[GeneratedToken]] = [[] for _ in prompts]
        running = list(range(len(prompts)))
        longest = max(map(len, prompts))
        # Padding stands on the left, so that all prompts end at the same place; it is masked.
        # Positions are relative in all that we run, so nothing need be shifted.
        padding = torch.tensor([longest - len(prompt) for prompt in prompts])
        ids = torch.tensor([[0] * (longest - len(prompt)) + list(prompt) for prompt in prompts])
        network, start = self._network, 0
        with _failing_as_engine_error(), torch.inference_mode():
            cache = network.new_cache(len(prompts), longest + sampling.max_tokens)
            padding = padding.to(network.device)
            for _ in range(sampling.max_tokens):
                span = start + ids.shape[1]
                first = torch.tensor(start, device=network.device)
                hidden = network.forward(ids.to(network.device), first, cache, span, padding)
                logits = network.logits(hidden[:, -1:])[:, 0].cpu().numpy()
                for row, number in enumerate(running):
                    answers[number].append(pick(logits[row], sampling, random[number]))
                going = [
                    row
                    for row, number in enumerate(running)
                    if answers[number][-1].id not in sampling.stop_ids
                ]
                if not going:
                    break
                if len(going) < len(running):
                    running = [running[row] for row in going]
                    left = torch.tensor(going, device=network.device)
                    padding, cache = padding[left], cache.index_select(2, left)
                ids, start = torch.tensor([[answers[number][-1].id] for number in running]), span
        return answers

    def close(self) -> None:
        """Implements `Engine.close`."""
        super().close()
        self._network = None


@contextmanager
def _failing_as_memory_error() -> Iterator[None]:
    """Raises MemoryError where memory cannot be had; PyTorch has another error on each device."""
    try:
        yield
    except RuntimeError as error:
        raise MemoryError(str(error)) from error


@contextmanager
def _failing_as_engine_error() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, IndexError) as error:
        raise EngineError(f"PyTorch failed ({error}); open the model again") from error


def open_model(bundle: ModelBundle, options: EngineOptions) -> TorchEngine:
    """Opens a bundle for the registry; raises what `TorchEngine.open` does."""
    return TorchEngine.open(
        bundle, device=options.device, threads=options.threads, kept_bytes=options.kept_bytes
    )
