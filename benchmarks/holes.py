"""How many tokens a second one core makes ready, beside what an accelerator eats.

    python -m benchmarks.holes [--run OUT]

Three figures for the same documents, taken in turn: drawing holes alone (draws, syntax tree,
windows, cuts), the same without a syntax tree (the seed's transform: two free cuts), and the whole
loader (tokenised and packed, too).  Text is the standard library of this Python, or the corpus and
tokenizer of a finished run.  The accelerator is one H100 that trains the 46 M network at 35 % MFU:
982,000 tokens/s (0.352 GFLOP a token at rows of 1,024, of 989 TFLOP/s).
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from benchmarks import record
from benchmarks.training import prepare
from model_runtime.tokenizer import FimTokenizer
from model_runtime.training.__main__ import find_recipe
from model_runtime.training.batches import Blocks, Source
from model_runtime.training.documents import unpack
from model_runtime.training.encode import Encoder
from model_runtime.training.recipe import DataRecipe, read_recipe
from model_runtime.training.special_tokens import tokens_of

H100 = 982_000
"""Tokens per second."""
_ROUNDS = 7
SEED = {"spans": {"character": 1.0}, "no_suffix_rate": 0.0, "snippet_rate": 0.0}


def holes(encoder: Encoder, documents: list[int], epoch: int) -> float:
    """Seconds for reading documents and drawing their windows and holes."""
    started = time.perf_counter()
    for number in documents:
        reading = encoder.read(number, epoch)
        if reading is not None:
            for window in encoder.windows(reading):
                encoder.holes.draw(reading.text, window, reading.syntax, reading.rng)
    return time.perf_counter() - started


def loader(blocks: Blocks, number: int) -> float:
    """Seconds for a block of rows."""
    started = time.perf_counter()
    blocks.make(number)
    return time.perf_counter() - started


def measure(folder: Path, data: DataRecipe, context: int) -> dict[str, object]:
    """Tokens per second and core of each."""
    unpack(folder / "corpus", folder / "plain")
    path = folder / "tokenizer" / "tokenizer.json"
    tokens = tokens_of(FimTokenizer.from_file(path))
    source = Source(folder / "plain", path, tokens, data, context, block_mb=1.0, seed=0)
    blocks = source.open()
    plain = replace(source, data=replace(data, **SEED)).open().encoder
    speeds: dict[str, list[float]] = {"holes": [], "two free cuts": [], "loader": []}
    for number in range(_ROUNDS + 1):
        documents = blocks.documents_of(number)
        ids = [s.ids for d in documents for s in blocks.encoder.sequences(d, 0) if s.ids]
        count = sum(map(len, ids))
        seconds = {
            "holes": holes(blocks.encoder, documents, 0),
            "two free cuts": holes(plain, documents, 0),
            "loader": loader(blocks, number),
        }
        if number:  # the first round warms up
            for name, taken in seconds.items():
                speeds[name].append(count / taken)
    return {
        name: {
            "tokens_per_second_and_core": record.spread(found),
            "of_one_h100_at_35_percent": round(sorted(found)[len(found) // 2] / H100, 2),
        }
        for name, found in speeds.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", type=Path, help="folder of a run, with corpus and tokenizer")
    given = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # one core
    recipe = read_recipe(find_recipe("default"))
    with tempfile.TemporaryDirectory() as scratch:
        out = given.run or Path(scratch)
        if given.run is None:
            prepare(out)
        figures = measure(out, recipe.data, recipe.network.context)
    record.write("holes", figures, "python -m benchmarks.holes")


if __name__ == "__main__":
    main()
