"""Runs a bundle with PyTorch and transformers: the engine for GPUs, and the reference on CPUs.

float32 on the CPU, bfloat16 on a GPU (float32 with ALiBi, whose distances bfloat16 would round).
The keys and values of the last prompt are kept and cropped to what the next one shares with it.
Prompts are run in chunks, so that cancelling also interrupts a prefill.  A seed makes sampling
reproducible.  The network is built here from the bundle's weights; nothing is fetched.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from transformers import DynamicCache, GPTNeoXConfig, GPTNeoXForCausalLM

from model_runtime.bundle import ModelBundle
from model_runtime.engine import (
    GeneratedToken,
    SamplingParams,
    ScoredToken,
    TokenStream,
    check_fits,
    check_scorable,
)
from model_runtime.engines.prefix import common_prefix
from model_runtime.errors import EngineError, EngineUnavailable
from model_runtime.neox import HEAD, Architecture, alibi_slopes

CHUNK = 256
"""Ids of a prefill that run between two looks at the cancel flag."""

_MODEL_PREFIX = "gpt_neox."


class TorchEngine:
    """An `Engine`; see the module for what is particular to it."""

    name = "torch"

    def __init__(self, network: Any, context_length: int) -> None:
        """Take a network as `build_network` makes it."""
        self.context_length = context_length
        self._network: Any = network
        self._ids: list[int] = []
        """The ids whose keys and values are in the cache."""
        self._cache: Any = DynamicCache(config=network.config)

    @classmethod
    def open(cls, bundle: ModelBundle, *, device: str = "auto", threads: int = 0) -> TorchEngine:
        """Load a bundle.

        Args:
            bundle: the model.
            device: "cpu", "cuda", or "auto" for a GPU if there is one.
            threads: of PyTorch, for the whole process; 0 leaves its own choice.

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
        try:
            network = build_network(bundle, torch.device(device))
        except torch.OutOfMemoryError as error:
            raise EngineUnavailable(
                f"the model does not fit on {device}; set device to cpu"
            ) from error
        return cls(network, bundle.manifest.context_length)

    def generate(
        self, prompt: Sequence[int], sampling: SamplingParams, cancel: threading.Event | None = None
    ) -> TokenStream:
        """As `Engine.generate`; cancelling also acts between the chunks of a prefill."""
        check_fits(prompt, sampling, self.context_length)
        ids = list(prompt)
        tokens = self._tokens(ids, sampling, cancel or threading.Event())
        return TokenStream(tokens, cached_tokens=self._shared(ids))

    def generate_batch(
        self,
        prompts: Sequence[Sequence[int]],
        sampling: SamplingParams,
        seeds: Sequence[int | None] | None = None,
    ) -> list[list[GeneratedToken]]:
        """As `Engine.generate_batch`; a prompt that has ended leaves the batch."""
        for prompt in prompts:
            check_fits(prompt, sampling, self.context_length)
        if self._network is None:
            raise EngineError("the engine is closed; open a new one")
        if not prompts or sampling.max_tokens < 1:
            return [[] for _ in prompts]
        given = seeds or [sampling.seed] * len(prompts)
        random = [_generator(seed) for seed in given]
        answers: list[list[GeneratedToken]] = [[] for _ in prompts]
        running = list(range(len(prompts)))
        longest = max(map(len, prompts))
        padding = torch.tensor([longest - len(prompt) for prompt in prompts])
        # Padding stands on the left, so that all prompts end at the same place; it is masked.
        ids = torch.tensor([[0] * (longest - len(prompt)) + list(prompt) for prompt in prompts])
        cache = DynamicCache(config=self._network.config)
        with _failing_as_engine_error():
            for place in range(sampling.max_tokens):
                past = longest + place - ids.shape[1]
                logits = self._run(ids, padding, past, cache)
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
                    padding = padding[going]
                    cache.batch_select_indices(torch.tensor(going, device=self._network.device))
                ids = torch.tensor([[answers[number][-1].id] for number in running])
        return answers

    def logprobs(self, ids: Sequence[int]) -> list[ScoredToken]:
        """As `Engine.logprobs`; the cache of `generate` is neither used nor changed."""
        check_scorable(ids, self.context_length)
        if self._network is None:
            raise EngineError("the engine is closed; open a new one")
        scored: list[ScoredToken] = []
        cache = DynamicCache(config=self._network.config)
        none = torch.tensor([0])
        with _failing_as_engine_error():
            for start in range(0, len(ids) - 1, CHUNK):
                stop = min(start + CHUNK, len(ids) - 1)
                logits = self._run(torch.tensor([ids[start:stop]]), none, start, cache, last=False)
                logprobs = torch.log_softmax(logits[0], dim=-1)
                targets = torch.tensor(ids[start + 1 : stop + 1])
                chosen = logprobs.gather(1, targets[:, None])[:, 0]
                scored += map(ScoredToken, chosen.tolist(), logprobs.argmax(-1).tolist())
        return scored

    def close(self) -> None:
        """As `Engine.close`."""
        self._network = self._cache = None
        self._ids = []

    def _tokens(
        self, ids: list[int], sampling: SamplingParams, cancel: threading.Event
    ) -> Generator[GeneratedToken, None, None]:
        if self._network is None:
            raise EngineError("the engine is closed; open a new one")
        random = _generator(sampling.seed)
        pending = self._crop_to_shared(ids)
        for _ in range(sampling.max_tokens):
            while pending:
                if cancel.is_set():
                    return
                logits = self._forward(pending[:CHUNK])
                pending = pending[CHUNK:]
            if cancel.is_set():
                return
            token = pick(logits, sampling, random)
            yield token
            if token.id in sampling.stop_ids:
                return
            pending = [token.id]

    def _shared(self, ids: list[int]) -> int:
        """Leading ids whose state is held; the last id always has to be run, for its logits."""
        return min(common_prefix(self._ids, ids), len(ids) - 1)

    def _crop_to_shared(self, ids: list[int]) -> list[int]:
        """Cut the cache to what it shares with `ids`; returns the rest of them."""
        shared = self._shared(ids)
        if surplus := len(self._ids) - shared:
            self._cache.crop(-surplus)  # transformers takes the number to drop, negated
            del self._ids[shared:]
        return ids[shared:]

    def _forget(self) -> None:
        self._ids = []
        self._cache = DynamicCache(config=self._network.config)

    def _forward(self, ids: list[int]) -> torch.Tensor:
        """Append `ids` to the cache; float32 logits [vocabulary] after the last, on the CPU."""
        device = self._network.device
        mask = None
        if isinstance(self._network.gpt_neox.rotary_emb, _NoRotation):
            mask = self._network.gpt_neox.rotary_emb.mask(len(self._ids), len(ids))
        try:
            with torch.inference_mode():
                output = self._network(
                    torch.tensor([ids], device=device),
                    attention_mask=mask,
                    past_key_values=self._cache,
                    use_cache=True,
                    logits_to_keep=1,
                )
                logits: torch.Tensor = output.logits[0, -1].float().cpu()
        except (RuntimeError, IndexError) as error:
            self._forget()  # layers may have run apart
            raise EngineError(f"PyTorch failed ({error}); open the model again") from error
        self._ids += ids
        return logits

    def _run(
        self, ids: torch.Tensor, padding: torch.Tensor, past: int, cache: Any, *, last: bool = True
    ) -> torch.Tensor:
        """One pass of a batch over a cache of its own.

        Args:
            ids: [batch, new].
            padding: [batch], how many leading places of each row are none of its text.
            past: places that the cache already holds.
            cache: grows by `new` places.
            last: whether only the last place's logits are wanted.

        Returns:
            float32 on the CPU: [batch, vocabulary], or [batch, new, vocabulary].
        """
        network, new = self._network, ids.shape[1]
        queries = torch.arange(past, past + new)
        keys = torch.arange(past + new)
        hidden = (keys[None, :] > queries[:, None])[None] | (
            keys[None, None, :] < padding[:, None, None]
        )
        rotary = network.gpt_neox.rotary_emb
        dtype = network.gpt_neox.embed_in.weight.dtype
        if isinstance(rotary, _NoRotation):
            mask = rotary.mask(past, new).cpu().expand(len(ids), -1, -1, -1)
        else:
            mask = torch.zeros(len(ids), 1, new, past + new, dtype=dtype)
        mask = mask.masked_fill(hidden[:, None], torch.finfo(dtype).min)
        with torch.inference_mode():
            output = network(
                ids.to(network.device),
                attention_mask=mask.to(network.device),
                position_ids=(queries[None, :] - padding[:, None]).clamp(min=0).to(network.device),
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1 if last else 0,
            )
        logits: torch.Tensor = output.logits.float().cpu()
        return logits[:, -1] if last else logits


