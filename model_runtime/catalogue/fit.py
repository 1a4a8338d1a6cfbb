"""Says which models of the catalogue suit a machine; a stand-in."""

from __future__ import annotations

from dataclasses import dataclass

from model_runtime.catalogue.entries import CatalogueModel


@dataclass(frozen=True, slots=True)
class Assessment:
    """Says what is expected of a model here."""

    model: CatalogueModel
    memory_bytes: int
    key_ms: float
    fits: bool
    is_recommended: bool
    why: str


def assess(
    models: tuple[CatalogueModel, ...], speed: object, memory: int
) -> tuple[Assessment, ...]:
    """Returns an assessment of each model."""
    best = max((model.quality for model in models), default=0.0)
    return tuple(
        Assessment(model, model.download_bytes, 90.0, True, model.quality == best, "a stand-in")
        for model in models
    )
