"""Writes and reads checkpoints: folders that are whole or not there.

    TRAIN/checkpoints/step-00001200/
        progress.json         what is counted, and the fingerprints of recipe, corpus and tokenizer
        .metadata, *.distcp   weights and optimizer state (torch.distributed.checkpoint)

All processes write together: each writes its share into `.step-00001200.unfinished`, and when all
are done the folder is renamed.  One that is to be deleted is renamed first, to `.NAME.removed`;
one in whose place another comes, to `.NAME.replaced`, where it is found until that one is there.
Any number of processes reads what any other number has written.  Everything that is read back
consists of numbers: pickled objects other than the format's own description are refused.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemWriter
from torch.distributed.checkpoint.metadata import TensorStorageMetadata
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save

from model_runtime.training.checkpoint_reader import CheckpointError, CheckpointReader
from model_runtime.training.parallel import Processes
from model_runtime.training.recipe import TrainRecipe

FORMAT = 2
PROGRESS = "progress.json"
_UNFINISHED, _REMOVED, _REPLACED = ".unfinished", ".removed", ".replaced"
# Names of format 2, kept so that runs of earlier versions go on.
_STEP_FILTER = "guard"
_OPTIMIZER = "optimiser"


@dataclass
class RunProgress:
    """The counters of a run."""

    step: int = 0
    tokens: int = 0
    """Number of tokens trained on, padding left out."""
    seconds: float = 0.0
    """Seconds spent in the training loop, all starts together."""
    row: int = 0
    """Position in the stream of rows, as one integer: all that the data needs to go on."""
    step_filter: dict[str, Any] = field(default_factory=dict)
    """State of the filter that skips steps."""

    def share(self, train: TrainRecipe) -> float:
        """Returns the used share of the budget, 0 to 1 and beyond."""
        if train.budget_seconds:
            return self.seconds / train.budget_seconds
        if train.budget_tokens:
            return self.tokens / train.budget_tokens
        return self.step / train.budget_steps


@dataclass(frozen=True)
class Identity:
    """Facts that must stay the same within a run."""

    recipe: dict[str, Any]
    corpus: str
    tokenizer: str

    def check(self, found: dict[str, Any], folder: Path) -> None:
        """Refuses a checkpoint of another recipe, corpus or tokenizer.

        Args:
            found: the identity that the checkpoint holds.
            folder: the checkpoint, for the message.

        Raises:
            CheckpointError: names what differs.
        """
        advice = "give each its own folder with --out, or put the old one back"
        for section, values in self.recipe.items():
            for key, value in values.items():
                if key not in found["recipe"].get(section, {}):
                    continue  # the version that wrote the checkpoint did not know this setting
                other = found["recipe"][section][key]
                if json.loads(json.dumps(value)) != other:
                    raise CheckpointError(
                        f"{folder} belongs to another recipe: {section}.{key} is {other!r} there "
                        f"and {value!r} here; {advice}"
                    )
        for name in ("corpus", "tokenizer"):
            if getattr(self, name) != found[name]:
                raise CheckpointError(
                    f"the {name} is not the one that {folder} was trained on; {advice}"
                )


def tensors_of(network: nn.Module, optimizers: list[torch.optim.Optimizer]) -> dict[str, Tensor]:
    """Returns tensors by `network/NAME` or `optimiser/NAME/KEY`; they share the run's memory."""
    tensors: dict[str, Tensor] = {}
    for name, weight in network.named_parameters():
        tensors[f"network/{name}"] = weight.detach()
        for optimizer in optimizers:
            for key, value in optimizer.state.get(weight, {}).items():
                tensors[f"{_OPTIMIZER}/{name}/{key}"] = value
    return tensors


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one training run."""

    folder: Path
    processes: Processes = field(default_factory=Processes)
    keep: int = 2

    def newest(self) -> Path | None:
        """Returns the newest whole checkpoint, or None."""
        return newest(self.folder)

    def save(
        self,
        tensors: dict[str, Tensor],
        progress: RunProgress,
        identity: Identity,
        name: str | None = None,
    ) -> Path:
        """Writes a checkpoint, then removes the oldest of more than `keep`; one with a name is
        kept.

        Raises:
            CheckpointError: on every process, if any of them could not write.
        """
        target = self.folder / (name or f"step-{progress.step:08d}")
        work = self.folder / f".{target.name}{_UNFINISHED}"
        failure: BaseException | None = None
        try:
            if self.processes.is_main:
                self._sweep()
                work.mkdir(parents=True)
            self.processes.wait()
            writer = FileSystemWriter(work)
            with _alone_is_meant():
                save(tensors, storage_writer=writer, no_dist=self.processes.size == 1)
            if self.processes.is_main:
                content = {"format": FORMAT, **asdict(progress), "identity": asdict(identity)}
                content[_STEP_FILTER] = content.pop("step_filter")
                sections = content["identity"]["recipe"]
                sections[_OPTIMIZER] = sections.pop("optimizer")
                _write(work / PROGRESS, json.dumps(content, indent=1) + "\n")
                if target.exists():
                    os.rename(target, _hidden(target, _REPLACED))
                os.rename(work, target)
                self._prune()
                self._sweep()
        except (OSError, RuntimeError, CheckpointException) as error:
            failure = error
        if self.processes.sum([float(failure is not None)])[0]:
            if self.processes.is_main:
                shutil.rmtree(work, ignore_errors=True)
            raise CheckpointError(self._sentence(target, failure)) from failure
        return target

    def _sentence(self, target: Path, failure: BaseException | None) -> str:
        reason = "another process failed" if failure is None else _root(failure)
        last = self.newest()
        kept = f"the last whole one is {last}" if last else "there is none yet"
        return f"cannot write the checkpoint {target} ({reason}); {kept}; free some space and rerun"

    def _prune(self) -> None:
        steps = sorted(self.folder.glob("step-*"))
        for path in steps[: -self.keep]:
            self._remove(path)

    def _remove(self, path: Path) -> None:
        """Moves a checkpoint out of sight, for one that is being deleted looks like a whole one."""
        os.rename(path, _hidden(path, _REMOVED))

    def _sweep(self) -> None:
        """Deletes what was moved out of sight, and what a killed process has left.

        A checkpoint that has lost its place to none goes back there.
        """
        for left in self.folder.glob(f".*{_REPLACED}"):
            place = self.folder / left.name[1 : -len(_REPLACED)]
            if place.exists():
                self._remove(left)
            else:
                os.rename(left, place)
        for kind in (_REMOVED, _UNFINISHED):
            for left in self.folder.glob(f".*{kind}"):
                shutil.rmtree(left)


def newest(folder: Path) -> Path | None:
    """Returns the newest whole checkpoint in a folder of them, or None."""
    names = {path.name for path in folder.glob("step-*")}
    names |= {path.name[1 : -len(_REPLACED)] for path in folder.glob(f".step-*{_REPLACED}")}
    found = (_whole(folder / name) for name in sorted(names, reverse=True))
    return next((path for path in found if path is not None), None)


def read_progress(folder: Path) -> tuple[RunProgress, dict[str, Any]]:
    """Returns the counters of a checkpoint, and the identity of its run.

    Raises:
        CheckpointError: not a checkpoint that this version reads.
    """
    try:
        content = json.loads((folder / PROGRESS).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{folder} is not a checkpoint ({error})") from error
    if (found := content.pop("format", None)) != FORMAT:
        raise CheckpointError(f"{folder} has format {found}; this version reads {FORMAT}")
    identity = content.pop("identity")
    identity["recipe"]["optimizer"] = identity["recipe"].pop(_OPTIMIZER)
    step_filter = content.pop(_STEP_FILTER)
    return RunProgress(**content, step_filter=step_filter), identity


def restore(folder: Path, tensors: dict[str, Tensor], alone: bool) -> None:
    """Reads a checkpoint into these tensors, whoever wrote it."""
    with _alone_is_meant():
        load(tensors, storage_reader=CheckpointReader(folder), no_dist=alone)


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Returns the weights of a checkpoint, whole, on the processor."""
    reader = CheckpointReader(folder)
    tensors = {
        name: torch.empty(entry.size, dtype=entry.properties.dtype)
        for name, entry in reader.read_metadata().state_dict_metadata.items()
        if name.startswith("network/") and isinstance(entry, TensorStorageMetadata)
    }
    with _alone_is_meant():
        load(tensors, storage_reader=reader, no_dist=True)
    return {name.removeprefix("network/"): tensor for name, tensor in tensors.items()}