@contextmanager
def _failing_as_engine_error() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, IndexError) as error:
        raise EngineError(f"PyTorch failed ({error}); open the model again") from error


def _generator(seed: int | None) -> torch.Generator:
    random = torch.Generator()
    if seed is None:
        random.seed()
    else:
        random.manual_seed(seed)
    return random


def pick(logits: torch.Tensor, sampling: SamplingParams, random: torch.Generator) -> GeneratedToken:
    """Choose the next token.

    Args:
        logits: float32 [vocabulary].
        sampling: greedy at temperature 0; else the smallest set of tokens whose probabilities
            reach `top_p` is sampled from (Holtzman et al. 2019, arXiv:1904.09751).
        random: draws are from here.
    """
    logprobs = torch.log_softmax(logits, dim=-1)
    if sampling.temperature <= 0:
        id_ = int(logits.argmax())
    else:
        probabilities, order = torch.softmax(logits / sampling.temperature, dim=-1).sort(
            descending=True
        )
        before = probabilities.cumsum(0) - probabilities
        probabilities[(before >= sampling.top_p) & (before > 0)] = 0
        id_ = int(order[torch.multinomial(probabilities, 1, generator=random)])
    return GeneratedToken(id_, float(logprobs[id_]))


def build_network(bundle: ModelBundle, device: torch.device) -> Any:
    """A GPTNeoXForCausalLM with the bundle's weights, ready to run.

    Raises:
        BundleError: the weights are damaged.
    """
    manifest = bundle.manifest
    alibi = manifest.position_embedding == "alibi"
    dtype = torch.bfloat16 if device.type == "cuda" and not alibi else torch.float32
    config = network_config(manifest.architecture, manifest.context_length)
    with torch.device("meta"):  # no time and memory for weights that are replaced at once
        network: Any = GPTNeoXForCausalLM(config)
    weights = bundle.open_weights()
    loaded = {
        name: torch.from_numpy(weights.float32(name)).to(device, dtype)
        for name in manifest.architecture.tensor_shapes()
    }
    head = loaded.pop(HEAD, None)
    inner = {name.removeprefix(_MODEL_PREFIX): tensor for name, tensor in loaded.items()}
    network.gpt_neox.load_state_dict(inner, assign=True)
    network.get_output_embeddings().weight = (
        network.gpt_neox.embed_in.weight if head is None else torch.nn.Parameter(head)
    )
    if alibi or not manifest.architecture.rotary_dim:
        slopes = alibi_slopes(manifest.architecture.heads) if alibi else [0.0]
        network.gpt_neox.rotary_emb = _NoRotation(slopes, device, dtype)
    else:  # its tables are buffers, which are on the meta device now
        network.gpt_neox.rotary_emb = type(network.gpt_neox.rotary_emb)(config).to(device)
    return network.eval()


