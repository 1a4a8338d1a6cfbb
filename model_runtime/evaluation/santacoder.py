"""SantaCoder-FIM: single lines cut out of HumanEval in Python, Java and JavaScript, by exact match.

The set was published with SantaCoder (Allal et al. 2023, arXiv:2301.03988).  What is read here is
the file that QwenLM/Qwen2.5-Coder keeps, and the rule of its harness: of an answer that begins with
a line end the second line counts, else the first; it is right if it equals the missing line, white
space at both ends aside.  Nothing is executed.  Published figures are on two scales, since
BigCode's harness reads some ten points lower on Python; this one is Qwen's.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_runtime.evaluation.errors import DataError
from model_runtime.evaluation.metrics import Interval, cluster_bootstrap
from model_runtime.evaluation.tasks import Task
from model_runtime.prompt.encoder import Hole

FILE = "train.parquet"
SHA256 = "54d62b5a4f1554ca3f7ab65f901fe1fecdb3eaebac28ebd52a90397c9239c6d9"
MAX_NEW_TOKENS = 48
"""Ids of an answer; the longest missing lines have about forty."""
_SOURCE = (
    "qwencoder-eval/base/benchmarks/fim-bench/hm_fim/data of "
    "https://github.com/QwenLM/Qwen2.5-Coder"
)


@dataclass(frozen=True, slots=True)
class LanguageScore:
    """The share of the missing lines of one language that were written exactly."""

    language: str
    rows: int
    exact_match: Interval


def read(path: Path) -> dict[str, list[Task]]:
    """Returns the tasks of each language; needs pyarrow, of the extra `train`.

    Raises:
        DataError: the file is missing, or is not the published one.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}); the file is {FILE} in {_SOURCE}"
        ) from error
    if (found := hashlib.sha256(content).hexdigest()) != SHA256:
        raise DataError(
            f"{path} is not the published file (SHA-256 {found[:12]}... in place of "
            f"{SHA256[:12]}...); take it again from {_SOURCE}"
        )
    try:
        from pyarrow import BufferReader, parquet
    except ImportError as error:
        raise DataError("reading the file needs pyarrow: pip install pyarrow") from error
    tasks: dict[str, list[Task]] = {}
    for row in parquet.read_table(BufferReader(content)).to_pylist():
        tasks.setdefault(row["language"], []).append(_task(row))
    return tasks


def is_exact(answer: str, middle: str) -> bool:
    r"""Tells whether an answer is the missing line, by the rule of Qwen's harness.

    >>> is_exact("\n    return x\n    y", "    return x"), is_exact("return x + 1", "return x")
    (True, False)
    """
    lines = answer.split("\n")
    begins_with_line_end = answer.startswith(("\n", " \n"))
    return lines[1 if begins_with_line_end else 0].strip() == middle.strip()


def choose(tasks: Mapping[str, Sequence[Task]], number: int | None) -> dict[str, list[Task]]:
    """Returns about `number` tasks, of each language its share and of each problem too."""
    if number is None:
        return {language: list(rows) for language, rows in tasks.items()}
    every = sum(map(len, tasks.values())) / number
    return {
        language: [rows[int(place * every)] for place in range(int(len(rows) / every))]
        for language, rows in tasks.items()
    }


def score(tasks: Mapping[str, Sequence[Task]], answers: Mapping[str, str]) -> list[LanguageScore]:
    """Returns the score of each language, and of all rows together; problems are resampled."""
    everything = [task for of_language in tasks.values() for task in of_language]
    return [
        LanguageScore(
            language,
            len(rows),
            cluster_bootstrap(
                [float(is_exact(answers[task.id], task.middle)) for task in rows],
                [task.problem for task in rows],
            ),
        )
        for language, rows in (*tasks.items(), ("all", everything))
    ]


def _task(row: Mapping[str, Any]) -> Task:
    """Returns the task of a row; problems are those of HumanEval, in whatever language."""
    problem = re.search(r"HumanEval_(\d+)_", row["name"])
    if problem is None:
        raise DataError(f"the name {row['name']!r} names no problem of HumanEval")
    return Task(
        id=f"{row['language']}/{row['name']}",
        problem=int(problem[1]),
        hole=Hole(row["prompt"], row["suffix"]),
        middle=row["canonical_solution"],
        test="",
        entry_point="",
    )
