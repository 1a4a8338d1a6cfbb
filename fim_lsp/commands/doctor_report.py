"""Defines what `fim-lsp doctor` found out, as `--json` prints it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from model_runtime.engines.abilities import KeptTexts, WeightForms


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine, or the part of it that a container has."""

    usable_cores: int
    memory_bytes: int
    free_memory_bytes: int
    bandwidth_bytes_per_second: int
    """Bytes of weights that an engine reads a second."""
    operations_per_second: int
    """Operations of an engine's products, two for each multiply-add."""
    threads: int
    """Threads by which both were measured, and which an engine takes."""
    is_busy: bool
    """Whether other programs took processor time meanwhile, so that all times are too long."""


@dataclass(frozen=True, slots=True)
class Row:
    """A model of the catalogue, as it would do here."""

    name: str
    parameters: int
    memory_bytes: int
    key_ms: float
    """Predicted 95th percentile of the time from a key to its text."""
    fits: bool
    is_recommended: bool
    why: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One suggestion of the loaded model, as an editor would show it."""

    line: str
    """Text of the line before the cursor."""
    text: str
    """First line of what was suggested."""
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Keys:
    """Times from a key to its text with the loaded model: 95 of 100 are no longer."""

    number: int
    """Keys that got a text while a few lines were typed."""
    measured_p95_ms: float | None
    """Time while they were typed; None where no text came."""
    predicted_p95_ms: float | None = None
    """Prediction for usual typing; None for engines whose times are not predicted."""
    predicted_p95_ms_of_these: float | None = None
    """Prediction for the very keys that were measured, by the ids that they read and wrote."""
    steps_ms: dict[str, float] = field(default_factory=dict)
    """Median milliseconds of each step, over the timed keys that the model answered."""
    sample: Sample | None = None
    """The longest text that came; None where none did."""


@dataclass
class Report:
    """Holds what `fim-lsp doctor --json` prints; empty or zero where a step was not reached."""

    version: str
    python: str
    platform: str
    cores: int
    ok: bool = False
    model: str = ""
    parameters: int = 0
    context_tokens: int = 0
    engine: str = ""
    engines: list[dict[str, Any]] = field(default_factory=list)
    """Engines that `auto` compares: name, installed, and what the comparison found."""
    server: str = ""
    """Sentence on the server that runs the model; empty where it runs here."""
    weight_forms: WeightForms | None = None
    """Forms in which the engine has loaded the weights; None where it has no choice of them."""
    load_ms: float = 0.0
    first_token_ms: float = 0.0
    """Median time for a prompt that nothing is cached of."""
    tokens_per_second: float = 0.0
    """Median speed while decoding."""
    kept_texts: KeptTexts | None = None
    """Memory of what the engine had read of the prompts that were timed."""
    machine: Machine | None = None
    keys: Keys | None = None
    languages: list[str] = field(default_factory=list)
    """Languages in which the model suggests while the user types; empty if it is not known."""
    catalogue: list[Row] = field(default_factory=list)
    """Public models, in the catalogue's order."""
    folders: dict[str, str] = field(default_factory=dict)
    """Places of what fim-lsp keeps on this machine, by what it is."""
    editors: list[str] = field(default_factory=list)
    """Names of the editors on this machine that `fim-lsp setup` knows."""
    problems: list[dict[str, str]] = field(default_factory=list)
    """Entries with `problem` and `remedy`."""

    @property
    def recommended(self) -> Row | None:
        """The public model that suits this machine best."""
        return next((row for row in self.catalogue if row.is_recommended), None)

    def add(self, problem: str, remedy: str) -> None:
        """Notes something that the user can mend."""
        self.problems.append({"problem": problem, "remedy": remedy})
