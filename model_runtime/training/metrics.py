"""The log of a run: one JSON object a line, and the same in words on the terminal."""

from __future__ import annotations

import json
import logging
from pathlib import Path

logger = logging.getLogger(__name__)


class MetricsLog:
    """Appends to `training_log.jsonl`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, **entry: float | int | str) -> None:
        """Five digits of every figure."""
        short = {
            key: float(f"{value:.5g}") if isinstance(value, float) else value
            for key, value in entry.items()
        }
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(short) + "\n")
        logger.info(" ".join(f"{key} {value}" for key, value in short.items()))
