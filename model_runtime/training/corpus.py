"""Stage 1: from wheels and folders to a corpus of permissively licensed Python.

scan     licence of every package; rules per file; exact and near-duplicates
check    it parses; it shares no 13-gram with a benchmark
select   a cap per package; held-out packages for validation
write    compressed parts, `licences.tsv`, `manifest.json`
"""

from __future__ import annotations

import ast
import hashlib
import json
import logging
import multiprocessing
import os
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from model_runtime.training.decontamination import Benchmarks, read_programs
from model_runtime.training.dedup import TABLE_BITS, NearDuplicates, line_runs
from model_runtime.training.documents import Entry
from model_runtime.training.filters import normalised, reason_to_drop
from model_runtime.training.licences import Verdict
from model_runtime.training.packages import Package, find_packages
from model_runtime.training.parts import Stored, write_parts
from model_runtime.training.recipe import CorpusRecipe

logger = logging.getLogger(__name__)
In = TypeVar("In")
Out = TypeVar("Out")
Mapper = Callable[[Callable[[In], Out], Iterable[In]], Iterator[Out]]
VALID_CAP = 600_000
"""Most bytes of a held-out package."""
LEAST_HELD_OUT = 100_000
"""A package with fewer bytes is not worth holding out."""
BENCHMARK = "13-gram of a benchmark"


class KeptFile(NamedTuple):
    """A file that passed the rules."""

    path: str
    sha1: str
    data: bytes
    runs: npt.NDArray[np.uint32]


class Scan(NamedTuple):
    """One package after the rules per file."""

    package: Package
    verdict: Verdict
    dropped: Counter[str]
    """Files and bytes by reason; bytes under the reason with " bytes" behind it."""
    kept: list[KeptFile]


def build_corpus(
    recipe: CorpusRecipe,
    roots: Sequence[Path],
    benchmarks: Path | None,
    out: Path,
    *,
    processes: int | None = None,
    table_bits: int = TABLE_BITS,
) -> dict[str, Any]:
    """Write the corpus folder; gives back its manifest.

    Args:
        recipe: what is thrown away.
        roots: folders with wheels, or plain folders of one package each.
        benchmarks: folder with `*.jsonl(.gz)` of tasks that must not leak; None skips the step.
        out: the folder.
        processes: 0 works in this process; None takes all processors.
        table_bits: size of the table of near-duplicates.
    """
    out.mkdir(parents=True, exist_ok=True)
    programs = read_programs(benchmarks) if benchmarks else set()
    counts: Counter[str] = Counter()
    spill = out / "spill.tmp"
    try:
        with pool(processes) as mapped:
            packages = find_packages(roots)
            scans = mapped(scan, packages)
            near = NearDuplicates(recipe.least_new_lines, table_bits)
            documents, verdicts = spill_new(scans, near, spill, out / "licences.tsv", counts)
        with pool(processes, start_check, (programs, spill)) as mapped:
            documents, leaks = checked(documents, mapped(check, documents), counts)
        sizes = bytes_by_package(documents)
        held_out = choose_held_out(sizes, recipe.valid_share)
        kept = cap_packages(documents, int(recipe.cap_mb * 1e6), held_out)
        note_cap(counts, documents, kept)
        with pool(processes) as mapped:
            parts = []
            for kind in ("train", "valid"):
                chosen = [d for d in kept if (d.entry.package in held_out) == (kind == "valid")]
                parts += write_parts(
                    chosen,
                    kind,
                    out,
                    spill,
                    part_mb=recipe.part_mb,
                    block_mb=recipe.block_mb,
                    preset=recipe.xz_preset,
                    seed=recipe.seed,
                    map_blocks=mapped,
                )
    finally:
        spill.unlink(missing_ok=True)
    settings = asdict(recipe)
    del settings["roots"]  # where things lie on one machine is nobody's business
    manifest = {
        "format_version": 1,
        "settings": settings,
        "packages": len(sizes),
        "licences": dict(verdicts),
        "benchmark_programs": len(programs),
        "files": len(kept),
        "bytes": sum(document.entry.size for document in kept),
        "tests": sum(document.entry.is_test for document in kept),
        "stubs": sum(document.entry.is_stub for document in kept),
        "counts": dict(sorted(counts.items())),
        "held_out_packages": sorted(held_out),
        "benchmark_overlaps": leaks,
        "largest": [[name, size] for name, size in sizes.most_common(20)],
        "parts": parts,
    }
    text = json.dumps(manifest, indent=1) + "\n"
    (out / "manifest.json").write_text(text, encoding="utf-8")
    return manifest


