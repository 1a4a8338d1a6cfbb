"""Defines the phases of a corpus, as steps of datatrove pipelines.

    read     ReadSources -> DropByRule -> Scrub -> Hash -> Keep -> CodeSignatures
    match    datatrove's MinhashDedupBuckets
    choose   ChooseFirst: of equal and of nearly equal documents the first
    check    ReadKept -> DropByContent -> Keep

Each step counts the documents and bytes that it drops, under the reason.  The counts are
datatrove's statistics, so those of a task that is not run again are still there.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep

from model_runtime.training.corpus import store
from model_runtime.training.corpus.decontamination import Benchmarks
from model_runtime.training.corpus.filters import normalized, parses, reason_to_drop
from model_runtime.training.corpus.licences import Verdict
from model_runtime.training.corpus.near_duplicates import Clusters, DocumentKey, pairs
from model_runtime.training.corpus.scrubbing import scrub
from model_runtime.training.corpus.source import UNREADABLE, CorpusSource, Share, SourceFile
from model_runtime.training.recipe import CorpusRecipe

BENCHMARK = "13-gram of a benchmark"
SCRUBBED = "scrubbed: "
"""Prefix of a reason that names what was replaced; its count is of places, not of bytes."""
Documents = Iterator[Document]


class Step(PipelineStep):
    """A step that counts by reason."""

    type = "corpus"

    def count(self, reason: str, size: int) -> None:
        """Notes a document and its bytes."""
        self.stat_update(reason, value=size, unit="document")


def one_line(name: str) -> str:
    r"""Returns a name that a line of a table can hold, whatever a file system gave for it.

    >>> one_line("a\tb/caf\udce9.py")
    'a b/caf\\udce9.py'
    """
    return " ".join(name.split()).encode("utf-8", "backslashreplace").decode("utf-8")


class ReadSources(Step):
    """Reads every `world_size`-th source, and a share of those that all tasks share.

    Beside the documents it writes `licences/RANK.json`: the verdict of every source it opened.
    """

    name = "read"

    def __init__(self, sources: Sequence[CorpusSource], recipe: CorpusRecipe, folder: Path) -> None:
        super().__init__()
        self.sources, self.recipe, self.folder = sources, recipe, folder

    def run(self, data: None = None, rank: int = 0, world_size: int = 1) -> Documents:
        """Yields the documents of permissively licensed files."""
        verdicts = []
        for number, source in enumerate(self.sources):
            if source.is_shared or number % world_size == rank:
                share = Share(rank, world_size) if source.is_shared else Share()
                verdict = Verdict("unreadable", "", "")
                try:
                    verdict, files = source.open(self.recipe, share)
                    yield from self._documents(number, rank, verdict, files)
                except UNREADABLE as error:
                    verdict = Verdict("unreadable", "error", " ".join(str(error).split())[:100])
                verdicts.append([number, one_line(source.name), source.version, *verdict])
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{rank:05d}.json").write_text(json.dumps(verdicts), encoding="utf-8")

    def _documents(
        self, number: int, rank: int, verdict: Verdict, files: Iterator[SourceFile]
    ) -> Documents:
        if verdict.kind not in ("permissive", "by document"):
            return
        for place, file in enumerate(files):
            self.count("read", len(file.data))
            if file.verdict.kind != "permissive":
                self.count(f"licence of the document is {file.verdict.kind}", len(file.data))
                continue
            yield Document(
                # Bytes that are no UTF-8 come through, to be dropped by their rule.
                text=normalized(file.data).decode("utf-8", "surrogateescape"),
                id=f"{number}/{place}/{rank}",
                metadata={
                    "package": one_line(file.package),
                    "version": file.version,
                    "path": one_line(file.path),
                    "licence": file.verdict.text[:40],
                    # Files of a shared source are dealt out, so this is their order in it.
                    "order": [number, place, rank],
                },
            )


class DropByRule(Step):
    """Drops documents that are not worth learning from."""

    name = "rules"

    def run(self, data: Documents, rank: int = 0, world_size: int = 1) -> Documents:
        """Yields the documents that no rule drops."""
        for document in data:
            raw = document.text.encode("utf-8", "surrogateescape")
            if reason := reason_to_drop(raw):
                self.count(reason, len(raw))
            else:
                yield document


class Scrub(Step):
    """Replaces personal data and secrets."""

    name = "scrub"

    def run(self, data: Documents, rank: int = 0, world_size: int = 1) -> Documents:
        """Yields all documents, clean."""
        for document in data:
            document.text, found = scrub(document.text)
            for kind, times in found.items():
                self.stat_update(SCRUBBED + kind, value=times, unit="document")
            yield document


class Hash(Step):
    """Gives every document the SHA-1 of its text."""

    name = "hash"

    def run(self, data: Documents, rank: int = 0, world_size: int = 1) -> Documents:
        """Yields the same documents."""
        for document in data:
            sha1 = hashlib.sha1(document.text.encode(), usedforsecurity=False)
            document.metadata["sha1"] = sha1.hexdigest()
            yield document


class Keep(Step):
    """Writes the documents of a task, and hands them on."""

    name = "keep"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def run(self, data: Documents, rank: int = 0, world_size: int = 1) -> Documents:
        """Yields the same documents."""
        yield from store.write(data, store.path_of(self.folder, rank))


class ChooseFirst(Step):
    """Finds the documents that repeat an earlier one, exactly or nearly, in one task over all.

    Writes `RANK.json` for each task: numbers of its documents, and the reason.
    """

    name = "choose"

    def __init__(self, kept: Path, matches: Path, folder: Path, tasks: int) -> None:
        super().__init__()
        self.kept, self.matches, self.folder, self.tasks = kept, matches, folder, tasks

    def run(self, data: None = None, rank: int = 0, world_size: int = 1) -> None:
        """Writes the files; no document comes out."""
        order: dict[DocumentKey, tuple[int, ...]] = {}
        of_hash: dict[str, DocumentKey] = {}
        equal: dict[DocumentKey, DocumentKey] = {}
        for task in range(self.tasks):
            for number, document in enumerate(store.read(store.path_of(self.kept, task))):
                place, sha1 = (task, number), document.metadata["sha1"]
                order[place] = tuple(document.metadata["order"])
                first = of_hash.setdefault(sha1, place)
                if first != place:
                    earlier, later = sorted((first, place), key=order.__getitem__)
                    of_hash[sha1], equal[later] = earlier, earlier
        clusters = Clusters(order)
        for one, other in pairs(self.matches):
            clusters.link(one, other)
        removed: dict[int, dict[int, str]] = defaultdict(dict)
        for place in order:
            if place in equal:
                removed[place[0]][place[1]] = "exact duplicate"
            elif clusters.first(place) != place:
                removed[place[0]][place[1]] = "near-duplicate"
        self.folder.mkdir(parents=True, exist_ok=True)
        for task in range(self.tasks):
            text = json.dumps(removed[task])
            (self.folder / f"{task:05d}.json").write_text(text, encoding="utf-8")


class ReadKept(Step):
    """Reads the documents of the read phase that repeat no earlier one."""

    name = "repeated"

    def __init__(self, kept: Path, removed: Path) -> None:
        super().__init__()
        self.kept, self.removed = kept, removed

    def run(self, data: None = None, rank: int = 0, world_size: int = 1) -> Documents:
        """Yields the documents of this task."""
        removed = json.loads((self.removed / f"{rank:05d}.json").read_text("utf-8"))
        for number, document in enumerate(store.read(store.path_of(self.kept, rank))):
            if reason := removed.get(str(number)):
                self.count(reason, len(document.text.encode()))
            else:
                yield document


class DropByContent(Step):
    """Looks a second time at the few that are left: they parse, and share nothing with a benchmark.

    Writes `RANK.json`: what shared text with a benchmark.
    """

    name = "check"

    def __init__(self, tasks: set[str], recipe: CorpusRecipe, folder: Path) -> None:
        super().__init__()
        self.tasks, self.recipe, self.folder = tasks, recipe, folder

    def run(self, data: Documents, rank: int = 0, world_size: int = 1) -> Documents:
        """Yields the documents that may stay."""
        benchmarks, leaks = Benchmarks(self.tasks), []
        for document in data:
            path = document.metadata["path"]
            is_python = path.endswith(".py") or (not path and ".py" in self.recipe.suffixes)
            size = len(document.text.encode())
            if is_python and not parses(document.text):
                self.count("does not parse", size)
            elif benchmarks.shared_runs(document.text):
                self.count(BENCHMARK, size)
                leaks.append(f"{document.metadata['package']} {path}".strip())
            else:
                yield document
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{rank:05d}.json").write_text(json.dumps(leaks), encoding="utf-8")