def network_config(architecture: Architecture, positions: int) -> GPTNeoXConfig:
    """The settings of `architecture` as transformers spells them."""
    # transformers truncates fraction x head_dim; half a dimension more keeps it from losing one.
    fraction = min(1.0, (architecture.rotary_dim + 0.5) / architecture.head_dim)
    return GPTNeoXConfig(
        vocab_size=architecture.vocab,
        hidden_size=architecture.hidden,
        num_hidden_layers=architecture.layers,
        num_attention_heads=architecture.heads,
        intermediate_size=architecture.intermediate,
        hidden_act=architecture.activation,
        max_position_embeddings=positions,
        layer_norm_eps=architecture.norm_epsilon,
        use_parallel_residual=architecture.parallel_residual,
        tie_word_embeddings=architecture.tied,
        bos_token_id=None,
        eos_token_id=None,
        rope_parameters={
            "rope_type": "default",
            "rope_theta": architecture.rotary_base,
            "partial_rotary_factor": fraction if architecture.rotary_dim else 1.0,
        },
    )


class _NoRotation(torch.nn.Module):
    """Takes the place of `rotary_emb`: a rotation by zero, and ALiBi's mask in its stead."""

    def __init__(self, slopes: Iterable[float], device: torch.device, dtype: torch.dtype) -> None:
        super().__init__()
        self._slopes = torch.tensor(list(slopes), device=device)[:, None, None]
        self._dtype = dtype

    def forward(
        self, x: torch.Tensor, position_ids: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Cosines and sines [1, positions, 2] of angle zero: two dimensions turn by nothing."""
        cosines = torch.ones(*position_ids.shape, 2, dtype=x.dtype, device=x.device)
        return cosines, torch.zeros_like(cosines)

    def mask(self, past: int, new: int) -> torch.Tensor:
        """Added to scores, [1, heads, new, past + new]: slope x (key - query), causal."""
        device = self._slopes.device
        keys = torch.arange(past + new, device=device)[None, :]
        queries = torch.arange(past, past + new, device=device)[:, None]
        distance = (keys - queries).float()
        scores = (self._slopes * distance).masked_fill(distance > 0, torch.finfo(torch.float32).min)
        return scores[None].to(self._dtype)
