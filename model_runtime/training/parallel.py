"""Joins several processes at one network: who they are, how they agree, how they share the weights.

torchrun starts the processes and tells each its place through the environment (RANK, WORLD_SIZE,
LOCAL_RANK, LOCAL_WORLD_SIZE).  Without it there is one process, and nothing here talks to anybody.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.rendezvous import rendezvous
from torch.nn.parallel import DistributedDataParallel

from model_runtime.errors import ModelRuntimeError
from model_runtime.training.network import TrainingNetwork
from model_runtime.training.recipe import ParallelRecipe

Thing = TypeVar("Thing")


class ProcessLost(ModelRuntimeError):
    """Another process of this run has ended, or is not heard of any more."""


@dataclass(frozen=True)
class Processes:
    """The processes of a run, seen by one of them."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    """Number of processes on this machine."""
    strategy: str = "none"
    store: Store | None = None
    """Store for small facts that the processes leave for each other."""

    @classmethod
    def join(cls, recipe: ParallelRecipe, device: str = "cpu") -> Processes:
        """Finds the others that torchrun has started; alone if there are none.

        Messages between processors go over gloo, those between accelerators over nccl.

        Raises:
            ProcessLost: the others were not found.
            ModelRuntimeError: there are several processes, but the recipe's strategy is `none`.
        """
        size = int(os.environ.get("WORLD_SIZE", "1"))
        if size == 1:
            return cls()
        if recipe.strategy == "none":
            raise ModelRuntimeError(
                f"torchrun started {size} processes, but the recipe says parallel.strategy = "
                "'none'; say 'ddp' or 'fsdp2'"
            )
        rank, local = int(os.environ["RANK"]), int(os.environ.get("LOCAL_RANK", "0"))
        accelerator = torch.device(device).type
        if accelerator == "cuda":
            torch.cuda.set_device(local)
        backend = "gloo" if accelerator == "cpu" else f"cpu:gloo,{accelerator}:nccl"
        timeout = timedelta(minutes=recipe.timeout_minutes)
        # torchrun's store lives through restarts: without a name of its own a new start may find
        # the addresses of the dead processes of the last one.
        attempt = f"{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}-{size}"
        meeting: Any = next(rendezvous("env://", timeout=timeout))
        store = PrefixStore(attempt, meeting[0])
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=timeout)
        strategy = "ddp" if recipe.strategy == "auto" else recipe.strategy
        local_size = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        return cls(rank, size, local, local_size, strategy, store)

    @property
    def is_main(self) -> bool:
        """Whether this process writes the log and decides for all."""
        return self.rank == 0

    def device(self, name: str) -> torch.device:
        """Returns the device of this process: `cuda` becomes `cuda:LOCAL_RANK`."""
        device = torch.device(name)
        if self.size > 1 and name == "cuda":
            return torch.device("cuda", self.local_rank)
        return device

    def sum(self, values: Sequence[float]) -> list[float]:
        """Returns each value summed over all processes; every process gets the same bits."""
        if self.size == 1:
            return list(values)
        summed = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(summed)
        return summed.tolist()

    def gather(self, thing: Thing) -> list[Thing]:
        """Returns what every process has given, in the order of ranks."""
        if self.size == 1:
            return [thing]
        things: list[Thing | None] = [None] * self.size
        dist.all_gather_object(things, thing)
        return things  # type: ignore[return-value]

    def wait(self) -> None:
        """Waits until all processes are here."""
        self.sum([0.0])

    def wait_long(self, name: str) -> None:
        """Waits until the main process comes here, even if that takes days; once for each name."""
        if self.store is None:
            return
        if self.is_main:
            self.store.set(name, "done")
        else:
            self.store.wait([name], timedelta(days=30))

    def wrap(self, network: TrainingNetwork, objective: nn.Module, dtype: torch.dtype) -> nn.Module:
        """Returns what is called in place of `objective` (which holds `network`) to get a loss.

        Gradients come out as *sums* over the processes: the caller weighs the losses.
        """
        if self.strategy == "ddp":
            return DistributedDataParallel(objective)
        if self.strategy == "fsdp2":
            shard_weights(network, dtype, self.size)
        return objective

    def loss_weight(self) -> float:
        """Returns the factor that makes a sum of a reduction of gradients: DDP takes the mean."""
        return float(self.size) if self.strategy == "ddp" else 1.0

    def local_only(self, wrapped: nn.Module) -> AbstractContextManager[None]:
        """Keeps the gradients of this block here until a backward pass outside of one.

        FSDP2 reduces every micro-batch instead, so that whole gradients are never kept.
        """
        if isinstance(wrapped, DistributedDataParallel):
            return wrapped.no_sync()
        return nullcontext()


def shard_weights(network: TrainingNetwork, dtype: torch.dtype, size: int) -> None:
    """Gives each process one part of every weight; layers are gathered one by one (FSDP2).

    Products see weights in `dtype`; gradients are summed in float32.
    """
    device = next(network.parameters()).device.type
    mesh = init_device_mesh(device, (size,))
    policy = (
        MixedPrecisionPolicy()
        if dtype is torch.float32
        else MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32)
    )
    for layer in network.gpt_neox.layers:
        fully_shard(layer, mesh=mesh, mp_policy=policy)
    fully_shard(network, mesh=mesh, mp_policy=policy)
    for module in network.modules():
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)
            # gloo took a mean for a sum (pytorch issue 162338); a plain sum is right everywhere
            module.set_force_sum_reduction_for_comms(True)


@contextmanager
def telling_of_lost_processes(
    processes: Processes, newest: Callable[[], Path | None]
) -> Iterator[None]:
    """Turns the many errors by which torch tells of a dead process into one sentence.

    Args:
        processes: the processes of the run.
        newest: gives the newest checkpoint of the run.

    Raises:
        ProcessLost: another process of the run has ended; names the checkpoint to go on from.
    """
    try:
        yield
    except RuntimeError as error:
        words = str(error)
        if processes.size == 1 or not any(
            word in words for word in ("onnection", "gloo", "NCCL", "imed out")
        ):
            raise
        checkpoint = newest()
        raise ProcessLost(
            "another process of this run has ended or is not heard of any more; its own last "
            "lines say why. The same command goes on "
            + (
                f"from {checkpoint}"
                if checkpoint
                else "from the start, as no checkpoint was written"
            )
        ) from error


def leave() -> None:
    """Says goodbye to the other processes."""
    if dist.is_initialized():
        dist.destroy_process_group()
