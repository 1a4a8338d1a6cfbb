"""Measures what a stored form of the weights loses: bits per byte of middles, and greedy choices.

    python -m benchmarks.weight_forms MODEL [--places N] [--forms NAME ...]

MODEL is the folder of a bundle in float16 or float32.  Its matrices are rounded to each form and
widened again, and PyTorch computes in float32, so that nothing but the form differs.  The places
are runs of one to three lines of the files of the frozen set, spread evenly; each is scored after
the prompt that serving would write.  `agreement` is how often the likeliest id is the first form's.
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from benchmarks import record
from model_runtime.engines.torch.network import Network
from model_runtime.evaluation.metrics import paired_ratio_difference
from model_runtime.models.bundle import ModelBundle
from model_runtime.models.decoder import EMBEDDING, HEAD
from model_runtime.models.tensors import BundleTensors
from model_runtime.models.weights import Float32, dequantise_rows, quantise_rows
from model_runtime.prompt.encoder import Hole, PromptBudget, PromptRequest

FILES = Path(__file__).parent / "replay_set"
Rounding = Callable[[Float32], Float32]
_MAX_PROMPT = 320
_CHUNK = 2**17
"""Blocks that are searched at a time."""


def by_rows(matrix: Float32) -> Float32:
    """8 bits, with a scale for each row."""
    return dequantise_rows(*quantise_rows(matrix))


def in_blocks(matrix: Float32, size: int, round_blocks: Rounding) -> Float32:
    """Rounds a matrix in blocks of a row, [blocks, size] at a time."""
    flat = np.pad(matrix, ((0, 0), (0, -matrix.shape[1] % size))).reshape(-1, size)
    for start in range(0, len(flat), _CHUNK):
        flat[start : start + _CHUNK] = round_blocks(flat[start : start + _CHUNK])
    rounded: Float32 = flat.reshape(len(matrix), -1)[:, : matrix.shape[1]]
    return rounded


def symmetric(blocks: Float32, shrink: float = 1.0) -> Float32:
    """4 bits: the number of the largest amount becomes -8, or less than that when it is shrunk."""
    at = np.abs(blocks).argmax(-1, keepdims=True)
    scale = _half(np.take_along_axis(blocks, at, -1) * shrink / -8)
    return np.clip(np.rint(blocks / scale), -8, 7) * scale


def with_zero(blocks: Float32, shrink: float = 1.0) -> Float32:
    """4 bits from the least number to the largest, with a whole number that stands for zero."""
    low = np.minimum(blocks.min(-1, keepdims=True), 0) * shrink
    high = np.maximum(blocks.max(-1, keepdims=True), 0) * shrink
    scale = _half((high - low) / 15)
    zero = np.clip(np.rint(-low / scale), 0, 15)
    return (np.clip(np.rint(blocks / scale) + zero, 0, 15) - zero) * scale


def with_offset(blocks: Float32, shrink: float = 1.0) -> Float32:
    """4 bits from the least number to the largest, with an offset of any value."""
    middle = (blocks.min(-1, keepdims=True) + blocks.max(-1, keepdims=True)) / 2
    low = _half(middle + (blocks.min(-1, keepdims=True) - middle) * shrink, may_be_zero=True)
    high = middle + (blocks.max(-1, keepdims=True) - middle) * shrink
    scale = _half((high - low) / 15)
    return np.clip(np.rint((blocks - low) / scale), 0, 15) * scale + low


def searched(rounding: Callable[[Float32, float], Float32]) -> Rounding:
    """The shrinking of each block's range that leaves the least squared error."""

    def best(blocks: Float32) -> Float32:
        found = rounding(blocks, 1.0)
        least = ((found - blocks) ** 2).sum(-1, keepdims=True)
        for shrink in np.linspace(1.05, 0.75, 13):
            other = rounding(blocks, float(shrink))
            error = ((other - blocks) ** 2).sum(-1, keepdims=True)
            is_better = error < least
            found, least = np.where(is_better, other, found), np.minimum(error, least)
        return found

    return best


def _half(values: Float32, *, may_be_zero: bool = False) -> Float32:
    """Rounds to float16, as scales are stored."""
    halved = values.astype(np.float16).astype(np.float32)
    return halved if may_be_zero else np.where(halved == 0, np.float32(1), halved)


def _blocks(size: int, round_blocks: Rounding) -> Rounding:
    return lambda matrix: in_blocks(matrix, size, round_blocks)


