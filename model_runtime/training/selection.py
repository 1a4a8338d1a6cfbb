"""Optional stage between corpus and training: selects text from which little training learns most.

    OUT/corpus -> OUT/selection: every plain function as a document, and a sample of whole files

The held-out part is taken over unchanged, so figures compare with those of a run over everything.
"""

from __future__ import annotations

import hashlib
import json
import logging
import lzma
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from attrs import asdict

from model_runtime.training.corpus.parts import INDEX, TEXT, Stored, write_parts
from model_runtime.training.corpus.source import CorpusError
from model_runtime.training.documents import Entry
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
    files: list[tuple[Entry, bytes]] = []
    stored: list[Stored] = []
    rng = random.Random(recipe.seed)
    try:
        with open(spill, "wb") as file:

            def keep(entry: Entry, data: bytes) -> None:
                stored.append(Stored(entry, file.tell()))
                file.write(data)

            for entry, text in _documents(corpus):
                counts["files read"] += 1
                if entry.is_stub or entry.is_test:
                    continue
                for source in plain_functions(text, recipe):
                    data = source.encode()
                    sha1 = hashlib.sha1(data).hexdigest()[:16]
                    if sha1 in seen:
                        counts["equal functions"] += 1
                        continue
                    seen.add(sha1)
                    counts["functions"] += 1
                    counts["function bytes"] += len(data)
                    keep(entry._replace(sha1=sha1, size=len(data)), data)
                files.append((entry, text.encode()))
                if len(files) >= 4096:  # a sample of a sample: memory stays small
                    files = rng.sample(files, 2048)
            rng.shuffle(files)
            size = 0
            for entry, data in files:
                if size + len(data) <= recipe.files_mb * 1e6:
                    size += len(data)
                    counts["whole files"] += 1
                    keep(entry, data)
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


def _documents(corpus: Path) -> Iterator[tuple[Entry, str]]:
    for path in sorted(corpus.glob(f"train-*{INDEX}")):
        lines = lzma.decompress(path.read_bytes()).decode("utf-8").splitlines()
        text = path.with_name(path.name.removesuffix(INDEX) + TEXT)
        documents = lzma.decompress(text.read_bytes()).decode("utf-8").split("\0")
        yield from zip(map(Entry.parse, lines), documents[: len(lines)], strict=True)
