"""Makes the corpus folder: phases on an executor, then the parts.

    read     licence of every source; rules per file; scrubbing; hashes and MinHash signatures
    match    near-duplicates, bucket by bucket
    choose   of equal and nearly equal documents the first
    check    it parses; it shares no 13-gram with a benchmark
    write    a cap per package; held-out packages; compressed parts, `licences.tsv`, `manifest.json`

The files that the phases leave for each other lie in OUT/work until the corpus is whole.
"""

from __future__ import annotations

import hashlib
import json
import logging
import multiprocessing
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import asdict
from datatrove.pipeline.dedup.minhash import MinhashDedupBuckets

from model_runtime.training.corpus import steps, store
from model_runtime.training.corpus.decontamination import read_tasks
from model_runtime.training.corpus.executors import Phase, Tally, run_phases
from model_runtime.training.corpus.held_out import (
    above_cap,
    bytes_by_package,
    cap_packages,
    choose_documents,
    choose_held_out,
)
from model_runtime.training.corpus.near_duplicates import CodeSignatures, config_of
from model_runtime.training.corpus.parts import Stored, write_parts
from model_runtime.training.corpus.roots import find_sources
from model_runtime.training.corpus.source import CorpusError, CorpusSource
from model_runtime.training.documents import Entry
from model_runtime.training.recipe import CorpusRecipe, ExecutorRecipe

logger = logging.getLogger(__name__)
WORK = "work"


def build_corpus(
    recipe: CorpusRecipe,
    roots: Sequence[str],
    benchmarks: Path | None,
    out: Path,
    executor: ExecutorRecipe | None = None,
) -> dict[str, Any]:
    """Writes the corpus folder; returns its manifest.

    Args:
        recipe: says what is read, and what is thrown away.
        roots: see `corpus/roots.py`.
        benchmarks: folder with tasks that must not leak, as tables or as files of code; None
            skips the step.
        out: the folder to write.
        executor: says who does it; None takes this machine's processors.

    Raises:
        CorpusError: a root cannot be read, a phase failed, or nothing is left.
    """
    executor = executor or ExecutorRecipe()
    sources = find_sources(roots)
    tasks = read_tasks(benchmarks) if benchmarks else set()
    # What an earlier start with other settings or roots has left does not fit.
    key = hashlib.sha256(repr((asdict(recipe), executor.tasks, sources, sorted(tasks))).encode())
    work = out / WORK / key.hexdigest()[:16]
    for other in out.glob(f"{WORK}/*"):
        if other != work:
            shutil.rmtree(other)
    work.mkdir(parents=True, exist_ok=True)
    counts = run_phases(executor, phases(recipe, executor, sources, tasks, work), work / "logs")
    manifest = _write(recipe, tasks, counts, work, out)
    shutil.rmtree(out / WORK)
    return manifest


def phases(
    recipe: CorpusRecipe,
    executor: ExecutorRecipe,
    sources: Sequence[CorpusSource],
    benchmarks: set[str],
    work: Path,
) -> list[Phase]:
    """Returns the phases, in order."""
    kept, signatures, matches = work / "kept", work / "signatures", work / "matches"
    removed, passed = work / "removed", work / "passed"
    many, config = executor.tasks, config_of(recipe)
    read = [
        steps.ReadSources(sources, recipe, work / "licences"),
        steps.DropByRule(),
        *([steps.Scrub()] if recipe.scrub else []),
        steps.Hash(),
        steps.Keep(kept),
        CodeSignatures(signatures, recipe),
    ]
    match = MinhashDedupBuckets(str(signatures), str(matches), config=config)
    check = [
        steps.ReadKept(kept, removed),
        steps.DropByContent(benchmarks, recipe, work / "leaks"),
        steps.Keep(passed),
    ]
    return [
        Phase("read", read, many),
        Phase("match", [match], config.num_buckets),
        Phase("choose", [steps.ChooseFirst(kept, matches, removed, many)], 1),
        Phase("check", check, many),
    ]


