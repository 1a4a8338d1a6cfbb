"""Runs tasks of a corpus in Ray's own worker processes.

datatrove's executor for Ray starts an actor for each job and forks its tasks from there.  A fork of
a process that has threads, as Ray's have, may wait for ever on a lock that no thread of the copy
will open; here it did now and then.  A task of Ray needs no fork, and its worker is used again,
which is quicker, too.
"""

from __future__ import annotations

from typing import Any

from datatrove.executor.ray import RayPipelineExecutor

from model_runtime.telemetry import import_silenced


class RayExecutor(RayPipelineExecutor):
    """Runs all ranks that are not done yet, as many at once as the cluster has processors for."""

    def run(self) -> None:
        """Runs until all tasks are done.

        Raises:
            ray.exceptions.RayTaskError: a task failed; the others are ended with the cluster.
        """
        self._launched = True
        ray = import_silenced("ray")
        executor: Any = ray.put(self)
        task = ray.remote(run_rank).options(num_cpus=self.cpus_per_task)
        waiting = [task.remote(executor, rank) for rank in self.get_incomplete_ranks()]
        while waiting:
            done, waiting = ray.wait(waiting)
            ray.get(done)


def run_rank(executor: RayExecutor, rank: int) -> None:
    """Runs one task, in a worker of Ray."""
    executor._run_for_rank(rank)
