"""Measures how well a network writes held-out documents.

ltr_bpb, mid_bpb, line_bpb   bits per byte from left to right, of all middles, of whole-line
                             middles
eod                          share of middles after which END is the likeliest token
exact_*                      share of middles that greedy decoding writes exactly, END included:
                             every token, and END after them, is the likeliest one
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from model_runtime.errors import PromptTooLong
from model_runtime.prompt.encoder import Hole, PromptRequest
from model_runtime.training.batches import RowSource
from model_runtime.training.corpus.source import CorpusError
from model_runtime.training.encode import Encoder, left_to_right
from model_runtime.training.forward import Batch, hidden_states
from model_runtime.training.holes import CHARACTER_KINDS, line_span, to_line_end
from model_runtime.training.keyed_random import KeyedRandom
from model_runtime.training.network import TrainingNetwork
from model_runtime.training.packing import PackedRows
from model_runtime.training.windows import whole

KINDS = ("ltr", "line", "cursor", "character")
WINDOW_TOKENS = (100, 600)
CHARACTER_MIX = {"character": 0.2, "short-run": 0.2, "rest-of-line": 0.6}
"""Mix of the holes of the figures named `character`."""
_MAX_TRIES = 10_000
"""Unfit places in a row, over all held-out documents, after which none is expected to be fit."""


@dataclass(frozen=True)
class ValidationExample:
    """The ids of one example, and from where on they count."""

    kind: str
    ids: list[int]
    start: int
    """Index of the first id that is scored; the last one is END unless the kind is `ltr`."""
    text_bytes: int


class Validation:
    """A fixed set of examples, the same for every run on the same corpus and tokenizer.

    Raises:
        CorpusError: the held-out documents have no place that is fit for a kind of example.
    """

    def __init__(self, source: RowSource, count: int) -> None:
        self.context = source.context
        encoder = source.open("valid").encoder
        rng = KeyedRandom("validation")
        self.examples: list[ValidationExample] = []
        while len(self.examples) < count:
            kind = KINDS[len(self.examples) % len(KINDS)]
            tries = (draw(encoder, kind, rng) for _ in range(_MAX_TRIES))
            example = next((drawn for drawn in tries if drawn is not None), None)
            if example is None:
                raise CorpusError(
                    f"the held-out documents gave no example of the kind {kind!r}: they have no "
                    "line that says something, or no middle fits into the context"
                )
            self.examples.append(example)
        self.examples.sort(key=lambda example: len(example.ids))

    @torch.no_grad()
    def measure(
        self, network: TrainingNetwork, dtype: torch.dtype, per_row: bool
    ) -> dict[str, float]:
        """Returns all figures by name, rounded to four digits."""
        sums: dict[str, list[float]] = {}
        for start in range(0, len(self.examples), 16):
            group = self.examples[start : start + 16]
            hidden = self._hidden(network, group, dtype, per_row)
            for example, hidden_Td in zip(group, hidden, strict=True):
                score(example, hidden_Td @ network.head.to(dtype).T, sums)
        return {name: round(part / max(1.0, whole), 4) for name, (part, whole) in sums.items()}

    def _hidden(
        self,
        network: TrainingNetwork,
        group: list[ValidationExample],
        dtype: torch.dtype,
        per_row: bool,
    ) -> list[Tensor]:
        """Returns for each example the states that predict its scored ids."""
        lengths = [len(example.ids) for example in group]
        if per_row:
            ids = torch.zeros(len(group), self.context, dtype=torch.int32)
            for row, example in zip(ids, group, strict=True):
                row[: len(example.ids)] = torch.tensor(example.ids)
            rows = PackedRows(ids.numpy(), [[length] for length in lengths])
        else:
            flat = torch.tensor([[id_ for example in group for id_ in example.ids]])
            rows = PackedRows(flat.int().numpy(), [lengths])
        batch = Batch.of(rows, per_row, network.head.device)
        hidden_Nd = hidden_states(network, batch, dtype)
        sizes = [self.context] * len(group) if per_row else lengths
        starts = [sum(sizes[:i]) for i in range(len(group))]
        return [
            hidden_Nd[at + example.start - 1 : at + len(example.ids) - 1]
            for at, example in zip(starts, group, strict=True)
        ]


def score(example: ValidationExample, logits_JV: Tensor, sums: dict[str, list[float]]) -> None:
    """Adds one example's figures to the sums of (part, whole) by name."""
    wanted_J = torch.tensor(example.ids[example.start :], device=logits_JV.device)
    nats_J = F.cross_entropy(logits_JV.float(), wanted_J, reduction="none")
    right_J = logits_JV.argmax(-1) == wanted_J

    def add(name: str, part: float, whole: float) -> None:
        entry = sums.setdefault(name, [0.0, 0.0])
        entry[0] += part
        entry[1] += whole

    is_hole = example.kind != "ltr"
    # END has no bytes; `eod` counts it.
    text_J = nats_J[:-1] if is_hole else nats_J
    bits = float(text_J.sum()) / math.log(2)
    add("mid_bpb" if is_hole else "ltr_bpb", bits, example.text_bytes)
    if is_hole:
        add("eod", float(right_J[-1]), 1)
        add(f"exact_{example.kind}", float(right_J.all()), 1)
    if example.kind == "line":
        add("line_bpb", bits, example.text_bytes)


def draw(encoder: Encoder, kind: str, rng: random.Random) -> ValidationExample | None:
    """Draws an example of a kind from some held-out document; None if the drawn place is unfit."""
    documents = encoder.documents
    text = documents.text(rng.randrange(len(documents)))
    start, end = rng.choice(list(whole(text, WINDOW_TOKENS, rng)))
    window = text[start:end]
    if kind == "ltr":
        # Without the END behind a document: it has no bytes.
        text_ids = encoder.tokenizer.encode(window)
        pieces = left_to_right(encoder.tokens, text_ids, encoder.context, begins=True, ends=False)
        ids = next(pieces)
        size = int(encoder.bytes_of_ids[ids].sum())
        return ValidationExample(kind, ids, 1, size) if len(ids) > 1 else None
    if kind == "character":
        drawn = rng.choices(list(CHARACTER_MIX), list(CHARACTER_MIX.values()))[0]
        first, last = CHARACTER_KINDS[drawn](window, rng)
    else:
        first, last = line_span(window, rng)
    if kind == "cursor":
        first, last = to_line_end(window, first, rng)
    if kind == "line":
        # Single lines from the margin on, newline included, as HumanEval-infilling has them.
        first = window.rfind("\n", 0, first) + 1
        last = window.find("\n", first) + 1
    middle = window[first:last]
    if not middle.strip():
        return None
    prompt = encoder.prompts[next(iter(encoder.data.orders))]
    request = PromptRequest(Hole(window[:first], window[last:]))
    try:
        example = prompt.example(request, middle, encoder.context)
    except PromptTooLong:
        return None
    size = int(encoder.bytes_of_ids[example.ids[example.prompt_length :]].sum())
    return ValidationExample(kind, example.ids, example.prompt_length, size)
