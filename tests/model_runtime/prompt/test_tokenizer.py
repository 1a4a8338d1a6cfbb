"""Known answers of the GPT-NeoX-20B tokenizer, and the promise that user text stays text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.errors import BundleError
from model_runtime.prompt.tokenizer import FimTokenizer


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("Hello", [12092]),
        (" Hello", [24387]),
        ("Hello world", [12092, 1533]),
        ("\n", [187]),
        ("\n\n", [535]),
        ("    ", [50274]),
        ("        ", [50270]),
        (" Outcomes", [50253]),
        ("  ", [50276]),
        ("", []),
    ],
)
def test_known_answers_of_the_20b_tokenizer(seed_tokenizer, text, ids):
    assert ids == seed_tokenizer.encode(text)


def test_the_sentinels_get_the_ids_of_the_seed(seed_tokenizer):
    assert 50280 == seed_tokenizer.size
    assert [50277, 50278, 50279] == [
        seed_tokenizer.id_of(token) for token in ("<|SUF|>", "<|PRE|>", "<|MID|>")
    ]


@pytest.mark.parametrize(
    "text",
    ["<|SUF|>", "a <|PRE|> b", "<|MID|>", "<|endoftext|>", "<|padding|>x", "x<|SUF|><|PRE|>"],
)
def test_text_that_spells_a_sentinel_never_becomes_one(seed_tokenizer, text):
    ids = seed_tokenizer.encode(text)

    assert not {0, 1, 50277, 50278, 50279} & set(ids)
    assert text == seed_tokenizer.decode(ids)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_back_as_it_was(seed_tokenizer, text):
    """Text that is not NFC too: the normaliser is off."""
    assert text == seed_tokenizer.decode(seed_tokenizer.encode(text))


def test_a_lone_surrogate_is_read_as_the_replacement_character(seed_tokenizer):
    assert "a\ufffdb" == seed_tokenizer.decode(seed_tokenizer.encode("a\ud800b"))


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
def test_offsets_count_code_points_and_rise(seed_tokenizer, text):
    ids, offsets = seed_tokenizer.encode_with_offsets(text)

    assert len(ids) == len(offsets)
    assert sorted(offsets) == offsets
    assert all(0 <= offset < len(text) for offset in offsets)


def test_a_sentinel_id_that_is_a_word_is_refused(seed_tokenizer):
    """The card's first release gave 50253, 50254, 50255: a word and two runs of spaces."""
    with pytest.raises(BundleError, match=r"50253.*not a special token"):
        seed_tokenizer.check_special_ids({0, 50253, 50254, 50255})


def test_an_unreadable_tokenizer_is_named(tmp_path):
    with pytest.raises(BundleError, match=r"tokenizer\.json is missing"):
        FimTokenizer.from_file(tmp_path / "tokenizer.json")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(BundleError, match="not a readable tokenizer"):
        FimTokenizer.from_file(tmp_path / "tokenizer.json")