def scan(package: Package) -> Scan:
    """One package, possibly in a worker."""
    dropped: Counter[str] = Counter()
    kept = []
    try:
        verdict, files = package.open()
        if verdict.kind == "permissive":
            for path, raw in files:
                count(dropped, "read", len(raw))
                data = normalised(raw)
                if reason := reason_to_drop(data):
                    count(dropped, reason, len(data))
                else:
                    sha1 = hashlib.sha1(data, usedforsecurity=False).hexdigest()
                    kept.append(KeptFile(path, sha1, data, line_runs(data)))
    except (OSError, zipfile.BadZipFile, zlib.error) as error:
        return Scan(package, Verdict("unreadable", "error", str(error)[:100]), dropped, [])
    return Scan(package, verdict, dropped, kept)


def spill_new(
    scans: Iterable[Scan],
    near: NearDuplicates,
    spill: Path,
    licences: Path,
    counts: Counter[str],
) -> tuple[list[Stored], Counter[str]]:
    """Spill what no earlier file duplicates, and write the verdict of every package."""
    seen: set[str] = set()
    documents: list[Stored] = []
    verdicts: Counter[str] = Counter()
    with open(spill, "wb") as text, open(licences, "w", encoding="utf-8") as table:
        for number, (package, verdict, dropped, kept) in enumerate(scans, 1):
            verdicts[verdict.kind] += 1
            table.write("\t".join((package.name, package.version, *verdict)) + "\n")
            counts += dropped
            for file in kept:
                is_new = file.sha1 not in seen
                seen.add(file.sha1)
                if not is_new:
                    count(counts, "exact duplicate", len(file.data))
                elif not near.is_new(file.runs):
                    count(counts, "near-duplicate", len(file.data))
                else:
                    entry = Entry(
                        file.sha1[:16],
                        package.name,
                        package.version,
                        file.path,
                        verdict.text[:40],
                        len(file.data),
                    )
                    documents.append(Stored(entry, text.tell()))
                    text.write(file.data)
            if number % 50 == 0:
                logger.info("%d packages read, %d files kept", number, len(documents))
    return documents, verdicts


_check: dict[str, Any] = {}
"""State of a worker of `check`; set by `start_check`."""


def start_check(programs: set[str], spill: Path) -> None:
    """Prepare a worker, or this process."""
    _check.update(benchmarks=Benchmarks(programs), spill=spill)


def check(document: Stored) -> str:
    """Why a document has to go after a second look; empty if it may stay."""
    with open(_check["spill"], "rb") as file:
        file.seek(document.start)
        text = file.read(document.entry.size).decode("utf-8")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "does not parse"
    return BENCHMARK if _check["benchmarks"].shared_runs(text) else ""


def checked(
    documents: Sequence[Stored], reasons: Iterable[str], counts: Counter[str]
) -> tuple[list[Stored], list[str]]:
    """Documents without a reason to go, and the names of those that share text with a benchmark."""
    passed, leaks = [], []
    for document, reason in zip(documents, reasons, strict=True):
        if not reason:
            passed.append(document)
            continue
        count(counts, reason, document.entry.size)
        if reason == BENCHMARK:
            leaks.append(f"{document.entry.package} {document.entry.path}")
    return passed, leaks


def count(counts: Counter[str], reason: str, size: int) -> None:
    """Note a file and its bytes."""
    counts[reason] += 1
    counts[reason + " bytes"] += size


def bytes_by_package(documents: Iterable[Stored]) -> Counter[str]:
    """Sizes, before the cap."""
    sizes: Counter[str] = Counter()
    for document in documents:
        sizes[document.entry.package] += document.entry.size
    return sizes


def choose_held_out(sizes: Counter[str], share: float) -> set[str]:
    """The first packages in the order of a hash of their names, so that the choice is stable."""
    eligible = sorted(
        (n for n in sizes if sizes[n] >= LEAST_HELD_OUT and not n.startswith("cpython_")),
        key=lambda name: hashlib.sha256(name.encode()).digest(),
    )
    return set(eligible[: max(1, round(share * len(sizes)))])


def cap_packages(documents: Sequence[Stored], cap: int, held_out: set[str]) -> list[Stored]:
    """At most so many bytes of a package; in the order of hashes, which is a random sample."""
    used: Counter[str] = Counter()
    kept = []
    for document in sorted(documents, key=lambda document: document.entry.sha1):
        package, size = document.entry.package, document.entry.size
        if used[package] + size <= (VALID_CAP if package in held_out else cap):
            used[package] += size
            kept.append(document)
    return kept


def note_cap(counts: Counter[str], before: Sequence[Stored], after: Sequence[Stored]) -> None:
    """Count what the cap dropped."""
    counts["above the cap"] = len(before) - len(after)
    sizes = [sum(document.entry.size for document in documents) for documents in (before, after)]
    counts["above the cap bytes"] = sizes[0] - sizes[1]


@contextmanager
def pool(
    processes: int | None,
    prepare: Callable[..., None] | None = None,
    arguments: tuple[Any, ...] = (),
) -> Iterator[Callable[..., Iterator[Any]]]:
    """An ordered, lazy `map` over worker processes; over this one for 0."""
    if processes == 0:
        if prepare:
            prepare(*arguments)
        yield map
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes or os.cpu_count(), prepare, arguments) as workers:
        yield workers.imap
