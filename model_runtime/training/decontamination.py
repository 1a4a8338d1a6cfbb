"""Keeps benchmark programs out of the corpus: no document may share a run of 13 words with one.

Runs with fewer than five words of letters do not count: lists of numbers are no leak.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

RUN = 13
"""Words of a run; as in GPT-3 (arXiv:2005.14165, appendix C)."""
LEAST_NAMES = 5
_WORD = re.compile(r"\w+|[^\w\s]")


def read_programs(folder: Path) -> set[str]:
    """Every task of the `*.jsonl(.gz)` files below a folder: prompt, solution, rest."""
    programs = set()
    for path in sorted(folder.rglob("*.jsonl*")):
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                task = json.loads(line)
                if "canonical_solution" in task:  # HumanEval and its infilling tasks
                    parts = (
                        task.get("prompt", ""),
                        task["canonical_solution"],
                        task.get("suffix", ""),
                    )
                    programs.add("".join(parts))
                elif "code" in task and "test_list" in task:  # MBPP
                    programs.add(task["code"])
    return programs


class Benchmarks:
    """Finds runs of words that a document shares with a benchmark program."""

    def __init__(self, programs: Iterable[str]) -> None:
        self._number: dict[str, int] = {}
        known: list[np.uint64] = []
        for program in sorted(programs):
            words = _WORD.findall(program)
            numbers = [self._number.setdefault(word, len(self._number) + 1) for word in words]
            for start, key in enumerate(_keys(np.array(numbers, np.uint64))):
                if sum(word[0].isalpha() for word in words[start : start + RUN]) >= LEAST_NAMES:
                    known.append(key)
        self._known = np.unique(np.array(known, np.uint64))

    def shared_runs(self, text: str) -> int:
        """How many runs of the text stand in a benchmark, too."""
        words = _WORD.findall(text)
        numbers = np.fromiter((self._number.get(word, 0) for word in words), np.uint64, len(words))
        keys = _keys(numbers)
        if not len(keys) or not len(self._known):
            return 0
        unknown = np.concatenate([[0], np.cumsum(numbers == 0)])
        candidates = keys[
            unknown[RUN:] == unknown[:-RUN]
        ]  # no word of the run is new to benchmarks
        return int(np.isin(candidates, self._known).sum())


def _keys(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """A hash for each run; a sum of weighted numbers modulo 2**64."""
    size = len(numbers) - RUN + 1
    if size <= 0:
        return np.empty(0, np.uint64)
    mixed = numbers * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    keys = np.zeros(size, np.uint64)
    for i in range(RUN):
        keys += mixed[i : i + size] * np.uint64(pow(0x100000001B3, i, 2**64))
    return keys
