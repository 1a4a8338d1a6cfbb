"""The options of an ablation: which variants it compares, and how."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_runtime.engines import registry
from model_runtime.engines.kind import AUTO
from model_runtime.errors import ModelRuntimeError
from model_runtime.evaluation.harness import HarnessOptions
from model_runtime.evaluation.run import InfillingOptions


class AblationError(ModelRuntimeError):
    """An ablation that cannot be made."""


@dataclass(frozen=True)
class AblationOptions:
    """The variants, and how they are trained and scored.

    Raises:
        AblationError: two recipes have one name, or a number is below 1.
    """

    recipes: tuple[Path, ...]
    """One recipe for each variant; the others are compared with the first."""
    out: Path
    seeds: int = 1
    steps: int | None = None
    """Steps in place of each recipe's budget."""
    points: int = 1
    """Number of bundles that are scored along each run, the last one included."""
    roots: tuple[Path, ...] = ()
    benchmarks: Path | None = None
    data_of: Path | None = None
    """Another run, whose corpus and tokenizer are taken."""
    device: str = "cpu"
    engine: str = ""
    """Engine of the scores; empty for the registry's reference engine."""
    threads: int = 0
    infilling: InfillingOptions | None = None
    """Settings of the scoring of infilling; the folder `out` in them is not used."""
    harness: HarnessOptions | None = None
    """Settings of the scoring of language tasks; the folder `out` in them is not used."""

    def __post_init__(self) -> None:
        names = [path.stem for path in self.recipes]
        if len(set(names)) < len(names):
            raise AblationError(f"two recipes have one name: {', '.join(names)}")
        if not names or self.seeds < 1 or self.points < 1 or (self.steps or 1) < 1:
            raise AblationError("an ablation needs a recipe, and at least one seed, step and point")

    @property
    def scoring_device(self) -> str:
        """Device of the engine that scores."""
        return "cuda" if self.device.startswith("cuda") else AUTO

    @property
    def scoring_engine(self) -> str:
        """Name of the engine that scores."""
        return self.engine or registry.reference(self.scoring_device)

    @property
    def data(self) -> dict[str, Any]:
        """Everything that decides which corpus is used, as JSON values."""
        return {
            "roots": [str(root) for root in self.roots],
            "benchmarks": str(self.benchmarks),
            "data_of": str(self.data_of),
        }
