"""Writes the log of a run: one JSON object a line, the same in words, and for TensorBoard if
wanted.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from model_runtime.errors import ModelRuntimeError
from model_runtime.evaluation.training_curve import LOG

logger = logging.getLogger(__name__)


class MetricsLog:
    """Appends to `training_log.jsonl`, and to event files in `tensorboard/`."""

    def __init__(self, folder: Path, tensorboard: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / LOG
        self.quiet = False
        """Whether plain reports are shown elsewhere; events are always told."""
        self._events = _open_events(folder / "tensorboard") if tensorboard else None

    def write(self, **entry: float | int | str) -> None:
        """Appends an entry, with five digits of every figure."""
        short = {
            key: float(f"{value:.5g}") if isinstance(value, float) else value
            for key, value in entry.items()
        }
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(short) + "\n")
        if not self.quiet or "event" in entry:
            logger.info(" ".join(f"{key} {value}" for key, value in short.items()))
        if self._events is not None:
            group = entry.get("event", "train")
            for key, value in short.items():
                if not isinstance(value, str):
                    self._events.add_scalar(f"{group}/{key}", value, entry.get("step", 0))

    def close(self) -> None:
        """Puts everything on the disk."""
        if self._events is not None:
            self._events.close()

    def forget_after(self, step: int) -> None:
        """Drops the lines of steps that a run was stopped in and will now repeat."""
        if self.path.exists():
            lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [line for line in lines if line.endswith("\n") and _step(line) <= step]
            if len(kept) < len(lines):
                self.path.write_text("".join(kept), encoding="utf-8")


def _step(line: str) -> int:
    return int(json.loads(line).get("step", 0))


def _open_events(folder: Path) -> Any:
    try:
        from tensorboardX import SummaryWriter
    except ModuleNotFoundError as error:
        raise ModelRuntimeError(
            "train.tensorboard needs tensorboardX; run `pip install 'fim-lsp[train]'`"
        ) from error
    return SummaryWriter(str(folder))
