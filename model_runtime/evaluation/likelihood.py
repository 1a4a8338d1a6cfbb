"""Measures bits per byte: how well a model expects the benchmark's own text, without sampling.

    middle          the part cut out, after the infilling prompt
    middle_ltr      the same part, after its prefix alone, left to right: what the suffix is worth
    program_ltr     whole programs, one for each problem, left to right

Special tokens are never counted, END included; a uniform guess of bytes needs 8 bits.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from model_runtime.engines.protocol import Scorer
from model_runtime.errors import PromptTooLong
from model_runtime.evaluation.infilling import InfillingModel
from model_runtime.evaluation.metrics import Interval, cluster_ratio
from model_runtime.evaluation.records import JsonLines
from model_runtime.evaluation.tasks import Task
from model_runtime.prompt.encoder import PromptBudget, PromptRequest

KINDS = ("middle", "middle_ltr", "program_ltr")


@dataclass(frozen=True, slots=True)
class Scored:
    """One text under one kind of prompt."""

    kind: str
    id: str
    """Id of the task; for whole programs that of the problem's first task."""
    problem: int
    bits: float
    """Bits of all its tokens; not a number where it did not fit into the context."""
    size: int
    """Number of bytes in UTF-8."""


@dataclass(frozen=True, slots=True)
class BitsPerByte:
    """Bits per byte of all texts of one kind."""

    kind: str
    bits_per_byte: Interval
    """Mean over all bytes; its interval resamples problems."""
    texts: int
    size: int
    """Number of bytes in UTF-8."""
    left_out: int
    """Number of texts longer than the context."""


def score_texts(
    model: InfillingModel, engine: Scorer, tasks: Sequence[Task], store: JsonLines
) -> Iterator[Scored]:
    """Yields every text of every kind, those in `store` first; new ones are stored as they come.

    Raises:
        EngineError: the engine broke; the same call goes on from there.
    """
    done = {(record["kind"], record["id"]): record for record in store.read()}
    for kind, task in plan(tasks):
        record = done.get((kind, task.id))
        if record is None:
            bits, size = _bits(model, engine, kind, task)
            record = {"kind": kind, "id": task.id, "bits": bits, "size": size}
            store.append(record)
        bits = math.nan if record["bits"] is None else record["bits"]
        yield Scored(kind, task.id, task.problem, bits, record["size"])


def plan(tasks: Sequence[Task]) -> list[tuple[str, Task]]:
    """Returns the texts to be scored: each middle twice, each problem's program once."""
    first = {task.problem: task for task in reversed(tasks)}
    wanted: list[tuple[str, Task]] = [(kind, task) for kind in KINDS[:2] for task in tasks]
    return wanted + [(KINDS[2], first[problem]) for problem in sorted(first)]


def summarize(texts: Sequence[Scored]) -> tuple[BitsPerByte, ...]:
    """Returns a summary of each kind that has any text."""
    found = []
    for kind in KINDS:
        every = [text for text in texts if text.kind == kind]
        fitting = [text for text in every if not math.isnan(text.bits)]
        if fitting:
            found.append(
                BitsPerByte(
                    kind,
                    cluster_ratio(
                        [text.bits for text in fitting],
                        [float(text.size) for text in fitting],
                        [text.problem for text in fitting],
                    ),
                    texts=len(fitting),
                    size=sum(text.size for text in fitting),
                    left_out=len(every) - len(fitting),
                )
            )
    return tuple(found)


def _bits(model: InfillingModel, engine: Scorer, kind: str, task: Task) -> tuple[Any, int]:
    """Returns the bits of a text, None where it does not fit, and its bytes."""
    encoder, hole = model.encoder, task.hole
    encode, start = encoder.tokenizer.encode, encoder.format.text_start
    if kind == "program_ltr":
        text = hole.prefix + task.middle + hole.suffix
        before, after = [start], list(encode(text))
    else:
        text = task.middle
        after = list(encode(text))
        room = engine.context_length - len(after)
        try:
            if kind == "middle_ltr":
                before = [start, *encode(hole.prefix)]
            else:
                prompt = encoder.prompt(PromptRequest(hole), PromptBudget(room))
                before, after = list(prompt.ids), list(encode(prompt.forced_text + text))
        except (PromptTooLong, ValueError):
            return None, len(text.encode())
        if kind == "middle_ltr" and len(before) > room > 1:
            before = [start, *before[len(before) - room + 1 :]]
    if len(before) + len(after) > engine.context_length:
        return None, len(text.encode())
    scored = engine.logprobs([*before, *after])[len(before) - 1 :]
    # Ids that spell nothing but what stands before the cursor say nothing of the middle.
    texts = encoder.tokenizer.token_texts.texts
    sizes = itertools.accumulate(len(texts[id_]) for id_ in after)
    typed = max(0, sum(len(texts[id_]) for id_ in after) - len(text.encode()))
    bits = -sum(
        token.logprob for token, size in zip(scored, sizes, strict=True) if size > typed
    ) / math.log(2)
    return round(bits, 4), len(text.encode())
