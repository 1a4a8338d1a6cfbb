"""A loaded CTranslate2 model: its calls, with ids in place of its strings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import ctranslate2

from model_runtime.engines.protocol import SamplingParams
from model_runtime.errors import EngineUnavailable

if TYPE_CHECKING:
    from model_runtime.models.weights import Float32

VERSION: str = ctranslate2.__version__


class LoadedModel:
    """Runs one model; every call belongs to one thread."""

    def __init__(self, folder: Path, device: str, threads: int) -> None:
        """Loads the model in a folder.

        Raises:
            EngineUnavailable: CTranslate2 cannot load it here.
        """
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
        """Loads the model again, so that all its state is dropped.

        `unload_model` would be the call for this, but does nothing, and does not say so, while the
        last batch is still being put away.
        """
        self.free()
        self._generator = ctranslate2.Generator(
            str(self._folder), device=self._device, intra_threads=self._threads, inter_threads=1
        )

    def free(self) -> None:
        """Frees the model's memory and waits for CTranslate2's threads."""
        self._generator = None

    def decode(
        self, prompts: list[list[int]], static_length: int, sampling: SamplingParams, on_step: Any
    ) -> None:
        """Runs until a stop id, the limit, or until `on_step` returns True.

        Args:
            prompts: [batch][ids]; one only where it has a static part.
            static_length: leading ids whose state is kept under them.
            sampling: applies to all prompts.
            on_step: called for each token of each prompt.
        """
        # as in the vocabulary that ctranslate2.folder writes
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
        """Returns logits of every id after `prompt`, float32 [vocabulary]."""
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
        """Returns log-probabilities of every id after each of `ids`, float32 [ids, vocabulary]."""
        rows: Float32 = _as_array(self._generator.forward_batch([ids], return_log_probs=True))[0]
        return rows


def _as_array(view: Any) -> Float32:
    """Copies what CTranslate2 computed, float32, wherever it lies."""
    import numpy as np

    array: Float32 = np.array(view.to_device(ctranslate2.Device.cpu))
    return array