def find(path: Path) -> Path:
    """Returns a checkpoint: the folder itself, or the newest one of a run or of its train stage.

    Raises:
        CheckpointError: there is none.
    """
    if (whole := _whole(path)) is not None:
        return whole
    for folder in (path, path / "checkpoints", path / "train" / "checkpoints"):
        if (found := newest(folder)) is not None:
            return found
    raise CheckpointError(f"there is no checkpoint in {path}")


def _whole(path: Path) -> Path | None:
    """Returns a checkpoint, or the one that was moved away for another one which never came."""
    for found in (path, _hidden(path, _REPLACED)):
        if (found / PROGRESS).exists():
            return found
    return None


def _hidden(path: Path, kind: str) -> Path:
    return path.parent / f".{path.name}{kind}"  # also of Path("."), which has no name


@contextlib.contextmanager
def _alone_is_meant() -> Iterator[None]:
    """Silences torch, which warns of a single process even where it is told that there is one."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        yield


def _write(path: Path, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _root(error: BaseException) -> str:
    """Returns the system's own words, such as `No space left on device`, rather than what came of
    them.
    """
    if isinstance(error, CheckpointException) and error.failures:
        error = next(iter(error.failures.values()))[0]
    chain = [error]
    while (earlier := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(earlier)
    first = next((link for link in chain if isinstance(link, OSError)), chain[0])
    return (str(first).strip().splitlines() or [type(first).__name__])[0]
