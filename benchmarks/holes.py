"""Measures how many tokens a second one core can cut holes into, and how many the loader makes.

    python -m benchmarks.holes [--run OUT]

The transform alone (drawing and cutting text; syntax trees are parsed where the mix needs them)
and the loader (reading, drawing, tokenizing, packing) are timed in turn over the same documents,
for the default mix and for the reference model's two free cuts.  Text is the standard library of
this Python, or the corpus and tokenizer of a finished run.  An H100 at 35 % MFU learns 982,000
tokens/s of the 46 M network with rows of 1,024: 35 % of 989.4 TFLOP/s over 0.352 GFLOP a token
(docs/notes/1.3b-plan.md).
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from attrs import evolve

from benchmarks import record
from benchmarks.training import prepare, tokens_in
from model_runtime.prompt.tokenizer import FimTokenizer
from model_runtime.training import windows
from model_runtime.training.batches import BlockBuilder, RowSource
from model_runtime.training.documents import unpack
from model_runtime.training.recipe import read_recipe
from model_runtime.training.recipe_files import find_recipe
from model_runtime.training.special_tokens import tokens_of

_ROUNDS = 5
_GPU = 982_000
"""Tokens that a GPU learns in a second."""
_TWO_FREE_CUTS = {
    "spans": {"character": 1.0},
    "orders": {"spm1": 1.0},
    "level": "context",
    "no_suffix_rate": 0.0,
    "snippet_rate": 0.0,
}
_NO_TREES = {"spans": {"rest-of-line": 0.6, "character": 0.2, "short-run": 0.2}}


def sources(out: Path) -> dict[str, BlockBuilder]:
    """Returns loaders of the mixes that are compared."""
    recipe = read_recipe(find_recipe("default"))
    tokenizer = out / "tokenizer" / "tokenizer.json"
    folder = out / "benchmark-corpus"
    unpack(out / "corpus", folder)
    source = RowSource(
        folder,
        tokenizer,
        tokens_of(FimTokenizer.from_file(tokenizer)),
        recipe.data,
        recipe.network.context,
        block_mb=1.0,
        seed=0,
    )
    return {
        "default mix": source.open(),
        "characters only": evolve(source, data=evolve(source.data, **_NO_TREES)).open(),
        "reference model": evolve(source, data=evolve(source.data, **_TWO_FREE_CUTS)).open(),
    }


def transform(blocks: BlockBuilder, number: int) -> float:
    """Returns seconds to read the documents of a block and to cut a hole into every window."""
    encoder = blocks.encoder
    low_high = encoder.data.window_tokens
    if encoder.data.level == "context":
        low_high = (encoder.context, encoder.context)
    started = time.perf_counter()
    for document in blocks.documents_of(number):
        reading = encoder.read(document, 0)
        if reading is None:
            continue
        for window in windows.whole(reading.text, low_high, reading.rng):
            encoder.holes.draw(reading.text, window, reading.syntax, reading.rng)
    return time.perf_counter() - started


def measure(loaders: dict[str, BlockBuilder]) -> dict[str, object]:
    """Returns tokens a second and core of each mix, rounds interleaved."""
    figures: dict[str, dict[str, list[float]]] = {name: {} for name in loaders}
    for blocks in loaders.values():
        blocks.make(0)
    for number in range(1, _ROUNDS + 1):
        for name, blocks in loaders.items():
            started = time.perf_counter()
            count = tokens_in(blocks.make(number).rows)
            loader = time.perf_counter() - started
            figures[name].setdefault("loader", []).append(count / loader)
            cutting = count / transform(blocks, number)
            figures[name].setdefault("transform", []).append(cutting)
    return {
        name: {
            part: {
                "tokens_per_second_and_core": record.spread(speeds),
                "times_what_the_gpu_eats": round(statistics.median(speeds) / _GPU, 2),
            }
            for part, speeds in parts.items()
        }
        for name, parts in figures.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", type=Path, help="folder of a run, with corpus and tokenizer")
    given = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # one core
    with tempfile.TemporaryDirectory() as folder:
        out = given.run or Path(folder)
        if given.run is None:
            prepare(out)
        figures = measure(sources(out))
    figures["gpu_tokens_per_second"] = _GPU
    figures["goal"] = "transform >= 10 x what the GPU eats, per core"
    for name, value in figures.items():
        print(f"{name}: {value}")
    record.write("holes", figures, "python -m benchmarks.holes")


if __name__ == "__main__":
    main()
