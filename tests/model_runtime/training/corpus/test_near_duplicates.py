"""MinHash finds near-duplicates as often as its theory says."""

import itertools
import random

import pytest

from model_runtime.training.corpus.near_duplicates import (
    AT_ONCE,
    Clusters,
    CodeSignatures,
    config_of,
)
from model_runtime.training.corpus.runs import words_of
from model_runtime.training.recipe import CorpusRecipe


@pytest.fixture(scope="module")
def signatures(tmp_path_factory: pytest.TempPathFactory) -> CodeSignatures:
    return CodeSignatures(tmp_path_factory.mktemp("signatures"), CorpusRecipe())


def share_a_bucket(signatures: CodeSignatures, one: str, other: str) -> bool:
    buckets = [signatures.get_signature(signatures.get_shingles(text)) for text in (one, other)]
    return any(a == b for a, b in zip(*buckets, strict=True))


def words(seed: int, count: int) -> list[str]:
    rng = random.Random(seed)
    return [f"name_{rng.randrange(10**9)}" for _ in range(count)]


@pytest.mark.parametrize(
    ("similarity", "low", "high"),
    # 1 - (1 - s**8)**14 is 0.92 at 0.8 and 0.05 at 0.5; the bounds hold four standard deviations.
    [(0.8, 0.84, 0.99), (0.5, 0.0, 0.14), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)],
)
def test_pairs_are_found_with_the_probability_of_14_buckets_of_8(
    signatures: CodeSignatures, similarity: float, low: float, high: float
):
    pairs, length = 200, 400
    # Of n runs, two texts that share their first k words have about k in common: s = k / (2n - k).
    common = round(2 * length * similarity / (1 + similarity))
    found = sum(
        share_a_bucket(
            signatures,
            " ".join(words(seed, length)),
            " ".join(words(seed, length)[:common] + words(seed + 10**6, length)[common:]),
        )
        for seed in range(pairs)
    )

    assert low <= found / pairs <= high


def test_signs_count_and_white_space_does_not(signatures: CodeSignatures):
    text = "total = sum(x ** 2 for x in row) / len(row)\n" * 3

    assert share_a_bucket(signatures, text, text.replace(" ", "  "))
    other = signatures.get_shingles(text.replace("**", "//"))
    assert signatures.get_shingles(text).tolist() != other.tolist()
    assert words_of("a+=b") == ["a", "+", "=", "b"]


def test_long_documents_are_hashed_piece_by_piece_to_the_same_signature(
    signatures: CodeSignatures, monkeypatch: pytest.MonkeyPatch
):
    shingles = signatures.get_shingles(" ".join(words(1, 300)))
    whole = signatures.get_signature(shingles)
    monkeypatch.setattr("model_runtime.training.corpus.near_duplicates.AT_ONCE", 7)

    assert AT_ONCE > len(shingles)
    assert whole == signatures.get_signature(shingles)


def test_a_document_of_a_few_words_is_no_near_duplicate(signatures: CodeSignatures):
    assert len(signatures.get_shingles("x = 1")) == 0


def test_the_first_of_a_chain_stays_whatever_the_order_of_the_links():
    rng, members = random.Random(0), [(0, number) for number in range(30)]
    links = list(itertools.pairwise(members))
    for _ in range(20):
        rng.shuffle(links)
        clusters = Clusters({place: (place[1],) for place in members})
        for one, other in links:
            clusters.link(*rng.sample((one, other), 2))

        assert {(0, 0)} == {clusters.first(place) for place in members}


def test_the_recipe_sets_the_buckets():
    config = config_of(CorpusRecipe(minhash_buckets=20, minhash_hashes=5, minhash_words=7))

    assert (20, 5, 7) == (config.num_buckets, config.hashes_per_bucket, config.n_grams)
