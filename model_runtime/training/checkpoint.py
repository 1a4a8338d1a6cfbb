"""Everything a run needs to go on, in one file that is either old or new, never half."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from model_runtime.errors import ModelRuntimeError

FORMAT = 1


class CheckpointError(ModelRuntimeError):
    """A state that this version cannot go on with."""


@dataclass
class Checkpoint:
    """A run between two steps."""

    recipe: str
    """Fingerprint of what must not change within a run."""
    step: int
    tokens: int
    """Trained on, padding left out."""
    seconds: float
    """Spent in the training loop, all starts together."""
    block: int
    row: int
    """Place of the next row."""
    network: dict[str, Any]
    optimisers: list[dict[str, Any]]

    def save(self, path: Path) -> None:
        """Write to the side, then move."""
        unfinished = path.with_name(path.name + ".tmp")
        content = {name: getattr(self, name) for name in self.__dataclass_fields__}
        with open(unfinished, "wb") as file:
            torch.save({"format": FORMAT, **content}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)

    @classmethod
    def load(cls, path: Path, recipe: str | None = None) -> Checkpoint:
        """Read it back, on the CPU.

        Raises:
            CheckpointError: another format, or another recipe than `recipe`.
        """
        content = torch.load(path, map_location="cpu", weights_only=True)
        if (found := content.pop("format", None)) != FORMAT:
            raise CheckpointError(f"{path} has format {found}; this version reads {FORMAT}")
        checkpoint = cls(**content)
        if recipe is not None and checkpoint.recipe != recipe:
            raise CheckpointError(
                f"{path} belongs to another recipe; give each recipe a state folder of its own"
            )
        return checkpoint
