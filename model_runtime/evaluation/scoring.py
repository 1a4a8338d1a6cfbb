"""Scores completions: by execution, and by comparison with what was cut out.

The floor is scored like a model that always answers with the empty text, on the same rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from model_runtime.evaluation.errors import EvaluationError
from model_runtime.evaluation.metrics import (
    Interval,
    cluster_bootstrap,
    edit_similarity,
    is_exact_match,
    paired_difference,
    pass_at_k,
)
from model_runtime.evaluation.records import JsonLines
from model_runtime.evaluation.sandbox import Sandbox
from model_runtime.evaluation.tasks import Task

KS = (1, 10, 100)
"""Values of k; pass@k is given for those of which every task has enough samples."""

Answers = Mapping[str, Sequence[str]]
"""Task id -> its completions."""

Comparison = Callable[[str, str], float]
"""Compares a completion with what was cut out."""


@dataclass(frozen=True, slots=True)
class Score:
    """The score of one label on a set of tasks; every interval is clustered by problem."""

    label: str
    pass_at: dict[int, Interval]
    """k -> unbiased pass@k; empty where nothing was executed."""
    above_floor: Interval | None
    """Mean pass@1 less that of the empty answer, paired by task; None where nothing was executed.
    """
    exact_match: Interval
    edit_similarity: Interval
    empty_share: float
    """Share of samples that are empty or white space."""
    length_ratio: float
    """Characters written / characters cut out, over all rows."""
    failures: dict[str, int]
    """Error's name -> number of samples that failed by it, most frequent first."""
    by_task: dict[str, list[float]]
    """Measure -> its value for each task, in their order; kept in rows.json, not in the report."""


class ProgramChecker:
    """Runs programs in a sandbox, each only once, and remembers the verdicts in a file."""

    def __init__(self, sandbox: Sandbox, store: JsonLines, *, workers: int = 2) -> None:
        self._sandbox, self._store, self._workers = sandbox, store, workers
        self._reasons: dict[tuple[str, str], str] = {
            (record["task"], record["text"]): record["reason"] for record in store.read()
        }

    def run(self, answers: Sequence[tuple[Task, str]]) -> Iterator[None]:
        """Runs all answers that have no verdict yet; yields after each.

        Raises:
            SandboxBroken: no verdict on one of them is possible; those before it are kept.
        """
        pending = self.pending(answers)

        def verdict(answer: tuple[Task, str]) -> str:
            task, text = answer
            outcome = self._sandbox.run(task.program(text))
            return "" if outcome.passed else outcome.reason

        pool = ThreadPoolExecutor(self._workers, thread_name_prefix="sandbox")
        try:
            for (task, text), reason in zip(pending, pool.map(verdict, pending), strict=True):
                self._reasons[task.id, text] = reason
                self._store.append({"task": task.id, "text": text, "reason": reason})
                yield
        finally:  # also when the caller stops asking
            pool.shutdown(cancel_futures=True)

    def pending(self, answers: Sequence[tuple[Task, str]]) -> list[tuple[Task, str]]:
        """Returns the answers that have no verdict yet, each once."""
        unique = {(task.id, text): (task, text) for task, text in answers}
        return [answer for key, answer in unique.items() if key not in self._reasons]

    def reason(self, task: Task, text: str) -> str:
        """Returns why an answer failed; empty if it passed.

        Raises:
            KeyError: it was not run.
        """
        return self._reasons[task.id, text]


def score(
    label: str, tasks: Sequence[Task], answers: Answers, checker: ProgramChecker | None
) -> Score:
    """Scores the answers of one label.

    With a checker, all `answers` and the empty ones must have been run.

    Raises:
        EvaluationError: a task has no answer, or tasks have different numbers of them.
    """
    counts = {len(answers.get(task.id, ())) for task in tasks}
    if len(counts) != 1 or 0 in counts:
        raise EvaluationError(f"every task needs the same number of samples; found {counts}")
    samples = counts.pop()
    problems = {task.id: task.problem for task in tasks}

    def mean(values: Sequence[float]) -> Interval:
        return cluster_bootstrap(values, [task.problem for task in tasks])

    def over_samples(measure: Comparison) -> list[float]:
        return [
            sum(measure(text, task.middle) for text in answers[task.id]) / samples for task in tasks
        ]

    by_task = {
        "exact match": over_samples(is_exact_match),
        "edit similarity": over_samples(edit_similarity),
    }

    pass_at, above_floor = {}, None
    reasons: Counter[str] = Counter()
    if checker is not None:
        passed = {}
        for task in tasks:
            found = [checker.reason(task, text) for text in answers[task.id]]
            passed[task.id] = found.count("")
            reasons.update(reason.partition(":")[0] for reason in found if reason)
        for k in KS:
            if k <= samples:
                values = [pass_at_k(samples, passed[task.id], k) for task in tasks]
                by_task[f"pass@{k}"] = values
                pass_at[k] = mean(values)
        above_floor = paired_difference(
            {task: count / samples for task, count in passed.items()},
            {task.id: float(not checker.reason(task, "")) for task in tasks},
            problems,
        )
    texts = [text for task in tasks for text in answers[task.id]]
    return Score(
        label=label,
        pass_at=pass_at,
        above_floor=above_floor,
        exact_match=mean(by_task["exact match"]),
        edit_similarity=mean(by_task["edit similarity"]),
        empty_share=sum(not text.strip() for text in texts) / len(texts),
        length_ratio=sum(map(len, texts)) / (samples * sum(len(task.middle) for task in tasks)),
        failures=dict(reasons.most_common()),
        by_task=by_task,
    )
