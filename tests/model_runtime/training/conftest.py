import random
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from attrs import evolve

from model_runtime.prompt.orders import FimTokens
from model_runtime.prompt.tokenizer import FimTokenizer
from model_runtime.training.batches import RowSource
from model_runtime.training.corpus.build import build_corpus
from model_runtime.training.documents import unpack
from model_runtime.training.recipe import CorpusRecipe, DataRecipe, ExecutorRecipe
from model_runtime.training.special_tokens import tokens_of
from model_runtime.training.tokenizer_training import build

NOUNS = (
    "table",
    "row",
    "column",
    "page",
    "letter",
    "colour",
    "queue",
    "branch",
    "leaf",
    "\u00fcber",
)
ALONE = ExecutorRecipe(tasks=1, workers=1)
"""Executor that stays in this process: quick for a few files."""
MIT = "Metadata-Version: 2.1\nName: x\nLicense-Expression: MIT\n"


def python_text(seed: int, functions: int = 6) -> str:
    """A module that parses, different for every seed."""
    rng = random.Random(seed)
    pieces = [f'"""Module {seed}."""\n\nimport math\n']
    for number in range(functions):
        first, second = rng.sample(NOUNS, 2)
        factor, offset = rng.randint(2, 999), rng.randint(2, 999)
        pieces.append(
            f"\n\n@traced\ndef {first}_{number}_{seed}({second}, items=[1, 2]):\n"
            f'    """Count the {second} of {first} {seed}."""\n'
            f"    total = math.floor({second} * {factor}) + {offset}\n"
            f"    for {first} in items:  # <|SUF|> {rng.random()}\n"
            f"        total += {first} if {first} > {offset} else -{first}\n"
            f"    return {{'{first}': total, '{second}': {factor}}}\n"
        )
    return "".join(pieces)


def write_wheel(folder: Path, name: str, files: Mapping[str, str], metadata: str = MIT) -> Path:
    """A wheel with these files."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}-1.0.dist-info/METADATA", metadata)
        for file, text in files.items():
            archive.writestr(f"{name}/{file}", text)
    return path


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three packages of ten modules; one of them is held out."""
    folder = tmp_path_factory.mktemp("corpus")
    for package in range(3):
        size = 130 if package == 0 else 12
        texts = {f"part_{i}.py": python_text(100 * package + i, size) for i in range(10)}
        write_wheel(folder / "wheels", f"package{package}", texts)
    recipe = CorpusRecipe(valid_share=0.01, block_mb=0.02)
    build_corpus(recipe, [str(folder / "wheels")], None, folder / "made", ALONE)
    return folder / "made"


@pytest.fixture(scope="session")
def tokenizer_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer of 400 ids."""
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    build(400, [python_text(seed) for seed in range(20)]).save(str(path))
    return path


@pytest.fixture(scope="session")
def tokenizer(tokenizer_path: Path) -> FimTokenizer:
    return FimTokenizer.from_file(tokenizer_path)


@pytest.fixture(scope="session")
def tokens(tokenizer: FimTokenizer) -> FimTokens:
    return tokens_of(tokenizer)


@pytest.fixture(scope="session")
def source(
    corpus: Path,
    tokenizer_path: Path,
    tokens: FimTokens,
    tmp_path_factory: pytest.TempPathFactory,
) -> RowSource:
    """PackedRows of 256 ids in many small blocks."""
    folder = tmp_path_factory.mktemp("unpacked")
    unpack(corpus, folder)
    data = evolve(
        DataRecipe(),
        window_tokens=(20, 120),
        windows_per_document=4,
        attention_within="example",
    )
    return RowSource(folder, tokenizer_path, tokens, data, context=256, block_mb=0.01, seed=0)
