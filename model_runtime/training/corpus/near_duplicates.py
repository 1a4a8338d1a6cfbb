"""Finds near-duplicates by MinHash: the phases of datatrove, over the words of code.

datatrove hashes words of natural language, in lower case and without signs; of code that leaves too
little.  Here a document is the set of its runs of five words, signs included.  With 14 buckets of 8
hashes two documents of similarity 0.8 are found with probability 1 - (1 - 0.8**8)**14 = 0.92.

Documents that are linked through others are one cluster, and the first of them in the order of the
sources stays; so neither the number of tasks nor of workers changes what is kept.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupSignature
from datatrove.utils.word_tokenizers import WordTokenizer

from model_runtime.training.corpus.runs import run_hashes, words_of
from model_runtime.training.recipe import CorpusRecipe

AT_ONCE = 8_192
"""Number of runs that are hashed together; each needs 112 x 8 bytes of memory."""
DocumentKey = tuple[int, int]
"""Task, and number of a document in it."""


def config_of(recipe: CorpusRecipe) -> MinhashConfig:
    """Returns the settings under datatrove's names."""
    return MinhashConfig(
        n_grams=recipe.minhash_words,
        num_buckets=recipe.minhash_buckets,
        hashes_per_bucket=recipe.minhash_hashes,
    )


class CodeWords(WordTokenizer):
    """Splits text by `words_of`, so that datatrove loads no tokenizer of natural language."""

    def word_tokenize(self, text: str) -> list[str]:
        """Returns the words of code."""
        return words_of(text)

    def sent_tokenize(self, text: str) -> list[str]:
        """Refuses: sentences are not asked for."""
        raise NotImplementedError

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        """Refuses: spans are not asked for."""
        raise NotImplementedError


class CodeSignatures(MinhashDedupSignature):
    """datatrove's first phase, with runs that suit code."""

    name = "signatures"

    def __init__(self, folder: Path, recipe: CorpusRecipe) -> None:
        super().__init__(str(folder), config_of(recipe), CodeWords())

    def get_shingles(self, text: str) -> npt.NDArray[np.uint64]:
        """Returns hashes of the different runs, shape (N, 1)."""
        words = words_of(text)
        numbers = {word: zlib.crc32(word.encode("utf-8", "surrogatepass")) for word in set(words)}
        values = np.fromiter((numbers[word] for word in words), np.uint64, len(words))
        return np.unique(run_hashes(values, self.config.n_grams)).reshape(-1, 1)

    def get_signature(self, shingles: npt.NDArray[np.uint64]) -> list[list[int]]:
        """Returns the least hash of each function, in buckets."""
        a, b = self.parameters
        prime = np.uint64((1 << 61) - 1)
        least = np.full(self.num_hashes, np.iinfo(np.uint64).max, np.uint64)
        for start in range(0, len(shingles), AT_ONCE):
            hashed = (shingles[start : start + AT_ONCE] * a + b) % prime
            least = np.minimum(least, hashed.min(axis=0))
        return [bucket.tolist() for bucket in np.split(least, self.config.num_buckets)]


def pairs(folder: Path) -> Iterator[tuple[DocumentKey, DocumentKey]]:
    """Yields the near-duplicates that datatrove's second phase has found."""
    for path in sorted(folder.glob("*.dups")):
        for task, number, other_task, other in np.fromfile(path, "<u4").reshape(-1, 4).tolist():
            yield (task, number), (other_task, other)


class Clusters:
    """Linked documents; the one of the least rank stands for its cluster.

    >>> clusters = Clusters({"a": 2, "b": 1, "c": 3})
    >>> clusters.link("a", "c"), clusters.link("c", "b")
    (None, None)
    >>> clusters.first("c")
    'b'
    """

    def __init__(self, rank: dict[DocumentKey, tuple[int, ...]]) -> None:
        self._rank = rank
        self._towards: dict[DocumentKey, DocumentKey] = {}

    def first(self, place: DocumentKey) -> DocumentKey:
        """Returns the document that stands for the cluster of this one."""
        path = []
        while (next_place := self._towards.get(place, place)) != place:
            path.append(place)
            place = next_place
        self._towards.update(dict.fromkeys(path, place))
        return place

    def link(self, one: DocumentKey, other: DocumentKey) -> None:
        """Joins the clusters of two documents."""
        first, second = sorted((self.first(one), self.first(other)), key=self._rank.__getitem__)
        if first != second:
            self._towards[second] = first
