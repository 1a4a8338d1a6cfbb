"""Runs a training in which one process computes NaN in its third step.

Each process writes which steps moved it.

    torchrun ... -m tests.model_runtime.training.spoiled RECIPE OUT
"""

import json
import math
import sys
from pathlib import Path

import torch

from model_runtime.training.parallel import Processes, leave
from model_runtime.training.recipe import read_recipe
from model_runtime.training.train import Trainer


def local(weight: torch.Tensor) -> torch.Tensor:
    """Returns a process's share of a weight, as it is now."""
    share = weight.to_local() if hasattr(weight, "to_local") else weight
    return share.detach().clone()


def main() -> None:
    recipe, out = read_recipe(Path(sys.argv[1])), Path(sys.argv[2])
    processes = Processes.join(recipe.parallel)
    tokenizer = out / "tokenizer" / "tokenizer.json"
    trainer = Trainer(recipe, out / "corpus", tokenizer, out / "train", processes=processes)

    def spoil(module: torch.nn.Module, given: object, hidden: torch.Tensor) -> torch.Tensor:
        is_bad = processes.rank == 1 and trainer.progress.step == 2
        return hidden * math.nan if is_bad and torch.is_grad_enabled() else hidden

    trainer.network.register_forward_hook(spoil)
    moved = []
    for _ in range(4):
        before = [local(weight) for weight in trainer.weights]
        trainer.run(max_steps=1)
        pairs = zip(before, trainer.weights, strict=True)
        moved.append(any(not torch.equal(a, local(b)) for a, b in pairs))
    found = {"moved": moved, "skipped": trainer.step_filter.skipped}
    (out / f"rank-{processes.rank}.json").write_text(json.dumps(found))
    leave()


if __name__ == "__main__":
    main()
