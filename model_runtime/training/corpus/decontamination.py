"""Keeps benchmark text out of the corpus: no document may share a run of 13 words with a task.

Runs with fewer than five words of letters do not count: lists of numbers are no leak.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from model_runtime.syntax.languages import language_id
from model_runtime.training.corpus.runs import run_hashes, words_of

RUN = 13
"""Words of a run; as in GPT-3 (arXiv:2005.14165, appendix C)."""
MIN_NAMES = 5
_NO_TEXT = ("plaintext", "json")
"""Languages of files that are no tasks: licences, tokenizers, what is not known."""


def task_files(folder: Path) -> list[Path]:
    """Returns the files of tasks below a folder: tables of rows, and files of code or prose."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return [path for path in paths if _is_table(path) or _is_text(path)]


def read_tasks(folder: Path) -> set[str]:
    """Returns the text of every task below a folder.

    Of `*.jsonl(.gz)`, HumanEval and its infilling tasks are joined to whole programs, MBPP gives
    its code, and every other row (the sets of lm-evaluation-harness) all its texts of 13 words or
    more.  A file of code or prose, as those of a frozen set for replay, is one task.
    """
    tasks: set[str] = set()
    for path in task_files(folder):
        if not _is_table(path):
            tasks.add(path.read_text("utf-8", "replace"))
            continue
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                tasks.update(_texts(json.loads(line)))
    return tasks


def _is_table(path: Path) -> bool:
    return ".jsonl" in path.suffixes


def _is_text(path: Path) -> bool:
    return language_id(path.name) not in _NO_TEXT


def _texts(task: dict[str, Any]) -> Iterator[str]:
    if "canonical_solution" in task:
        names = ("prompt", "canonical_solution", "suffix")
        yield "".join(task.get(name, "") for name in names)
    elif "code" in task and "test_list" in task:
        yield task["code"]
    else:
        yield from (text for text in _strings(task) if len(words_of(text)) >= RUN)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _strings(part)


class Benchmarks:
    """Finds runs of words that a document shares with a task."""

    def __init__(self, tasks: Iterable[str]) -> None:
        self._number: dict[str, int] = {}
        known: list[np.uint64] = []
        for task in sorted(tasks):
            words = words_of(task)
            numbers = [self._number.setdefault(word, len(self._number) + 1) for word in words]
            for start, key in enumerate(run_hashes(np.array(numbers, np.uint64), RUN)):
                if sum(word[0].isalpha() for word in words[start : start + RUN]) >= MIN_NAMES:
                    known.append(key)
        self._known = np.unique(np.array(known, np.uint64))

    def shared_runs(self, text: str) -> int:
        """Returns how many runs of the text stand in a task, too."""
        words = words_of(text)
        numbers = np.fromiter((self._number.get(word, 0) for word in words), np.uint64, len(words))
        keys = run_hashes(numbers, RUN)
        if not len(keys) or not len(self._known):
            return 0
        unknown = np.concatenate([[0], np.cumsum(numbers == 0)])
        # Only runs of which no word is new to the benchmarks.
        candidates = keys[unknown[RUN:] == unknown[:-RUN]]
        # np.isin would sort all that is known once more for every text.
        places = np.searchsorted(self._known, candidates).clip(max=len(self._known) - 1)
        return int((self._known[places] == candidates).sum())
