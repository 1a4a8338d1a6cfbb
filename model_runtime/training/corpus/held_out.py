"""Decides which documents of a corpus are kept, and which of them are held out for validation."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence

from model_runtime.training.corpus.executors import Tally
from model_runtime.training.corpus.parts import Stored
from model_runtime.training.corpus.source import CorpusError

VALID_CAP = 600_000
"""Most bytes of a held-out package."""
MIN_HELD_OUT = 100_000
"""Fewest bytes of a package that is worth holding out."""


def bytes_by_package(documents: Iterable[Stored]) -> Counter[str]:
    """Returns the sizes of packages, before the cap."""
    sizes: Counter[str] = Counter()
    for document in documents:
        sizes[document.entry.package] += document.entry.size
    return sizes


def choose_held_out(sizes: Counter[str], share: float) -> set[str]:
    """Returns the packages that are held out: the first in the order of a hash of their names.

    So the choice is stable.  One package at least stays for training, so a single one is never held
    out.
    """
    eligible = sorted(
        (n for n in sizes if sizes[n] >= MIN_HELD_OUT and not n.startswith("cpython_")),
        key=lambda name: hashlib.sha256(name.encode()).digest(),
    )
    return set(eligible[: min(max(1, round(share * len(sizes))), len(sizes) - 1)])


def cap_packages(documents: Sequence[Stored], cap: int, held_out: set[str]) -> list[Stored]:
    """Keeps at most so many bytes of a package, in the order of hashes: a random sample."""
    used: Counter[str] = Counter()
    kept = []
    for document in sorted(documents, key=lambda document: document.entry.sha1):
        package, size = document.entry.package, document.entry.size
        if used[package] + size <= (VALID_CAP if package in held_out else cap):
            used[package] += size
            kept.append(document)
    return kept


def above_cap(before: Sequence[Stored], after: Sequence[Stored]) -> Tally:
    """Returns the number and bytes of the documents that the cap dropped."""
    sizes = [sum(document.entry.size for document in documents) for documents in (before, after)]
    return Tally(len(before) - len(after), sizes[0] - sizes[1])


def choose_documents(documents: Sequence[Stored], share: float) -> set[str]:
    """Returns hashes of single documents to hold out, where no package can be held out.

    They are the share of the bytes, but no less than a held-out package has or a tenth of all: a
    small share of a small project measures nothing.  Half of the bytes at least stay for training.

    Raises:
        CorpusError: there are fewer than two documents to divide.
    """
    if len(documents) < 2:
        raise CorpusError(
            f"{len(documents)} of the corpus's documents can be kept; training needs two at least, "
            "since one is held out for validation"
        )
    total = sum(document.entry.size for document in documents)
    wanted = max(share * total, min(MIN_HELD_OUT, total / 10))
    chosen: set[str] = set()
    used = 0
    for document in sorted(documents, key=lambda document: document.entry.sha1):
        if chosen and used >= wanted:
            break
        if used + document.entry.size <= total / 2:
            chosen.add(document.entry.sha1)
            used += document.entry.size
    return chosen
