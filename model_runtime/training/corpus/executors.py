"""Runs phases on datatrove's executors: this machine, a Slurm cluster, Ray.

A phase is a list of steps and a number of tasks.  A task that is done leaves a mark, so what a
restart repeats is at most what was in work when the earlier start ended.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from datatrove.executor.base import PipelineExecutor
from datatrove.executor.local import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from datatrove.utils.logging import logger as datatrove_log
from datatrove.utils.stats import PipelineStats

from model_runtime.telemetry import import_silenced
from model_runtime.training.corpus.source import CorpusError
from model_runtime.training.display import ProgressLine
from model_runtime.training.recipe import ExecutorRecipe

SLURM_NUMBERS = ("cpus_per_task", "mem_per_cpu_gb", "max_array_size", "tasks_per_job")


@dataclass(frozen=True)
class Phase:
    """Steps that one task runs through, and how many tasks there are."""

    name: str
    steps: list[PipelineStep]
    tasks: int


class QuietLocalExecutor(LocalPipelineExecutor):
    """datatrove's local executor without its log on standard error; a failure is raised."""

    def _run_for_rank(self, rank: int, local_rank: int = 0, node_rank: int = -1) -> PipelineStats:
        datatrove_log.disable("datatrove")  # in the worker process, too
        return super()._run_for_rank(rank, local_rank, node_rank)


class Tally(NamedTuple):
    """The number and size of the documents for which a reason holds."""

    documents: int
    bytes: int


def run_phases(recipe: ExecutorRecipe, phases: Sequence[Phase], logs: Path) -> dict[str, Tally]:
    """Runs phases one after the other; returns what they counted, by reason.

    Raises:
        CorpusError: tasks did not end; the message says where their logs are.
    """
    with _cluster(recipe):
        for phase in phases:
            folder = logs / phase.name
            executor = executor_of(recipe, phase, folder)
            with _shown(phase, folder):
                executor.run()
                if recipe.kind == "slurm":
                    _wait(executor)
            if missing := executor.get_incomplete_ranks(skip_completed=True):
                raise CorpusError(
                    f"{len(missing)} of {phase.tasks} tasks of the phase {phase.name} failed; "
                    f"their logs are in {folder / 'logs'}"
                )
    return counts_of(logs)


def executor_of(recipe: ExecutorRecipe, phase: Phase, logs: Path) -> PipelineExecutor:
    """Returns the executor of a phase, not yet started."""
    common: dict[str, Any] = {
        "pipeline": phase.steps,
        "tasks": phase.tasks,
        "logging_dir": str(logs),
    }
    if recipe.kind == "local":
        workers = min(recipe.workers or os.cpu_count() or 1, phase.tasks)
        return QuietLocalExecutor(workers=workers, start_method="spawn", **common)
    workers = recipe.workers or -1
    if recipe.kind == "ray":
        from model_runtime.training.corpus.ray_executor import RayExecutor

        return RayExecutor(workers=workers, mem_per_cpu_gb=0, **common)
    from datatrove.executor.slurm import SlurmPipelineExecutor

    options: dict[str, Any] = {
        name: int(value) if name in SLURM_NUMBERS else value for name, value in recipe.slurm.items()
    }
    return SlurmPipelineExecutor(
        workers=workers,
        job_name=f"fim-corpus-{phase.name}",
        slurm_logs_folder=str(logs / "slurm"),
        mail_user=None,
        **options,
        **common,
    )


def counts_of(logs: Path) -> dict[str, Tally]:
    """Returns sums over the statistics of all tasks of all phases."""
    counts: dict[str, Tally] = {}
    for path in sorted(logs.glob("*/stats/*.json")):
        for step in json.loads(path.read_text("utf-8")):
            if str(step["name"]).startswith("corpus:"):
                for reason, stat in step["stats"].items():
                    documents, size = counts.get(reason, (0, 0))
                    more = _tally(stat)
                    counts[reason] = Tally(documents + more.documents, size + more.bytes)
    return counts


def _tally(stat: Any) -> Tally:
    """Returns the tally of a statistic.

    datatrove leaves the number out where it is 1, and writes the sum alone where every value was 1.
    """
    if isinstance(stat, dict):
        return Tally(int(stat.get("n", 1)), int(stat["total"]))
    return Tally(int(stat), int(stat))


@contextmanager
def _cluster(recipe: ExecutorRecipe) -> Iterator[None]:
    """Keeps datatrove off standard error, and Ray running for as long as it is needed."""
    datatrove_log.disable("datatrove")
    try:
        if recipe.kind != "ray":
            yield
            return
        try:
            ray = import_silenced("ray")
        except ImportError as error:
            raise CorpusError("executor.kind is 'ray'; run `pip install 'fim-lsp[ray]'`") from error
        options: dict[str, Any] = {"log_to_driver": False, "include_dashboard": False}
        if recipe.workers:
            options["num_cpus"] = recipe.workers
        if recipe.ray_address != "local":
            options = {"log_to_driver": False, "address": recipe.ray_address}
        ray.init(**options)
        try:
            yield
        finally:
            ray.shutdown()
    finally:
        datatrove_log.enable("datatrove")


def _wait(executor: PipelineExecutor) -> None:
    """Waits until marks tell that all tasks are done: Slurm's executor only submits."""
    while executor.get_incomplete_ranks(skip_completed=True):
        time.sleep(10)


@contextmanager
def _shown(phase: Phase, logs: Path) -> Iterator[None]:
    """Shows a progress line with the share of the tasks that are done."""
    with ProgressLine(True, f"corpus: {phase.name}") as line:
        ended = threading.Event()

        def follow() -> None:
            while not ended.wait(0.5):
                done = sum(1 for _ in logs.glob("completions/*"))
                line.show(done / phase.tasks, f"{done} of {phase.tasks} tasks")

        thread = threading.Thread(target=follow, daemon=True)
        if line.visible:
            thread.start()
        try:
            yield
            line.show(1.0, f"{phase.tasks} tasks")
        finally:
            ended.set()
            if line.visible:
                thread.join()
