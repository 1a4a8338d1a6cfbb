"""Reads HumanEval-infilling as tasks, and writes the program that checks an answer.

    program = prompt + completion + suffix, a line end, the tests, a line end, check(entry_point)

Data: openai/human-eval-infilling (Bavarian et al. 2022, arXiv:2207.14255), MIT licence, folder
`data/` of that repository, unchanged; a file that is not the published one is refused.  No code was
taken over.

All splits are cut from 164 problems, several of which share a function name, so rows are grouped by
the number of the problem in their `task_id`.  An empty text is an answer: it passes where the
missing code did not matter, and `Split.empty_passes` says how often.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model_runtime.evaluation.errors import DataError, EvaluationError
from model_runtime.evaluation.splits import Split
from model_runtime.prompt.encoder import Hole

LANGUAGE = "python"
"""Language of every problem, by the id that editors send."""
_SOURCE = "the folder data/ of https://github.com/openai/human-eval-infilling"


@dataclass(frozen=True, slots=True)
class Task:
    """One hole, the text that stood in it, and the check of an answer."""

    id: str
    problem: int
    """Number of the problem, 0 to 163 for HumanEval: the unit that is resampled for an interval."""
    hole: Hole
    middle: str
    """Text that was cut out."""
    test: str
    entry_point: str

    def program(self, completion: str) -> str:
        """Returns the program whose running to its end means that `completion` is right."""
        document = self.hole.prefix + completion + self.hole.suffix
        return f"{document}\n{self.test}\ncheck({self.entry_point})"


def read_split(folder: Path, split: Split) -> list[Task]:
    """Returns all tasks of a split, in the file's order.

    Raises:
        DataError: the file is missing, or is not the published one.
    """
    path = folder / split.file
    try:
        packed = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}); the file is in {_SOURCE}"
        ) from error
    found = hashlib.sha256(packed).hexdigest()
    if found != split.sha256:
        raise DataError(
            f"{path} is not the published file (SHA-256 {found[:12]}... in place of "
            f"{split.sha256[:12]}...); take it again from {_SOURCE}"
        )
    return [_task(json.loads(line)) for line in gzip.decompress(packed).splitlines()]


def choose(tasks: Sequence[Task], number: int | None, seed: int = 0) -> list[Task]:
    """Returns `number` tasks in their given order, each problem with its share of rows, to within
    one.

    So the score of a choice estimates that of all tasks.  It depends on the seed and the ids alone,
    and the choice of 300 contains that of 200, so a run can be extended.

    Raises:
        EvaluationError: fewer than one, or more than there are.
    """
    if number is None:
        return list(tasks)
    if not 1 <= number <= len(tasks):
        raise EvaluationError(f"{number} tasks cannot be chosen from {len(tasks)}")

    def chance(text: str) -> float:
        return int.from_bytes(hashlib.sha256(f"{seed}/{text}".encode()).digest()[:6], "big") / 2**48

    rows_of: dict[int, list[Task]] = {}
    for task in sorted(tasks, key=lambda task: chance(task.id)):
        rows_of.setdefault(task.problem, []).append(task)
    # The rows of a problem come at even distances, from a random start: systematic sampling.
    places = {
        task.id: (rank + chance(str(problem))) / len(rows)
        for problem, rows in rows_of.items()
        for rank, task in enumerate(rows)
    }
    chosen = set(sorted(places, key=lambda id_: (places[id_], id_))[:number])
    return [task for task in tasks if task.id in chosen]


def _task(row: dict[str, str]) -> Task:
    match = re.fullmatch(r"\w+/HumanEval/(\d+)/\w+", row["task_id"])
    if match is None:
        raise DataError(f"the task id {row['task_id']!r} names no problem of HumanEval")
    return Task(
        id=row["task_id"],
        problem=int(match[1]),
        hole=Hole(row["prompt"], row["suffix"]),
        middle=row["canonical_solution"],
        test=row["test"],
        entry_point=row["entry_point"],
    )
