"""Decides whether a better model is offered, and in which words."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from fim_lsp.model_offers.answers import Answers
from model_runtime.store.names import AUTO, DEFAULT

if TYPE_CHECKING:
    from model_runtime.catalogue.fit import Assessment


@dataclass(frozen=True, slots=True)
class OfferFacts:
    """Holds all that the decision depends on."""

    setting: str
    """The setting `model`."""
    is_allowed: bool
    """The setting `offerModels`."""
    in_use: str
    """Name of the model that answers."""
    installed: Collection[str]
    """Names of all models on this machine, unusable ones included."""
    answers: Answers
    today: date


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer to download a model."""

    model: str
    """Name in the catalogue."""
    text: str
    """Text for the user."""
    accept: str
    """Label of the action that begins the download."""


def why_not(facts: OfferFacts) -> str:
    """Returns what speaks against an offer, in a few words; empty where nothing does.

    >>> facts = OfferFacts("auto", True, "default", ["default"], Answers(), date(2026, 11, 28))
    >>> why_not(facts)
    ''
    >>> from dataclasses import replace
    >>> why_not(replace(facts, setting="mine"))
    'the setting `model` names one'
    """
    if not facts.is_allowed:
        return "the setting `offerModels` is off"
    if facts.setting != AUTO:
        return "the setting `model` names one"
    if facts.in_use != DEFAULT or set(facts.installed) != {DEFAULT}:
        return "there are others than the embedded one"
    if facts.answers.never:
        return "the user has said never"
    if facts.answers.asked == facts.today:
        return "the user was asked today"
    return ""


def offer_of(assessments: Iterable[Assessment]) -> Offer | None:
    """Returns the offer of the recommended model; None where none is."""
    for assessment in assessments:
        if assessment.is_recommended:
            return _offer(assessment)
    return None


def _offer(assessment: Assessment) -> Offer:
    from model_runtime.catalogue.fit import MAX_KEY_MS

    model = assessment.model
    size = f"{model.download_bytes / 1e6:.0f} MB"
    pace = ", slower than most people type" if assessment.key_ms > MAX_KEY_MS else ""
    text = (
        f"fim-lsp completes with the small model that comes with it. {model.name} is better: "
        f"{size} to download, {assessment.memory_bytes / 1e9:.1f} GB of memory, about "
        f"{round(assessment.key_ms, -1):.0f} ms from a key to a suggestion here{pace}; license "
        f"{model.license}."
    )
    if model.is_permissive:
        return Offer(model.name, text, f"Download ({size})")
    return Offer(
        model.name,
        f"{text} The license has conditions: {model.license_url}",
        f"Accept the license and download ({size})",
    )
