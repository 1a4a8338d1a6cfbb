"""Optional stage between corpus and training: selects text from which little training learns most.

    OUT/corpus -> OUT/selection: every plain function as a document, and samples of whole files

The held-out part is taken over unchanged, so figures compare with those of a run over everything.
"""

from __future__ import annotations

import hashlib
import json
import logging
import lzma
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from attrs import asdict

from model_runtime.training.corpus.parts import INDEX, TEXT, Stored, write_parts
from model_runtime.training.corpus.source import CorpusError
from model_runtime.training.documents import Entry
from model_runtime.training.file_sample import (
    PYTHON,
    drawn,
    drawn_by_language,
    language_of,
    training_entries,
)
from model_runtime.training.functions import plain_functions
from model_runtime.training.recipe import SelectionRecipe

logger = logging.getLogger(__name__)


def select(recipe: SelectionRecipe, corpus: Path, out: Path) -> None:
    """Writes the selection of a corpus; the manifest holds the counts.

    Raises:
        CorpusError: nothing was selected.
    """
    out.mkdir(parents=True, exist_ok=True)
    spill, counts = out / "spill.bin", Counter[str]()
    seen: set[str] = set()
    stored: list[Stored] = []
    wanted = {entry.sha1 for entry in _whole_files(recipe, training_entries(corpus))}
    try:
        with open(spill, "wb") as file:

            def keep(entry: Entry, data: bytes) -> None:
                stored.append(Stored(entry, file.tell()))
                file.write(data)

            for entry, text in _documents(corpus):
                counts["files read"] += 1
                for source in _functions(recipe, entry, text):
                    data = source.encode()
                    sha1 = hashlib.sha1(data).hexdigest()[:16]
                    if sha1 in seen:
                        counts["equal functions"] += 1
                        continue
                    seen.add(sha1)
                    counts["functions"] += 1
                    counts["function bytes"] += len(data)
                    keep(entry._replace(sha1=sha1, size=len(data)), data)
                if entry.sha1 in wanted:
                    counts[f"whole files of {language_of(entry)}"] += 1
                    keep(entry, text.encode())
        if not stored:
            raise CorpusError(
                f"of {counts['files read']} files none was selected: they hold no plain function, "
                f"and are tests, stubs or larger than {recipe.files_mb:g} MB"
            )
        parts = write_parts(
            stored,
            "train",
            out,
            spill,
            part_mb=50,
            block_mb=32.0,
            preset=1,
            seed=recipe.seed,
            map_blocks=map,
        )
    finally:
        spill.unlink(missing_ok=True)
    for path in sorted(corpus.glob("valid-*")):
        shutil.copyfile(path, out / path.name)
    manifest = {"settings": asdict(recipe), "counts": dict(counts), "parts": parts}
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    logger.info("selection: %s", dict(counts))


def _whole_files(recipe: SelectionRecipe, entries: Iterable[Entry]) -> Iterator[Entry]:
    """Draws the files that are taken whole."""
    python, others = list[Entry](), list[Entry]()
    for entry in entries:
        if not entry.is_stub and not entry.is_test:
            (python if language_of(entry) == PYTHON else others).append(entry)
    yield from drawn(python, recipe.files_mb * 1e6, recipe.seed)
    yield from drawn_by_language(others, recipe.other_languages_mb * 1e6, recipe.seed)


def _functions(recipe: SelectionRecipe, entry: Entry, text: str) -> Iterator[str]:
    if language_of(entry) == PYTHON and not entry.is_stub and not entry.is_test:
        yield from plain_functions(text, recipe)


def _documents(corpus: Path) -> Iterator[tuple[Entry, str]]:
    for path in sorted(corpus.glob(f"train-*{INDEX}")):
        lines = lzma.decompress(path.read_bytes()).decode("utf-8").splitlines()
        text = path.with_name(path.name.removesuffix(INDEX) + TEXT)
        documents = lzma.decompress(text.read_bytes()).decode("utf-8").split("\0")
        yield from zip(map(Entry.parse, lines), documents[: len(lines)], strict=True)
