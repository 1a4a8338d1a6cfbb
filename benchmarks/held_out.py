"""Measures how well weights write the held-out documents of a corpus, by language.

    python -m benchmarks.held_out RECIPE CORPUS NAME=WEIGHTS... [--examples 384]

CORPUS is the folder of a run's corpus; WEIGHTS are runs, checkpoints, snapshots or bundles.
All are measured on the same examples, drawn for each language as a run draws those of its log.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

from benchmarks import record
from model_runtime.prompt.tokenizer import FimTokenizer
from model_runtime.store import installed
from model_runtime.store.names import DEFAULT
from model_runtime.training.batches import RowSource
from model_runtime.training.documents import Documents, unpack
from model_runtime.training.file_sample import PYTHON, language_of
from model_runtime.training.initial_weights import check_shapes, read_initial
from model_runtime.training.network import TrainingNetwork
from model_runtime.training.recipe import Recipe, read_recipe
from model_runtime.training.recipe_files import find_recipe
from model_runtime.training.run_identity import identity_of
from model_runtime.training.shape import shape_of
from model_runtime.training.special_tokens import tokens_of
from model_runtime.training.validation import Validation

LANGUAGES = ("python", "javascript", "typescript", "c", "cpp", "markdown")


def by_language(corpus: Path, folder: Path) -> Iterator[str]:
    """Writes the held-out documents of each language into a folder of its own.

    Args:
        corpus: the folder of a corpus.
        folder: is given a folder for each language.

    Yields:
        The languages that have documents.
    """
    unpack(corpus, folder / "all")
    documents = Documents(folder / "all", "valid")
    for language in LANGUAGES:
        numbers = [i for i, it in enumerate(documents.entries) if language_of(it) == language]
        if not numbers:
            continue
        own = folder / language
        own.mkdir()
        lines = "".join(documents.entries[number].line() for number in numbers)
        texts = b"".join(documents.text(number).encode() + b"\0" for number in numbers)
        (own / "valid-000.tsv").write_text(lines, encoding="utf-8")
        (own / "valid-000.txt").write_bytes(texts)
        yield language


def measured(recipe: Recipe, documents: Path, weights: list[Path], count: int) -> list[dict]:
    """Returns the figures of each weights on the held-out documents of a folder."""
    tokenizer = installed.find(DEFAULT).path / "tokenizer.json"
    words = FimTokenizer.from_file(tokenizer)
    source = RowSource(
        folder=documents,
        tokenizer=tokenizer,
        tokens=tokens_of(words),
        data=recipe.data,
        context=recipe.network.context,
        block_mb=recipe.train.block_mb,
        seed=recipe.train.seed,
    )
    validation, network = Validation(source, count), TrainingNetwork(shape_of(recipe, words.size))
    figures = []
    for path in weights:
        found = read_initial(path, identity_of(recipe, documents, tokenizer).tokenizer)
        check_shapes(found, dict(network.named_parameters()), path)
        with torch.no_grad():
            for name, weight in network.named_parameters():
                weight.copy_(found[name])
        figures.append(validation.measure(network, torch.float32, per_row=False))
    return figures


def main() -> None:
    """Prints a table, and records it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe")
    parser.add_argument("corpus", type=Path)
    parser.add_argument("weights", nargs="+", metavar="NAME=WEIGHTS")
    parser.add_argument("--examples", type=int, default=384)
    args = parser.parse_args()
    named = {name: Path(path) for name, _, path in (it.partition("=") for it in args.weights)}
    recipe, figures = read_recipe(find_recipe(args.recipe)), {}
    with tempfile.TemporaryDirectory() as folder:
        for language in by_language(args.corpus, Path(folder)):
            count = args.examples if language == PYTHON else args.examples // 2
            rows = measured(recipe, Path(folder) / language, list(named.values()), count)
            figures[language] = dict(zip(named, rows, strict=True))
            for name, row in figures[language].items():
                print(f"{language:11} {name:24}", row)
    command = f"python -m benchmarks.held_out {args.recipe} CORPUS NAME=WEIGHTS..."
    record.write("held_out_languages", figures, command)


if __name__ == "__main__":
    main()
