"""A recipe trains a tokenizer, or takes one that there is."""

import random
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from model_runtime.prompt.tokenizer import FimTokenizer
from model_runtime.training.recipe import TokenizerRecipe
from model_runtime.training.special_tokens import tokens_of
from model_runtime.training.tokenizer_training import (
    TokenizerDefect,
    check,
    draw_sample,
    make_tokenizer,
    read_texts,
)

NEOX = Path(__file__).parents[2] / "data" / "20B_tokenizer.json"


def test_the_tokenizer_of_the_reference_model_gets_its_sentinels_behind_its_ids(
    corpus: Path, tmp_path: Path
):
    recipe = TokenizerRecipe(file=str(NEOX), vocabulary=50_280)
    density = make_tokenizer(recipe, corpus, tmp_path / "tokenizer.json")
    tokens = tokens_of(FimTokenizer.from_file(tmp_path / "tokenizer.json"))

    assert (50_277, 50_278, 50_279, 0) == (
        tokens.suffix,
        tokens.prefix,
        tokens.middle,
        tokens.end,
    )
    assert 1.5 < density < 5


def test_a_tokenizer_of_another_size_is_refused(corpus: Path, tmp_path: Path):
    recipe = TokenizerRecipe(file=str(NEOX), vocabulary=50_277)
    with pytest.raises(TokenizerDefect, match=r"50280 ids with its sentinels; .* is 50277"):
        make_tokenizer(recipe, corpus, tmp_path / "tokenizer.json")


def test_a_file_that_is_no_tokenizer_is_named(corpus: Path, tmp_path: Path):
    (tmp_path / "notes.txt").write_text("notes")
    recipe = TokenizerRecipe(file=str(tmp_path / "notes.txt"))
    with pytest.raises(TokenizerDefect, match=r"tokenizer\.file: .*notes\.txt cannot be read"):
        make_tokenizer(recipe, corpus, tmp_path / "tokenizer.json")


def test_a_tokenizer_that_changes_text_is_refused(tokenizer_path: Path, tmp_path: Path):
    tokenizer = Tokenizer.from_file(str(tokenizer_path))
    tokenizer.decoder = None
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(TokenizerDefect, match="the tokenizer changes"):
        check(FimTokenizer.from_file(tmp_path / "tokenizer.json"), ["x = 1\n"])


def test_the_sample_is_random_of_the_size_asked_for_and_repeatable():
    texts = [f"{i:04d}" * 25 for i in range(2000)]
    recipe = TokenizerRecipe(sample_mb=0.02)
    sample = draw_sample(iter(texts), len(texts), recipe)
    again = draw_sample(iter(texts), len(texts), recipe)
    numbers = [texts.index(text) for text in sample]

    assert sample == again
    assert len(sample) == 200
    assert numbers != sorted(numbers)
    assert 800 < sum(numbers) / len(numbers) < 1200


def test_a_sample_larger_than_the_corpus_is_all_of_it(corpus: Path):
    texts = list(read_texts(corpus, "train"))
    sample = draw_sample(texts, len(texts), TokenizerRecipe(sample_mb=1000.0))

    assert sorted(texts) == sorted(sample)
    assert len(texts) == 20
    assert not any("\0" in text for text in texts)


def test_documents_longer_than_a_piece_of_reading_come_whole(tmp_path: Path):
    import lzma

    text = "".join(random.Random(0).choices("abc\u00e9\n", k=5_000_000))
    (tmp_path / "train-000.txt.xz").write_bytes(
        lzma.compress(f"{text}\0x\r\n\0".encode(), preset=0)
    )

    assert [text, "x\r\n"] == list(read_texts(tmp_path, "train"))
