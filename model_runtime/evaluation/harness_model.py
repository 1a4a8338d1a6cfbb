"""Shows an `Engine` to lm-evaluation-harness as it sees a model: text in, log-likelihoods out.

Texts are read left to right without sentinels, END in front, as left-to-right training windows are.
Needs lm-eval (extra `eval`); only `harness.py` imports this module, when it runs.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Any

from model_runtime.decoding.generate import generate_text
from model_runtime.decoding.stop_rules import Cut
from model_runtime.engines.protocol import Engine, SamplingParams
from model_runtime.evaluation.progress import tracked
from model_runtime.evaluation.records import JsonLines
from model_runtime.evaluation.scorer import scorer_of
from model_runtime.models.bundle import ModelBundle
from model_runtime.telemetry import import_silenced

LM: Any = import_silenced("lm_eval.api.model").LM

_MAX_GENERATED = 256


class EngineLM(LM):  # type: ignore[misc]
    """A bundle on an engine; results that are in `store` are not computed again."""

    def __init__(self, bundle: ModelBundle, engine: Engine, store: JsonLines) -> None:
        super().__init__()
        self._scorer = scorer_of(engine)
        self._tokenizer, self._engine, self._store = bundle.tokenizer, engine, store
        self._start, self._stops = bundle.encoder.format.text_start, bundle.stop_ids
        self._known = {
            record["key"]: (record["logprob"], record["greedy"]) for record in store.read()
        }

    def loglikelihood(self, requests: list[Any], disable_tqdm: bool = False) -> list[Any]:
        """Returns (natural log-likelihood, is it the greedy answer) of each continuation."""
        found = []
        for request in tracked(requests, "scoring", len(requests)):
            context, continuation = request.args
            key = _key(context, continuation)
            if key not in self._known:
                self._known[key] = self._score(*self.encode_pair(context, continuation))
                logprob, greedy = self._known[key]
                self._store.append({"key": key, "logprob": logprob, "greedy": greedy})
            found.append(self._known[key])
        return found

    def loglikelihood_rolling(self, requests: list[Any], disable_tqdm: bool = False) -> list[float]:
        """Returns natural log-likelihoods of whole texts, in windows that follow each other."""
        return [self._rolling(request.args[0]) for request in requests]

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        """Returns greedy texts up to one of the given strings."""
        found = []
        for request in tracked(requests, "answering", len(requests)):
            context, settings = request.args
            until = settings.get("until") or []
            most = min(
                int(settings.get("max_gen_toks") or _MAX_GENERATED),
                self._engine.context_length // 2,
            )
            ids = [self._start, *self._tokenizer.encode(context)]
            sampling = SamplingParams(most, self._stops, float(settings.get("temperature") or 0))
            stop = _stop_at([until] if isinstance(until, str) else until)
            prompt = ids[most - self._engine.context_length :]
            found.append(
                generate_text(self._engine, self._tokenizer, prompt, sampling, stop=stop).text
            )
        return found

    def encode_pair(self, context: str, continuation: str) -> tuple[list[int], list[int]]:
        """Ids of both, cut where the text is cut, END in front.

        Spaces at the context's end belong to the continuation's first word, as in training, and
        both are encoded in one go, as the model read them.
        """
        stripped = context.rstrip(" ")
        continuation = context[len(stripped) :] + continuation
        before = list(self._tokenizer.encode(stripped)) if stripped else []
        whole = list(self._tokenizer.encode(stripped + continuation))
        if whole[: len(before)] == before and len(whole) > len(before):
            return [self._start, *before], whole[len(before) :]
        # A token would reach over the border: the parts by themselves, then.
        return [self._start, *before], list(self._tokenizer.encode(continuation))

    def _score(self, context: Sequence[int], continuation: Sequence[int]) -> tuple[float, bool]:
        ids = [*context, *continuation][-self._engine.context_length :]
        count = min(len(continuation), len(ids) - 1)
        if not count:
            return 0.0, True
        scored = self._scorer.logprobs(ids)[-count:]
        greedy = all(token.best_id == id_ for token, id_ in zip(scored, ids[-count:], strict=True))
        return math.fsum(token.logprob for token in scored), greedy

    def _rolling(self, text: str) -> float:
        ids = [self._start, *self._tokenizer.encode(text)]
        step = self._engine.context_length - 1
        return math.fsum(
            token.logprob
            for start in range(0, len(ids) - 1, step)
            for token in self._scorer.logprobs(ids[start : start + step + 1])
        )


class UniformBytes(LM):  # type: ignore[misc]
    """A model that gives each of 256 bytes the same probability, so prefers short answers: the
    floor.
    """

    def loglikelihood(self, requests: list[Any], disable_tqdm: bool = False) -> list[Any]:
        """Returns what `EngineLM.loglikelihood` returns, by length alone."""
        return [(self._logprob(request.args[1]), False) for request in requests]

    def loglikelihood_rolling(self, requests: list[Any], disable_tqdm: bool = False) -> list[float]:
        """Returns what `EngineLM.loglikelihood_rolling` returns, by length alone."""
        return [self._logprob(request.args[0]) for request in requests]

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        """Returns empty texts: it has nothing to say."""
        return ["" for _ in requests]

    @staticmethod
    def _logprob(text: str) -> float:
        return -math.log(256) * len(text.encode())


def _stop_at(strings: Sequence[str]) -> Any:
    def stop(text: str) -> Cut | None:
        places = [place for string in strings if (place := text.find(string)) >= 0]
        return Cut(min(places), "until") if places else None

    return stop


def _key(context: str, continuation: str) -> str:
    return hashlib.sha256(f"{len(context)}/{context}{continuation}".encode()).hexdigest()[:24]