FORMS: dict[str, tuple[Rounding | None, bool]] = {
    "float16": (None, False),
    "float16, one matrix": (None, True),
    "int8": (by_rows, False),
    "int8, one matrix": (by_rows, True),
    "int4-32 symmetric": (_blocks(32, symmetric), True),
    "int4-32 symmetric, searched": (_blocks(32, searched(symmetric)), True),
    "int4-32 zero": (_blocks(32, with_zero), True),
    "int4-32 zero, searched": (_blocks(32, searched(with_zero)), True),
    "int4-32 offset": (_blocks(32, with_offset), True),
    "int4-32 offset, searched": (_blocks(32, searched(with_offset)), True),
    "int4-32 symmetric of int8": (lambda matrix: in_blocks(by_rows(matrix), 32, symmetric), True),
    "int4-128 symmetric": (_blocks(128, symmetric), True),
}
"""Name -> rounding of matrices, and whether the output matrix is the embedding, too.  Embedding and
output matrix of 4-bit forms have 8 bits."""


class RoundedTensors(BundleTensors):
    """A bundle's tensors, rounded as they are read."""

    form: tuple[Rounding | None, bool]

    def float32(self, name: str) -> Float32:
        rounding, is_one = self.form
        values = super().float32(HEAD if is_one and name == EMBEDDING else name)
        if rounding is None or values.ndim == 1:
            return values
        return by_rows(values) if name in (EMBEDDING, HEAD) else rounding(values)


class RoundedBundle(ModelBundle):
    """A bundle whose weights are rounded as they are read."""

    form: tuple[Rounding | None, bool] = (None, False)

    def open_weights(self) -> BundleTensors:
        opened = super().open_weights()
        opened.__class__ = RoundedTensors
        opened.form = self.form  # type: ignore[attr-defined]
        return opened


def places(count: int) -> Iterator[tuple[Hole, str, str]]:
    """Holes, their middles and their files' paths."""
    paths = [path for part in ("ours", "others") for path in sorted((FILES / part).glob("*.*"))]
    chance = random.Random(0)
    for number in range(count):
        path = paths[number % len(paths)]
        lines = path.read_text("utf-8").splitlines(keepends=True)
        start = chance.choice([at for at, line in enumerate(lines) if line.strip()])
        end = min(len(lines), start + chance.randint(1, 3))
        before, middle, after = lines[:start], lines[start:end], lines[end:]
        yield Hole("".join(before), "".join(after)), "".join(middle), path.name


class Scored(NamedTuple):
    """One middle."""

    file: str
    bits: float
    size: int
    """Bytes in UTF-8."""
    likeliest: tuple[int, ...]


def scored(bundle: ModelBundle, network: Network, count: int) -> Iterator[Scored]:
    """Scores every middle."""
    for hole, middle, file in places(count):
        prompt = bundle.encoder.prompt(PromptRequest(hole, file), PromptBudget(_MAX_PROMPT)).ids
        after = bundle.tokenizer.encode(middle)
        ids = torch.tensor([*prompt, *after])
        cache = network.new_cache(1, len(ids))
        with torch.inference_mode():
            hidden = network.forward(ids[None, :-1], torch.tensor(0), cache, len(ids))
            logits = network.logits(hidden[:, -len(after) :])[0]
        chosen = logits.log_softmax(-1).gather(1, ids[-len(after) :, None])
        bits = -float(chosen.sum()) / math.log(2)
        yield Scored(file, bits, len(middle.encode()), tuple(logits.argmax(-1).tolist()))


def compared(ours: Sequence[Scored], first: Sequence[Scored]) -> dict[str, object]:
    """The figures of a form beside those of the first one."""
    pairs = [
        pair
        for one, other in zip(ours, first, strict=True)
        for pair in zip(one.likeliest, other.likeliest, strict=True)
    ]
    more = paired_ratio_difference(
        [(row.bits, row.size) for row in ours],
        [(row.bits, row.size) for row in first],
        [row.file for row in ours],
    )
    return {
        "bits per byte": round(sum(row.bits for row in ours) / sum(row.size for row in ours), 4),
        "more than the first": [round(value, 4) for value in more],
        "agreement": round(sum(one == other for one, other in pairs) / len(pairs), 4),
        "ids": len(pairs),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("--places", type=int, default=48)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--forms", nargs="*", default=list(FORMS), choices=FORMS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    bundle = RoundedBundle.open(args.model)
    figures: dict[str, dict[str, object]] = {}
    first: list[Scored] = []
    for name in args.forms:
        object.__setattr__(bundle, "form", FORMS[name])
        network = Network(bundle, torch.device("cpu"), "float32")
        rows = list(scored(bundle, network, args.places))
        del network
        first = first or rows
        figures[name] = compared(rows, first)
        print(name, figures[name], flush=True)
    record.write("weight_forms", figures, "python -m benchmarks.weight_forms MODEL")


if __name__ == "__main__":
    main()
