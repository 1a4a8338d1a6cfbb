"""Tells the languages of a corpus by its index, and draws whole files of them at random."""

from __future__ import annotations

import lzma
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from model_runtime.syntax.languages import language_id
from model_runtime.training.corpus.parts import INDEX
from model_runtime.training.documents import Entry

PYTHON = "python"
MIN_SHARE = 0.01
"""Share of the bytes from which on a language counts as learned."""


def training_entries(corpus: Path) -> Iterator[Entry]:
    """Yields the entries of all documents that a corpus, or a selection, trains on."""
    for path in sorted(corpus.glob(f"train-*{INDEX}")):
        lines = lzma.decompress(path.read_bytes()).decode("utf-8").splitlines()
        yield from map(Entry.parse, lines)


def languages_of(entries: Iterable[Entry]) -> tuple[str, ...]:
    """Returns the languages that have a hundredth of the bytes or more, the largest first."""
    sizes = Counter[str]()
    for entry in entries:
        sizes[language_of(entry)] += entry.size
    least = MIN_SHARE * sizes.total()
    return tuple(language for language, size in sizes.most_common() if size >= least)


def language_of(entry: Entry) -> str:
    """Returns the id of a document's language; a row of a table without a path is Python."""
    return language_id(entry.path) if entry.path else PYTHON


def drawn(entries: Iterable[Entry], size: float, seed: int) -> list[Entry]:
    """Draws files until the next one would exceed a size; smaller ones behind it may still fit.

    Args:
        entries: the files.
        size: most bytes of all that are drawn.
        seed: of the draw.
    """
    found, left = list[Entry](), size
    candidates = list(entries)
    random.Random(seed).shuffle(candidates)
    for entry in candidates:
        if entry.size <= left:
            left -= entry.size
            found.append(entry)
    return found


def drawn_by_language(entries: Iterable[Entry], size: float, seed: int) -> Iterator[Entry]:
    """Draws files so that all languages have equal parts of a size, as far as they have files.

    Args:
        entries: the files.
        size: most bytes of all that are drawn; what one language lacks is shared by the others.
        seed: of the draw.
    """
    by_language: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_language[language_of(entry)].append(entry)
    scarce_first = sorted(by_language.values(), key=lambda files: sum(it.size for it in files))
    left = size
    for number, files in enumerate(scarce_first):
        found = drawn(files, left / (len(scarce_first) - number), seed)
        left -= sum(entry.size for entry in found)
        yield from found
