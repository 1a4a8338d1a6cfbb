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
    """What the user is told."""
    accept: str
    """Label of the action that begins the download."""


def may_offer(facts: OfferFacts) -> bool:
    """Tells whether an offer may be made: nobody has chosen a model or has said No.

    >>> facts = OfferFacts("auto", True, "default", ["default"], Answers(), date(2026, 11, 28))
    >>> may_offer(facts)
    True
    """
    return (
        facts.is_allowed
        and facts.setting == AUTO
        and facts.in_use == DEFAULT
        and set(facts.installed) == {DEFAULT}
        and not facts.answers.never
        and facts.answers.asked != facts.today
    )


def offer_of(assessments: Iterable[Assessment]) -> Offer | None:
    """Returns the offer of the recommended model; None where none is."""
    for assessment in assessments:
        if assessment.is_recommended:
            return _offer(assessment)
    return None


def _offer(assessment: Assessment) -> Offer:
    model = assessment.model
    size = f"{model.download_bytes / 1e6:.0f} MB"
    label = f"Download ({size})"
    text = (
        "fim-lsp completes with the small model that comes with it. "
        f"{model.name} is better: {assessment.why.rstrip('.')}. "
        f"It is {size} to download, and its license is {model.license}."
    )
    if not model.is_permissive:
        label = f"Accept the license and download ({size})"
        text += f" The license has conditions: {model.license_url}"
    return Offer(model.name, text, label)