def _write(
    recipe: CorpusRecipe, tasks: set[str], counts: dict[str, Tally], work: Path, out: Path
) -> dict[str, Any]:
    """Writes parts, licences and manifest from what the phases have left."""
    verdicts = _write_licences(work / "licences", out / "licences.tsv")
    spill = work / "spill"
    documents = spilled(work / "passed", spill)
    if not documents:
        raise CorpusError(f"no document is left: {_why_empty(counts, verdicts)}")
    sizes = bytes_by_package(documents)
    held_out = choose_held_out(sizes, recipe.valid_share)
    kept = cap_packages(documents, int(recipe.cap_mb * 1e6), held_out)
    of_documents = set() if held_out else choose_documents(kept, recipe.valid_share)
    counts["above the cap"] = above_cap(documents, kept)
    parts = []
    with pool() as mapped:
        for kind in ("train", "valid"):
            chosen = [
                d
                for d in kept
                if (d.entry.package in held_out or d.entry.sha1 in of_documents)
                == (kind == "valid")
            ]
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
    settings = asdict(recipe)
    del settings["roots"]  # where things lie on one machine is nobody's business
    manifest: dict[str, Any] = {
        "format_version": 1,
        "settings": settings,
        "packages": len(sizes),
        "licences": dict(verdicts),
        "benchmark_programs": len(tasks),
        "files": len(kept),
        "bytes": sum(document.entry.size for document in kept),
        "tests": sum(document.entry.is_test for document in kept),
        "stubs": sum(document.entry.is_stub for document in kept),
        "counts": {
            reason: counts[reason]._asdict()
            for reason in sorted(counts)
            if not reason.startswith(steps.SCRUBBED)
        },
        "scrubbed": {
            reason.removeprefix(steps.SCRUBBED): counts[reason].bytes
            for reason in sorted(counts)
            if reason.startswith(steps.SCRUBBED)
        },
        "held_out_packages": sorted(held_out),
        "held_out_documents": len(of_documents),
        "benchmark_overlaps": _leaks(work / "leaks"),
        "largest": [[name, size] for name, size in sizes.most_common(20)],
        "parts": parts,
    }
    text = json.dumps(manifest, indent=1) + "\n"
    (out / "manifest.json").write_text(text, encoding="utf-8")
    logger.info(
        "corpus: %d files, %.1f MB, of %d packages; %s",
        len(kept),
        manifest["bytes"] / 1e6,
        len(sizes),
        _dropped(counts),
    )
    return manifest


def spilled(folder: Path, spill: Path) -> list[Stored]:
    """Writes the texts of all tasks into one file, in the order of their sources; returns their
    places.
    """
    found: list[tuple[tuple[int, ...], Stored]] = []
    with open(spill, "wb") as file:
        for path in sorted(folder.glob("*.zst")):
            for document in store.read(path):
                data, about = document.text.encode(), document.metadata
                names = [about[name] for name in ("package", "version", "path", "licence")]
                entry = Entry._make([about["sha1"][:16], *names, len(data)])
                found.append((tuple(about["order"]), Stored(entry, file.tell())))
                file.write(data)
    return [stored for _, stored in sorted(found)]


def _write_licences(folder: Path, table: Path) -> Counter[str]:
    """Writes `licences.tsv`, one line a source, in their order; returns the counts by verdict."""
    entries: dict[int, list[str]] = {}
    for path in sorted(folder.glob("*.json")):
        for number, *entry in json.loads(path.read_text("utf-8")):
            entries[number] = entry
    lines = ["\t".join(entries[number]) + "\n" for number in sorted(entries)]
    table.write_text("".join(lines), encoding="utf-8")
    return Counter(entry[2] for entry in entries.values())


def _leaks(folder: Path) -> list[str]:
    return sorted(
        name for path in folder.glob("*.json") for name in json.loads(path.read_text("utf-8"))
    )


def _why_empty(counts: dict[str, Tally], verdicts: Counter[str]) -> str:
    kinds = ", ".join(f"{kind} {n}" for kind, n in verdicts.most_common())
    hint = "; corpus.assumed_licence says it of code of your own" if verdicts["unknown"] else ""
    if verdicts["permissive"] and not ("read" in counts and counts["read"].documents):
        hint += "; no file has an ending of corpus.suffixes, or git tracks none"
    if verdicts["unreadable"]:
        hint += "; licences.tsv says why a source could not be read"
    return f"{_dropped(counts)}; licences of sources: {kinds}{hint}"


def _dropped(counts: dict[str, Tally]) -> str:
    """Returns the most frequent reasons, for people."""
    reasons = Counter(
        {
            reason: tally.documents
            for reason, tally in counts.items()
            if reason != "read" and tally.documents and not reason.startswith(steps.SCRUBBED)
        }
    )
    listed = ", ".join(f"{reason} {n}" for reason, n in reasons.most_common(5))
    read = counts["read"].documents if "read" in counts else 0
    return f"files read {read}, of them dropped: {listed or 'none'}"


@contextmanager
def pool() -> Iterator[Callable[..., Iterator[Any]]]:
    """Gives an ordered, lazy `map` over worker processes; over this one where it is alone."""
    if (os.cpu_count() or 1) == 1:
        yield map
        return
    with multiprocessing.get_context("spawn").Pool() as workers:
        yield workers.imap
